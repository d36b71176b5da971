"""The kind `postgres_user`: a role of a PostgreSQL server that can log in, or that others are members of."""

from __future__ import annotations

import os
from typing import Dict, List, Mapping, Optional, Tuple

from vitrify.core import kept, postgres, scram
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System

FLAGS: Mapping[str, str] = {
    "login": "rolcanlogin",
    "superuser": "rolsuper",
    "createdb": "rolcreatedb",
    "createrole": "rolcreaterole",
    "replication": "rolreplication",
    "bypassrls": "rolbypassrls",
}
AS_WISHED, OTHER = "as wished", "other"


def _user_rules(values: Mapping[str, JSON]) -> List[Problem]:
    limit = values.get("connection_limit")
    wrong = isinstance(limit, int) and limit < -1
    reserved = str(values["name"]).startswith("pg_") or values["name"] in ("public", "none")
    found = [Problem(("connection_limit",), f"{limit} is no number of connections", "-1 is no limit")] if wrong else []
    return [*postgres.problems(values), *found, *([Problem(("name",), "this name is the server's own")] if reserved else [])]


class PostgresUser(postgres.Held):
    """A role of a PostgreSQL server.

    It is asked through psql over the local socket. A password goes there as a SCRAM-SHA-256 verifier made on the target, over standard
    input: it stands in no command line, and in no log of the server. Whether a role has it is told by that verifier, so a password that
    somebody else gave it is set anew once, the same one too. What is not declared stays as it is; a new role can log in. A role
    that owns something is not removed: the server refuses.
    """

    name = "postgres_user"
    schema = Schema(
        fields={
            "name": Field(Type.TEXT, "the role", required=True),
            "password": Field(Type.TEXT, "its password", secret=True),
            "login": Field(Type.BOOLEAN, "whether it can log in; true for a new one where not given"),
            "superuser": Field(Type.BOOLEAN, "whether it may do everything"),
            "createdb": Field(Type.BOOLEAN, "whether it may create databases"),
            "createrole": Field(Type.BOOLEAN, "whether it may create roles"),
            "replication": Field(Type.BOOLEAN, "whether it may replicate"),
            "bypassrls": Field(Type.BOOLEAN, "whether policies of rows are not for it"),
            "connection_limit": Field(Type.INTEGER, "so many connections at once; -1 is no limit"),
            "member_of": Field(Type.TEXTS, "the roles that it is a member of; others that it is a member of stay"),
            **postgres.FIELDS,
        },
        rules=(_user_rules,),
    )

    def desired(self, resource: Resource) -> Properties:
        """What was declared of it; that it has its password."""
        if resource.absent:
            return MISSING
        fields = resource.fields
        found: Dict[str, JSON] = {"type": "role", **{key: fields[key] for key in (*FLAGS, "connection_limit") if key in fields}}
        found.update({"password": AS_WISHED} if "password" in fields else {})
        return {**found, "member_of": AS_WISHED} if "member_of" in fields else found

    def held(self, fields: Mapping[str, JSON], system: System) -> Properties:
        """What the server says of it."""
        return _seen(fields, system)

    def enact(self, change: Change, system: System) -> None:
        """Create it, change what differs, or drop it."""
        fields = change.resource.fields
        if not postgres.lives(system):
            return
        role = postgres.name(str(fields["name"]))
        if change.action is Action.REMOVE:
            postgres.ask(fields, system, f"DROP ROLE IF EXISTS {role}")
            return
        seen = _seen(fields, system)
        statements = [] if seen["type"] == "role" else [f"CREATE ROLE {role} LOGIN"]
        options = [f"{'' if change.after[key] else 'NO'}{key.upper()}" for key in FLAGS if key in change.after]
        options += [f"CONNECTION LIMIT {change.after['connection_limit']}"] if "connection_limit" in change.after else []
        if change.after.get("password") == AS_WISHED and seen.get("password") != AS_WISHED:
            verifier = scram.verifier(system.blob(str(fields["password"])).decode(), salt=os.urandom(16))
            kept.keep(_proof(fields, verifier, system), b"", system)
            options.append(f"PASSWORD {postgres.text(verifier)}")
        statements += [f"ALTER ROLE {role} {' '.join(options)}"] if options else []
        member = change.after.get("member_of") == AS_WISHED
        statements += [f"GRANT {postgres.name(group)} TO {role}" for group in _groups(fields)] if member else []
        postgres.ask(fields, system, "BEGIN", *statements, "COMMIT")

    def inverse(self, change: Change) -> Optional[Change]:
        """The attributes of before; a role that was made is dropped."""
        if change.action is Action.CREATE:
            return Change(change.resource, Action.REMOVE, before=change.after, after=MISSING)
        if change.action is not Action.UPDATE:
            return None
        after = {key: change.before[key] for key in ("type", *FLAGS, "connection_limit") if key in change.before}
        return Change(change.resource, Action.UPDATE, before=change.after, after=after)

    def undoable(self, change: Change) -> bool:
        """Unless a password or a membership changes, or the role goes: what these were nobody is told."""
        lost = any(change.before.get(key, AS_WISHED) != AS_WISHED for key in ("password", "member_of"))
        return change.action is Action.CREATE or (change.action is Action.UPDATE and not lost)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the server, and after the roles that it is a member of."""
        groups = [Address(self.name, group) for group in _groups(resource.fields)]
        return (*postgres.server_first(others), *(address for address in groups if address in others)) if not resource.absent else ()

    def because(self, change: Change) -> Tuple[str, ...]:
        """At once that the server cannot be asked."""
        if "failed" in change.before:
            return postgres.unasked(change)
        words = {"password": "the password differs", "member_of": "it is not a member of all its roles"}
        return tuple(words.get(reason.split(" ")[0], reason) for reason in change.because)


def _groups(fields: Mapping[str, JSON]) -> List[str]:
    groups = fields.get("member_of")
    return [str(group) for group in groups] if isinstance(groups, list) else []


def _proof(fields: Mapping[str, JSON], verifier: str, system: System) -> str:
    """What is kept on the target where this verifier was made of the declared password: to look needs no password then."""
    return f"{fields['password']}-{system.keyed(verifier.encode())}"


def _seen(fields: Mapping[str, JSON], system: System) -> Dict[str, JSON]:
    columns = ", ".join(f"'{key}', {column}" for key, column in FLAGS.items())
    role = postgres.text(str(fields["name"]))
    groups = "SELECT json_agg(g.rolname) FROM pg_auth_members m JOIN pg_authid g ON g.oid = m.roleid WHERE m.member = r.oid"
    rows = postgres.ask(
        fields,
        system,
        f"SELECT json_build_object({columns}, 'connection_limit', rolconnlimit, 'verifier', rolpassword, 'groups', ({groups})) "  # noqa: S608  quoted
        f"FROM pg_authid r WHERE rolname = {role}",
    )
    if not rows:
        return dict(MISSING)
    verifier, member_of = str(rows[0].pop("verifier")), rows[0].pop("groups") or []
    found: Dict[str, JSON] = {"type": "role", **rows[0]}
    if "password" in fields:
        found["password"] = OTHER if kept.kept(_proof(fields, verifier, system), system) is None else AS_WISHED
    if "member_of" in fields:
        found["member_of"] = AS_WISHED if isinstance(member_of, list) and set(_groups(fields)) <= set(map(str, member_of)) else OTHER
    return found
