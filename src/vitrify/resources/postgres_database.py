"""The kind `postgres_database`: a database of a PostgreSQL server."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Tuple

from vitrify.core import postgres
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System

AS_WISHED, LACKING = "as wished", "lacking"
FIXED = ("encoding", "collate", "ctype")
"""What a database is created with, and keeps."""


def _database_rules(values: Mapping[str, JSON]) -> List[Problem]:
    own = values["name"] in ("postgres", "template0", "template1")
    return [*postgres.problems(values), *([Problem(("name",), "this database is the server's own")] if own else [])]


class PostgresDatabase(postgres.Held):
    """A database of a PostgreSQL server.

    It is asked through psql over the local socket. Encoding and locale are those it was created with: where others are declared, that
    is a failure. A database that holds tables is not dropped, unless `force` says so.
    """

    name = "postgres_database"
    schema = Schema(
        fields={
            "name": Field(Type.TEXT, "the database", required=True),
            "owner": Field(Type.TEXT, "the role that owns it"),
            "encoding": Field(Type.TEXT, "how it keeps text, as in UTF8; the template's where not given"),
            "collate": Field(Type.TEXT, "the locale that it sorts by"),
            "ctype": Field(Type.TEXT, "the locale that tells letters from other signs"),
            "template": Field(Type.TEXT, "what a new one is a copy of; template0 where encoding or locale are given"),
            "connection_limit": Field(Type.INTEGER, "so many connections at once; -1 is no limit"),
            "extensions": Field(Type.TEXTS, "extensions that are created in it; others stay"),
            "force": Field(Type.BOOLEAN, "whether it is dropped with the tables that it holds"),
            **postgres.FIELDS,
        },
        rules=(_database_rules,),
    )

    def desired(self, resource: Resource) -> Properties:
        """What was declared of it."""
        if resource.absent:
            return MISSING
        fields = resource.fields
        found: Dict[str, JSON] = {
            "type": "database",
            **{key: fields[key] for key in ("owner", *FIXED, "connection_limit") if key in fields},
        }
        return {**found, "extensions": AS_WISHED} if "extensions" in fields else found

    def held(self, fields: Mapping[str, JSON], system: System) -> Properties:
        """What the server says of it."""
        return _seen(fields, system)

    def enact(self, change: Change, system: System) -> None:
        """Create it, change what differs, or drop it."""
        fields, name = change.resource.fields, str(change.resource.fields["name"])
        if not postgres.lives(system):
            return
        seen = _seen(fields, system)
        if change.action is Action.REMOVE:
            if seen["type"] == "database":
                _refuse_tables(fields, system)
            postgres.ask(fields, system, f"DROP DATABASE IF EXISTS {postgres.name(name)}")
            return
        _refuse_fixed(name, change, seen)
        if seen["type"] != "database":
            postgres.ask(fields, system, f"CREATE DATABASE {postgres.name(name)}{_options(fields)}")
        changes = [f"OWNER TO {postgres.name(str(change.after['owner']))}"] if "owner" in change.after else []
        changes += [f"CONNECTION LIMIT {change.after['connection_limit']}"] if "connection_limit" in change.after else []
        postgres.ask(fields, system, *(f"ALTER DATABASE {postgres.name(name)} {one}" for one in changes))
        if change.after.get("extensions") == AS_WISHED:
            create = [f"CREATE EXTENSION IF NOT EXISTS {postgres.name(one)}" for one in _extensions(fields)]
            postgres.ask(fields, system, *create, database=name)

    def inverse(self, change: Change) -> Optional[Change]:
        """Owner and limit of before; a database that was made is dropped, unless tables are in it by now."""
        if change.action is Action.CREATE:
            return Change(change.resource, Action.REMOVE, before=change.after, after=MISSING)
        if change.action is not Action.UPDATE:
            return None
        after = {key: change.before[key] for key in ("type", "owner", "connection_limit") if key in change.before}
        return Change(change.resource, Action.UPDATE, before=change.after, after=after)

    def undoable(self, change: Change) -> bool:
        """What was dropped is gone; an extension stays."""
        extended = change.before.get("extensions", AS_WISHED) != AS_WISHED
        return change.action is Action.CREATE or (change.action is Action.UPDATE and not extended)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the server and its owner; an owner that goes, goes after it."""
        server = {key: resource.fields[key] for key in ("socket", "port") if key in resource.fields}
        owner = Address("postgres_user", postgres.identity({"name": str(resource.fields.get("owner")), **server}))
        return () if resource.absent else (*postgres.server_first(others), *([owner] if owner in others else []))

    def because(self, change: Change) -> Tuple[str, ...]:
        """At once that the server cannot be asked, or that something cannot be changed."""
        if "failed" in change.before:
            return postgres.unasked(change)
        fixed = [f"{reason}: cannot be changed, this will fail" for reason in change.because if reason.split(" ")[0] in FIXED]
        rest = [reason for reason in change.because if reason.split(" ")[0] not in FIXED]
        return (*("it lacks an extension" if reason.startswith("extensions ") else reason for reason in rest), *fixed)


def _options(fields: Mapping[str, JSON]) -> str:
    fixed = {"encoding": "ENCODING", "collate": "LC_COLLATE", "ctype": "LC_CTYPE"}
    given = [f" {word} {postgres.text(str(fields[key]))}" for key, word in fixed.items() if key in fields]
    template = str(fields.get("template", "template0" if given else ""))
    owner = [f" OWNER {postgres.name(str(fields['owner']))}"] if "owner" in fields else []
    return "".join([*owner, *([f" TEMPLATE {postgres.name(template)}"] if template else []), *given])


def _extensions(fields: Mapping[str, JSON]) -> List[str]:
    extensions = fields.get("extensions")
    return [str(one) for one in extensions] if isinstance(extensions, list) else []


def _refuse_fixed(name: str, change: Change, seen: Properties) -> None:
    for key in FIXED:
        if seen["type"] == "database" and key in change.after and change.after[key] != seen.get(key):
            raise TargetFailed(
                f"the {key} of the database {name} cannot be changed",
                why=f"it is {seen.get(key)}",
                hint="declare that, or dump the database and create it anew",
            )


def _refuse_tables(fields: Mapping[str, JSON], system: System) -> None:
    if fields.get("force") is True:
        return
    counted = "SELECT json_build_object('tables', count(*)) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    tables = postgres.ask(fields, system, counted, database=str(fields["name"]))[0]["tables"]
    if tables:
        raise TargetFailed(
            f"the database {fields['name']} is not dropped",
            why=f"it holds {tables} tables",
            hint="declare `force: true`, or drop it yourself",
        )


def _seen(fields: Mapping[str, JSON], system: System) -> Dict[str, JSON]:
    name = str(fields["name"])
    rows = postgres.ask(
        fields,
        system,
        "SELECT json_build_object('owner', r.rolname, 'encoding', pg_encoding_to_char(encoding), 'collate', datcollate, "  # noqa: S608  quoted
        "'ctype', datctype, 'connection_limit', datconnlimit) FROM pg_database d JOIN pg_authid r ON r.oid = d.datdba "
        f"WHERE datname = {postgres.text(name)}",
    )
    if not rows:
        return dict(MISSING)
    found: Dict[str, JSON] = {"type": "database", **rows[0]}
    if "extensions" in fields:
        told = postgres.ask(fields, system, "SELECT json_build_object('name', extname) FROM pg_extension", database=name)
        found["extensions"] = AS_WISHED if set(_extensions(fields)) <= {str(row["name"]) for row in told} else LACKING
    return found
