"""The kind `wait_for`: nothing that follows is done before a port is listened on, or a path is there."""

from __future__ import annotations

import re
from typing import List, Mapping, Tuple

from vitrify.core import waiting
from vitrify.core.difference import Change
from vitrify.core.digest import JSON
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Question

_TCP = re.compile(r"(?:(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):)?(?P<port>[0-9]{1,5})")


def _wait_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = waiting.timeout_problems(values)
    tcp = values.get("tcp", 1)
    match = _TCP.fullmatch(str(tcp)) if isinstance(tcp, (int, str)) and not isinstance(tcp, bool) else None
    if match is None or not 1 <= int(match.group("port")) <= 65535:
        found.append(Problem(("tcp",), f"{tcp!r} is nothing to connect to", "a port, or HOST:PORT, as in 5432 or db1.example:5432"))
    return found


class WaitFor(waiting.Barrier):
    """A moment that must have come before anything written after it is done: a barrier.

    It is looked at from the host itself: for every plan, once; and in an apply, for as long as `timeout` says, whenever it has not come
    yet or something that it is `after` changes. In time, or the apply fails and what follows is not done. Nothing to wait for in a
    folder, and no meaning in an image.
    """

    name = "wait_for"
    schema = Schema(
        fields={
            "tcp": Field(Type.ANY, "a port that something listens on: a number for this host, or HOST:PORT"),
            "path": Field(Type.PATH, "a path that is there"),
            "timeout": waiting.TIMEOUT,
        },
        one_of=(("tcp", "path"),),
        needs_one_of=(("tcp", "path"),),
        rules=(_wait_rules,),
        removable=False,
        lasting="there is nothing to take away: leave it out",
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path, or host and port."""
        asked = self.question(fields)
        return asked.path or f"{asked.host}:{asked.port}"

    def question(self, fields: Mapping[str, JSON]) -> Question:
        """A connection, or a path."""
        if "path" in fields:
            return Question(path=str(fields["path"]))
        match = _TCP.fullmatch(str(fields["tcp"]))
        host, port = (match.group("host"), match.group("port")) if match else (None, "0")
        return Question(host=(host or "127.0.0.1").strip("[]"), port=int(port))

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a moment."""
        return (f"is not there yet: up to {waiting.seconds(change.resource):g} s",) if change.before.get("answered") is False else ()
