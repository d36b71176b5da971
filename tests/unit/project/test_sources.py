"""Every place that a secret can come from. The files in `vaults/` were written by ansible-vault itself; `correct horse` opens them."""

from __future__ import annotations

import builtins
import shutil
from collections.abc import Mapping
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # brings no types
import pytest
from tests.trial import Project

from vitrify.core.diagnostic import VitrifyError
from vitrify.project.secrets import DeclaredSecrets
from vitrify.project.sources import Age, Environment, File, Program, Sops, Source, Vault

VAULTS = Path(__file__).with_name("vaults")
CANARY = "canary-5f0c1b7e"
PASSWORD = Environment("PASSWORD")
ENVIRON = {"PATH": "/usr/bin:/bin", "PASSWORD": "correct horse\n"}


def secrets(folder: Path, environ: Mapping[str, str] = ENVIRON, **sources: Source) -> DeclaredSecrets:
    return DeclaredSecrets({"password": PASSWORD, **sources}, folder, environ)


def refused(known: DeclaredSecrets, name: str = "it") -> str:
    """Everything that the error tells, which never holds the value."""
    with pytest.raises(VitrifyError) as error:
        known.resolve(name)
    told = f"{error.value}{error.value!r}{error.value.__cause__}{error.value.__context__}"
    assert CANARY not in told
    return told


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_program_tells_a_secret_in_the_folder_of_the_project_and_without_a_shell(tmp_path: Path) -> None:
    known = secrets(tmp_path, it=Program(("printf", "%s|%s\n", "$HOME; a b", "x")), here=Program(("pwd",)))

    assert known.resolve("it") == "$HOME; a b|x"
    assert known.resolve("here") == str(tmp_path)


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("sh", "-c", f"echo {CANARY}; echo {CANARY} >&2; exit 3"), "`sh` ended with 3"),
        (("sh", "-c", f"printf '{CANARY}\\377'"), "what `sh` prints is not text"),
        (("no-such-program",), "there is no program `no-such-program`"),
        (("sh", "a\0b"), "`sh` cannot be run"),
    ],
)
def test_a_program_that_fails_is_told_without_what_it_said(tmp_path: Path, argv: tuple[str, ...], why: str) -> None:
    assert why in refused(secrets(tmp_path, it=Program(argv)))


def test_a_file_may_be_in_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("one\n")

    assert secrets(tmp_path / "elsewhere", {"HOME": str(tmp_path)}, it=File("~/key")).resolve("it") == "one"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (Vault("whole.vault", "password"), "whole-file-secret"),
        (Vault("labelled.vault", "password", "db.password"), "from-yaml"),
        (Vault("labelled.vault", "password", "db.port"), "5432"),
        (Vault("values.yml", "password", "db_password"), "inline-secret"),
        (Vault("values.yml", "password", "user"), "shop"),
    ],
)
def test_what_ansible_vault_closed_is_read(source: Vault, value: str) -> None:
    assert secrets(VAULTS, it=source).resolve("it") == value


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("1.1;AES256", "1.1;AES256"), "the vault does not open"),
        (("$ANSIBLE_VAULT;1.1;AES256", "$ANSIBLE_VAULT;1.0;AES"), "this is a vault of the form 1.0;AES"),
        (("$ANSIBLE_VAULT;1.1;AES256", "$ANSIBLE_VAULT;1.1"), "this is not an Ansible vault"),
        (("323032", "zz3032"), "the vault is damaged"),
        (("32303261", "3230326"), "the vault is damaged"),
    ],
)
def test_a_vault_that_does_not_open_says_why(tmp_path: Path, change: tuple[str, str], why: str) -> None:
    (tmp_path / "v").write_text((VAULTS / "whole.vault").read_text().replace(*change))
    password = "wrong" if why.endswith("open") else "correct horse"

    assert why in refused(secrets(tmp_path, {"PASSWORD": password}, it=Vault("v", "password")))


def test_a_vault_whose_content_was_changed_does_not_open(tmp_path: Path) -> None:
    text = (VAULTS / "whole.vault").read_text()
    (tmp_path / "v").write_text(text.replace("39636230", "39636231"))

    assert "the vault does not open" in refused(secrets(tmp_path, it=Vault("v", "password")))


@pytest.mark.parametrize(
    ("key", "why"), [("db.pass", "there is no key `pass`"), ("db", "the value of `db` is not text"), ("db.port.x", "there is no key `x`")]
)
def test_a_key_that_leads_to_no_text_is_told(key: str, why: str) -> None:
    assert why in refused(secrets(VAULTS, it=Vault("labelled.vault", "password", key)))


