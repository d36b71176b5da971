"""Any kind may have a field that holds a secret: it travels as a digest, and its bytes are asked for."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.trial import KEY, Project

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import DeclarationInvalid
from vitrify.core.difference import Change
from vitrify.core.digest import JSON, digest_bytes, keyed_digest
from vitrify.core.resource import Kind, Kinds, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Schema, Type
from vitrify.core.system import System
from vitrify.project.load import load
from vitrify.resources.registry import all_kinds


class Account(Kind):
    """A login with a password: as small as a kind can be."""

    name = "account"
    phases = frozenset({Phase.LIVE, Phase.BAKE})
    schema = Schema(
        fields={
            "login": Field(Type.NAME, "its name", required=True),
            "password": Field(Type.TEXT, "its password", secret=True),
            "hint": Field(Type.TEXT, "for everybody to read"),
        }
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        return str(fields["login"])

    def desired(self, resource: Resource) -> Properties:
        return {"type": "account", "password": resource.fields["password"]}

    def observe(self, resource: Resource, system: System) -> Observation:
        return Observation(resource.address, {"type": "missing"})

    def enact(self, change: Change, system: System) -> None:
        assert system.blob(str(change.resource.fields["password"]))


KINDS = Kinds((*(all_kinds()[name] for name in all_kinds().names() if name != Account.name), Account()))
HEAD = "secrets: {pw: {env: PW}}"


def loaded(project: Project, line: str, *, keys: str = "", lifecycle: str = "mutable") -> Server:
    text = project.server(line, head=HEAD, keys=keys).replace("lifecycle: mutable", f"lifecycle: {lifecycle}")
    project.file("vitrify.yaml", text)
    return load(str(project.folder), environ={"PW": "canary"}, overrides={}, kinds=KINDS, key=KEY).servers[0]


def test_a_secret_travels_as_a_keyed_digest_under_the_name_of_its_field(project: Project) -> None:
    server = loaded(project, "- account: {login: ann, password: secret:pw, hint: none}")

    (account,) = server.resources
    digest = keyed_digest(b"canary", key=KEY)
    assert account.fields == {"login": "ann", "password": digest, "hint": "none"}
    assert account.secret
    assert (server.contents[digest].data, server.contents[digest].secret) == (b"canary", True)
    assert "canary" not in str(account.to_json())


def test_a_text_that_is_no_secret_travels_as_a_plain_digest(project: Project) -> None:
    server = loaded(project, "- account: {login: ann, password: open}")

    (account,) = server.resources
    assert account.fields == {"login": "ann", "password": digest_bytes(b"open")}
    assert not account.secret
    assert server.contents[digest_bytes(b"open")].data == b"open"


def test_what_is_absent_or_not_given_needs_no_secret(project: Project) -> None:
    assert loaded(project, "- account: {login: ann, password: secret:none, absent: true}").resources[0].fields == {"login": "ann"}
    assert loaded(project, "- account: ann".replace("ann", "{login: ann}")).resources[0].fields == {"login": "ann"}


@pytest.mark.parametrize(
    ("line", "lifecycle", "expected"),
    [
        ("- account: {login: ann, password: secret:pww}", "mutable", "there is no secret `pww`"),
        ("- account: {login: ann, hint: secret:pw}", "mutable", "a secret cannot stand in `hint`"),
        ("- account: {login: ann, password: secret:pw}", "immutable", "an image cannot hold a secret"),
    ],
)
def test_a_secret_that_cannot_be_there_is_told_at_its_place(project: Project, line: str, lifecycle: str, expected: str) -> None:
    with pytest.raises(DeclarationInvalid) as error:
        loaded(project, line, keys="    base: host\n", lifecycle=lifecycle)

    found = {problem.summary: problem.where for problem in error.value.diagnostics}
    where = found[expected]
    assert where is not None
    assert (where.line, where.column) == (10, 7 + line.index("secret:"))
