"""The kind `http_check`: nothing that follows is done before a URL answers as it should."""

from __future__ import annotations

import re
from typing import List, Mapping, Tuple

from vitrify.core import waiting
from vitrify.core.difference import Change
from vitrify.core.digest import JSON
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Question

_URL = re.compile(r"https?://[^\s/@?#]+(?:[/?][^\s#]*)?")


def _http_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = waiting.timeout_problems(values)
    if not _URL.fullmatch(str(values["url"])):
        found.append(Problem(("url",), f"{values['url']!r} is no URL to ask", "as in http://127.0.0.1:8000/healthz, without a user"))
    status = values.get("status", 200)
    if not isinstance(status, int) or not 100 <= status <= 599:
        found.append(Problem(("status",), f"{status!r} is no status", "a number from 100 to 599"))
    try:
        re.compile(str(values.get("body", "")))
    except re.error as error:
        found.append(Problem(("body",), "`body` is not a regular expression", str(error)))
    return found


class HttpCheck(waiting.Barrier):
    """A URL that must answer before anything written after it is done: a barrier.

    It is asked with `GET` from the host itself, without following redirections: for every plan, once; and in an apply, for as long as
    `timeout` says, whenever it does not answer as wished or something that it is `after` changes. In time, or the apply fails and
    what follows is not done. Nobody to ask in a folder, and no meaning in an image.
    """

    name = "http_check"
    short = "url"
    schema = Schema(
        fields={
            "url": Field(Type.TEXT, "what to ask", required=True),
            "status": Field(Type.INTEGER, "the status that it must answer with; 200 where not given"),
            "body": Field(Type.TEXT, "a regular expression (Python's) to be found in the first 64 KiB of the body"),
            "timeout": waiting.TIMEOUT,
        },
        rules=(_http_rules,),
        removable=False,
        lasting="there is nothing to take away: leave it out",
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The URL."""
        return str(fields["url"])

    def question(self, fields: Mapping[str, JSON]) -> Question:
        """One request."""
        return Question(url=str(fields["url"]), status=int(str(fields.get("status", 200))), pattern=str(fields.get("body", "")))

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a question."""
        wait = f"does not answer as wished: up to {waiting.seconds(change.resource):g} s"
        return (wait,) if change.before.get("answered") is False else ()