def test_age_opens_for_an_identity(tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "a").write_bytes(pyrage.encrypt(b"one\n", [identity.to_public()]))
    (tmp_path / "b").write_bytes(pyrage.encrypt(b"two\n", [identity.to_public()], armored=True))
    environ = {**ENVIRON, "KEY": f"# created: today\n# public key: …\n{identity}\n"}

    known = secrets(tmp_path, environ, key=Environment("KEY"), a=Age("a", "key"), b=Age("b", "key"))

    assert [known.resolve(name) for name in "ab"] == ["one", "two"]


@pytest.mark.parametrize("key", ["AGE-SECRET-KEY-1CANARY", "-----BEGIN OPENSSH PRIVATE KEY-----\nzz", ""])
def test_an_age_file_that_does_not_open_is_told_without_the_key(tmp_path: Path, key: str) -> None:
    (tmp_path / "a").write_bytes(pyrage.encrypt(CANARY.encode(), [pyrage.x25519.Identity.generate().to_public()]))

    told = refused(secrets(tmp_path, {"KEY": key}, key=Environment("KEY"), it=Age("a", "key")))

    assert "a does not open" in told
    assert "AGE-SECRET-KEY-1CANARY" not in told


def test_without_pyrage_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "pyrage":
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)

    assert "pip install 'vitrify[age]'" in refused(secrets(tmp_path, it=Age("a", "password")))


def test_sops_is_asked_for_one_value_or_for_the_whole_file(tmp_path: Path) -> None:
    program(tmp_path, "sops", 'printf "%s\\n" "$*"')
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}

    known = secrets(tmp_path, environ, one=Sops("s.yaml", "db.0.password"), all=Sops("s.env"))

    assert known.resolve("one") == '--decrypt --extract ["db"][0]["password"] s.yaml'
    assert known.resolve("all") == "--decrypt s.env"


def test_without_sops_the_error_names_the_program(tmp_path: Path) -> None:
    assert "there is no program `sops`" in refused(secrets(tmp_path, {"PATH": str(tmp_path)}, it=Sops("s.yaml")))


def test_secrets_that_open_each_other_are_told_as_a_circle(tmp_path: Path) -> None:
    shutil.copy(VAULTS / "whole.vault", tmp_path)

    told = refused(secrets(tmp_path, it=Vault("whole.vault", "other"), other=Vault("whole.vault", "it")))

    assert "these secrets open each other in a circle: `it` -> `other` -> `it`" in told


@pytest.mark.parametrize(
    ("source", "expected", "rest"),
    [
        ("{exec: pass show it}", "3:25 expected a list, not text", ""),
        ("{exec: []}", "3:25 nothing is written here", ""),
        ("{age: {file: a}}", "3:24 age opens a file in one way", "identity: secret:NAME"),
        ("{age: {file: a, identity: AGE-SECRET-KEY-1}}", "3:44 what opens a secret is a secret itself", "`secret:NAME`"),
        ("{ansible_vault: {file: a, pasword: x}}", "3:19 the key `password` is missing", "secret:vault_password"),
        ("{ansible_vault: {file: a, password: x}}", "3:54 what opens a secret is a secret itself", ""),
        ("{sops: {file: a, kee: x}}", "3:35 there is no key `kee`", "did you mean `key`?"),
        ("{env: A, exec: [b]}", "3:11 a secret comes from one place", ""),
    ],
)
def test_a_wrong_source_is_told_where_it_stands(project: Project, source: str, expected: str, rest: str) -> None:
    problems = project.problems(project.server("- directory: /x", head=f"secrets: {{token: {source}}}"))

    found = {f"{one.where.line}:{one.where.column} {one.summary}": one.hint for one in problems if one.where}
    assert expected in found
    assert rest in found[expected]


def test_a_secret_from_any_place_is_a_keyed_content(project: Project) -> None:
    project.file("v", (VAULTS / "whole.vault").read_text())
    head = "secrets: {token: {ansible_vault: {file: v, password: secret:p}}, p: {exec: [echo, correct horse]}}"

    server = project.load(project.server("- file: {path: /x, content: secret:token}", head=head), environ=ENVIRON).servers[0]

    digest = str(server.resources[0].fields["content"])
    assert digest.startswith("hmac-sha256:")
    assert server.resources[0].secret
    assert server.contents[digest].data == b"whole-file-secret"
