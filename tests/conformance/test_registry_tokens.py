"""Token servers and programs that hold passwords: who asks is shown to the registry and to nobody else."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fake_registry import Handler, Shelves, lying_registry, only
from vitrify.core.diagnostic import Denied, IntegrityFailed, VitrifyError
from vitrify.core.reference import Reference
from vitrify.stores.layout import LayoutStore
from vitrify.stores.registry.client import Manner, RegistryClient
from vitrify.stores.registry.credentials import Credentials
from vitrify.stores.registry.door import Door
from vitrify.stores.registry.pace import Pace
from vitrify.testing.tiny_image import TinyFile, tiny_image

BASIC = "Basic " + base64.b64encode(b"ann:hunter2").decode()


@pytest.fixture
def shelves() -> Iterator[Shelves]:
    with lying_registry() as found:
        yield found


class Guard:
    """A token server on the registry's own address, and the registry's question for its tokens."""

    def __init__(self, shelves: Shelves, *, lives: int = 10**6) -> None:
        self.shelves, self.lives = shelves, lives
        self.given: dict[str, set[str]] = {}
        self.forms: list[dict[str, list[str]]] = []
        shelves.rules.append(only("^/token", self.give))
        shelves.rules.append(only("^/v2/", self.ask))

    def give(self, handler: Handler) -> bool:
        if handler.command == "POST":
            self.forms.append(urllib.parse.parse_qs(handler.sent.decode()))
            scopes = self.forms[-1]["scope"][0].split()
            known = self.forms[-1]["refresh_token"] == ["long-lived"]
        else:
            scopes = urllib.parse.parse_qs(urllib.parse.urlsplit(handler.path).query)["scope"]
            known = handler.headers.get("Authorization") == BASIC
        if not known:
            return handler.answer(401)
        token = f"token{len(self.given)}"
        self.given[token] = set(scopes)
        return handler.answer(200, json.dumps({"access_token" if len(self.given) % 2 else "token": token, "expires_in": 60}).encode())

    def ask(self, handler: Handler) -> bool:
        token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        repository = re.split("/(?:blobs|manifests|referrers)/", handler.path)[0].removeprefix("/v2/")
        action = "pull" if handler.command in ("GET", "HEAD") else "pull,push"
        self.lives -= 1
        if token in self.given and any(scope.startswith(f"repository:{repository}:{action}") for scope in self.given[token]) and self.lives:
            return False
        self.lives = 10**6
        scope = f"repository:{repository}:{action}"
        return handler.answer(
            401, WWW_Authenticate=f'Bearer realm="{self.shelves.scheme}://{self.shelves.address}/token",service="shop",scope="{scope}"'
        )


def logged_in(home: Path, address: str, entry: dict[str, str]) -> None:
    (home / ".docker").mkdir(parents=True)
    (home / ".docker/config.json").write_text(json.dumps({"auths": {address: entry}}))


def client(home: Path, name: str) -> tuple[RegistryClient, LayoutStore]:
    store = LayoutStore(home / name)
    manner = Manner(chunk=64 << 10, pace=Pace(stall=2, tries=2, sleep=lambda _: None))
    credentials = Credentials({"HOME": str(home), "PATH": f"{home}/bin:/usr/bin:/bin"})
    return RegistryClient(store, home / name, credentials, architecture="amd64", manner=manner), store


def pushed_and_pulled(home: Path, shelves: Shelves) -> None:
    image = tiny_image(home / "mine/oci", {"/file": TinyFile("\n".join(map(str, range(60_000))))}, base="scratch")
    to = Reference(shelves.address, "team/shop", "1")
    client(home, "mine")[0].push(image, to)
    assert client(home, "theirs")[0].pull(to).image.digest == image


@pytest.mark.parametrize("lives", [10**6, 7], ids=["lasting", "expiring"])
def test_a_token_is_asked_for_with_the_password_and_shown_in_its_place(shelves: Shelves, tmp_path: Path, lives: int) -> None:
    guard = Guard(shelves, lives=lives)
    logged_in(tmp_path, shelves.address, {"auth": BASIC.removeprefix("Basic ")})

    pushed_and_pulled(tmp_path, shelves)

    assert {header for _, path, header in shelves.asked if path.startswith("/token")} == {BASIC}
    assert not [header for _, path, header in shelves.asked if path.startswith("/v2/") and header.startswith("Basic")]
    assert {"repository:team/shop:pull"} in guard.given.values()
    assert any("repository:team/shop:pull,push" in scopes for scopes in guard.given.values())


def test_an_identity_token_is_exchanged_and_never_shown_to_the_registry(shelves: Shelves, tmp_path: Path) -> None:
    guard = Guard(shelves)
    logged_in(tmp_path, shelves.address, {"identitytoken": "long-lived"})

    pushed_and_pulled(tmp_path, shelves)

    assert guard.forms[0]["grant_type"] == ["refresh_token"]
    assert not [header for _, _, header in shelves.asked if "long-lived" in header]


def test_a_program_that_holds_passwords_is_asked(shelves: Shelves, tmp_path: Path) -> None:
    Guard(shelves)
    helper = tmp_path / "bin/docker-credential-vault"
    helper.parent.mkdir()
    helper.write_text('#!/bin/sh\nread server\nprintf \'{"ServerURL":"%s","Username":"ann","Secret":"hunter2"}\' "$server"\n')
    helper.chmod(0o755)
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"credHelpers": {shelves.address: "vault"}}))

    pushed_and_pulled(tmp_path, shelves)


def test_a_wrong_password_is_told_and_not_shown(shelves: Shelves, tmp_path: Path) -> None:
    Guard(shelves)
    logged_in(tmp_path, shelves.address, {"username": "ann", "password": "s3same"})

    with pytest.raises(Denied, match="gives no token to the login of ann") as refused:
        client(tmp_path, "mine")[0].pull(Reference(shelves.address, "team/shop", "1"))

    assert "s3same" not in str(refused.value)
    assert len(shelves.asked) < 6


@pytest.mark.parametrize(
    ("realm", "error"),
    [
        ("http://registry.example/token", Denied),
        ("file:///etc/passwd", Denied),
        ("http://[", IntegrityFailed),
        ("http://{address}/endless", IntegrityFailed),
        ("http://{address}/html", IntegrityFailed),
    ],
)
def test_a_strange_token_server_is_not_followed(shelves: Shelves, tmp_path: Path, realm: str, error: type[VitrifyError]) -> None:
    challenge = f'Bearer realm="{realm.format(address=shelves.address)}"'
    shelves.rules.append(only("^/v2/", lambda handler: handler.answer(401, WWW_Authenticate=challenge)))
    shelves.rules.append(only("^/endless", lambda handler: handler.answer(200, bytes(1 << 17))))
    shelves.rules.append(only("^/html", lambda handler: handler.answer(200, b"<html>")))

    with pytest.raises(error):
        client(tmp_path, "mine")[0].pull(Reference(shelves.address, "team/shop", "1"))


def test_a_redirect_to_another_host_is_followed_without_the_login(shelves: Shelves, tmp_path: Path) -> None:
    Guard(shelves)
    logged_in(tmp_path, shelves.address, {"auth": BASIC.removeprefix("Basic ")})
    with lying_registry() as storage:
        to = Reference(shelves.address, "team/shop", "1")
        image = tiny_image(tmp_path / "mine/oci", {"/file": TinyFile("x")}, base="scratch")
        client(tmp_path, "mine")[0].push(image, to)
        storage.blobs |= shelves.blobs

        def elsewhere(handler: Handler) -> bool:
            return "Bearer" in handler.headers.get("Authorization", "") and handler.answer(
                307, Location=f"http://{storage.address}{handler.path}?signed=1"
            )

        shelves.rules.insert(0, only("/blobs/sha256", elsewhere, method="GET"))
        assert client(tmp_path, "theirs")[0].pull(to).image.digest == image

    assert len(storage.asked) == 2
    assert {header for _, _, header in storage.asked} == {""}
    assert {path.rpartition("?")[2] for _, path, _ in storage.asked} == {"signed=1"}


@pytest.mark.parametrize(
    ("registry", "plain", "origin"),
    [
        ("registry.example", False, "https://registry.example"),
        ("docker.io", False, "https://registry-1.docker.io"),
        ("registry.example:5000", True, "http://registry.example:5000"),
        ("localhost:5000", False, "http://localhost:5000"),
        ("[::1]:5000", False, "http://[::1]:5000"),
        ("127.0.0.1.example", False, "https://127.0.0.1.example"),
    ],
)
def test_only_this_machine_is_spoken_with_in_the_clear_unasked(registry: str, plain: bool, origin: str) -> None:  # noqa: FBT001  a case
    with closing(Door(registry, Credentials({"HOME": "/nonexistent"}), plain=plain)) as door:
        assert door.origin == origin
