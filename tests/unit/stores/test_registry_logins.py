from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from vitrify.core.diagnostic import Denied
from vitrify.stores.registry.challenge import Challenge, challenges
from vitrify.stores.registry.credentials import Credentials, Login

ANN, BOB = Login("ann", "a:1"), Login("bob", "b")


def auth(login: Login) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{login.user}:{login.password}".encode()).decode()}


def written(path: Path, **content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}


def test_nobody_logged_in_anywhere(environ: dict[str, str]) -> None:
    assert Credentials(environ).login("registry.example", "team/shop") is None


@pytest.mark.parametrize("place", [".docker/config.json", ".config/containers/auth.json"])
def test_logins_of_docker_and_of_podman_are_found(environ: dict[str, str], tmp_path: Path, place: str) -> None:
    written(tmp_path / place, auths={"registry.example": auth(ANN)})

    assert Credentials(environ).login("registry.example", "team/shop") == ANN
    assert Credentials(environ).login("other.example", "team/shop") is None


def test_the_most_exact_login_counts_and_a_named_file_alone(environ: dict[str, str], tmp_path: Path) -> None:
    written(tmp_path / ".config/containers/auth.json", auths={"registry.example": auth(ANN), "registry.example/team": auth(BOB)})
    other = written(tmp_path / "other.json", auths={"registry.example": {"identitytoken": "secret"}})

    assert Credentials(environ).login("registry.example", "team/shop") == BOB
    assert Credentials(environ).login("registry.example", "shop") == ANN
    named = Credentials({**environ, "REGISTRY_AUTH_FILE": str(other)}).login("registry.example", "team/shop")
    assert named == Login("", "", identity="secret")
    assert "secret" not in repr(named)


def test_the_hub_is_found_under_the_name_that_docker_gives_it(environ: dict[str, str], tmp_path: Path) -> None:
    written(tmp_path / ".docker/config.json", auths={"https://index.docker.io/v1/": auth(ANN)})

    assert Credentials(environ).login("docker.io", "library/debian") == ANN


@pytest.mark.parametrize("name", ["gone", "../evil", "a/b", ""])
def test_a_program_that_is_not_there_or_no_plain_name_is_not_run(environ: dict[str, str], tmp_path: Path, name: str) -> None:
    written(tmp_path / ".docker/config.json", credHelpers={"registry.example": name})

    with pytest.raises(Denied, match="docker-credential-"):
        Credentials(environ).login("registry.example", "shop")


def test_a_file_that_cannot_be_read_is_told_without_its_content(environ: dict[str, str], tmp_path: Path) -> None:
    path = written(tmp_path / ".docker/config.json")
    path.write_text('{"auths": hunter2')

    with pytest.raises(Denied, match="not JSON") as refused:
        Credentials(environ).login("registry.example", "shop")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("entry", [{"auth": "###"}, {"auth": "bm9jb2xvbg=="}, {"auth": "/w=="}, {}, [], "x", {"username": "u"}])
def test_a_malformed_login_is_none(environ: dict[str, str], tmp_path: Path, entry: object) -> None:
    written(tmp_path / ".docker/config.json", auths={"registry.example": entry})

    assert Credentials(environ).login("registry.example", "shop") is None


def test_a_challenge_is_read_with_its_quotes_and_commas() -> None:
    header = 'Bearer realm="https://a.example/t?x=\\"1\\"",service=reg,scope="repository:a/b:pull,push", Basic realm="b"'

    assert challenges(header) == (
        Challenge("bearer", {"realm": 'https://a.example/t?x="1"', "service": "reg", "scope": "repository:a/b:pull,push"}),
        Challenge("basic", {"realm": "b"}),
    )
    assert challenges("") == ()
    assert challenges("Negotiate") == (Challenge("negotiate"),)
