"""What the kinds of a PostgreSQL server have in common: how it is asked, and how a value stands in SQL."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import Dict, List, Mapping, Sequence, Tuple

from vitrify.core import due
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Type
from vitrify.core.system import Command, System, Target

LONGEST = 63
"""Bytes of a name: PostgreSQL cuts a longer one in silence."""
TIMEOUT = 120.0

FIELDS: Mapping[str, Field] = {
    "port": Field(Type.INTEGER, "the port of the server; 5432 where not given"),
    "socket": Field(Type.PATH, "the folder of its socket; what the client expects where not given"),
    "user": Field(Type.NAME, "the user that psql runs as, an administrator of the server; postgres where not given"),
}


def problems(values: Mapping[str, JSON]) -> List[Problem]:
    """What is wrong with these fields, and with names."""
    port = values.get("port")
    found = [Problem(("port",), f"{port} is not a port")] if isinstance(port, int) and not 1 <= port <= 65535 else []
    names = [(key, str(values[key])) for key in ("name", "owner", "template") if key in values]
    wrong = [(key, name) for key, name in names if not 1 <= len(name.encode()) <= LONGEST or not name.isprintable()]
    return found + [Problem((key,), f"{name!r} is not a name", f"1 to {LONGEST} bytes that can be shown") for key, name in wrong]


def identity(fields: Mapping[str, JSON]) -> str:
    """The name; with the server where that is not the usual one."""
    server = [f"{key}={fields[key]}" for key in ("socket", "port") if key in fields]
    return "@".join([str(fields["name"]), *([",".join(server)] if server else [])])


class Held(Kind):
    """Something that a PostgreSQL server holds under a name."""

    phases = frozenset({Phase.LIVE})
    short = "name"

    @abstractmethod
    def held(self, fields: Mapping[str, JSON], system: System) -> Properties:
        """What the server says of it; TargetFailed where it cannot be asked."""

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The name, and the server."""
        return identity(fields)

    def observe(self, resource: Resource, system: System) -> Observation:
        """What the server says of it; that it cannot be asked, where that is so."""
        if not lives(system):
            return Observation(resource.address, self.desired(resource))
        try:
            return Observation(resource.address, self.held(resource.fields, system))
        except TargetFailed as error:
            return Observation(resource.address, {**MISSING, "failed": error.diagnostics[0].summary})

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """The server may be about to be installed or started."""
        return assumed(earlier) if "failed" in change.before else ""


def unasked(change: Change) -> Tuple[str, ...]:
    """That the server could not be asked, in words; empty where it could."""
    if "failed" not in change.before:
        return ()
    return (f"the server cannot be asked ({change.before['failed']}): this will fail unless it runs by then",)


def lives(system: System) -> bool:
    """Whether there can be a server at all: a folder has none, and all is as wished there."""
    return system.target is Target.HOST


def ask(fields: Mapping[str, JSON], system: System, *statements: str, database: str = "postgres") -> List[Dict[str, JSON]]:
    """Let the server carry these out, and give the rows of those that answer with JSON. All of it goes over standard input."""
    argv = ["psql", "-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-d", f"dbname={_connection(database)}"]
    argv += ["-h", str(fields["socket"])] if "socket" in fields else []
    argv += ["-p", str(fields["port"])] if "port" in fields else []
    told = "\n".join(["SET standard_conforming_strings = on;", "SET client_encoding = 'UTF8';", *(f"{one};" for one in statements)])
    user = str(fields.get("user", "postgres"))
    ended = system.run(Command(tuple(argv), user=user, timeout=TIMEOUT, stdin=f"{told}\n".encode()))
    if ended.code != 0:
        raise TargetFailed(
            f"psql ended with {ended.code}", why=_told(due.last_lines(ended)), hint="does the server run, and may this user in?"
        )
    return [row for row in map(json.loads, ended.stdout.splitlines()) if isinstance(row, dict)]


def _connection(database: str) -> str:
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _told(said: str) -> str:
    """What the server says, without the statement that it quotes: a verifier of a password may be in that."""
    return "\n".join(line for line in said.splitlines() if not line.startswith(("LINE ", "STATEMENT", " ")))


def name(text: str) -> str:
    """A name in SQL."""
    return '"' + text.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text in SQL; psql replaces nothing within quotes."""
    return "'" + value.replace("'", "''") + "'"


def texts(values: Sequence[str]) -> str:
    """A list of texts in SQL, for IN."""
    return ", ".join(text(value) for value in values)


def server_first(others: Mapping[Address, object]) -> List[Address]:
    """What brings the server, where that is declared."""
    wanted = [address for address in others if address.kind == "package" and address.name.startswith("postgresql")]
    service = Address("service", "postgresql")
    return [*wanted, *([service] if service in others else [])]


def assumed(earlier: Mapping[Address, Change]) -> str:
    """The server may be about to be installed or started."""
    found = server_first(earlier)
    return f"{found[-1]} brings the server" if found else ""
