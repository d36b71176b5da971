"""A secret is in clear at its destination, and in the root-only undo journal of that host: nowhere else, in nothing we write."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # brings no types
import pytest

from conftest import BuildShop
from disks import Disks
from locked import programs
from postgres_server import LACKING, OWNER, started
from shop import Shop

pytestmark = pytest.mark.e2e

CANARY = "canary-5f0c1b7e-never-shown"
FROM_ENV = "{env: SHOP_PASSWORD}"
SOPS = "{sops: {file: ../password.yaml, key: shop.password}}"
SOURCES = [FROM_ENV, "{exec: [printenv, SHOP_PASSWORD]}", "{age: {file: ../password.age, identity: secret:key}}", SOPS]
EXTRA = """
secrets:
  password: {source}
  key: {{file: ../key.txt}}
"""


def with_secrets(shop: Shop, *, in_file: bool, source: str = FROM_ENV) -> None:
    encrypted(shop, CANARY)
    path = shop.folder / "vitrify.yaml"
    text = path.read_text().replace("port: 8000}", 'port: 8000, env: {PASSWORD: "secret:password"}}') + EXTRA.format(source=source)
    if in_file:
        text = text.replace(
            "      - process:", '      - file: {path: /srv/app/password, content: "secret:password", mode: "0600"}\n      - process:'
        )
    path.write_text(text)


def encrypted(shop: Shop, value: str) -> None:
    """The value in two files beside the project that only a key opens: of age itself, and of sops."""
    identity = pyrage.x25519.Identity.generate()
    (shop.folder.parent / "key.txt").write_text(f"{identity}\n")
    (shop.folder.parent / "password.age").write_bytes(pyrage.encrypt(value.encode(), [identity.to_public()]))
    sops = [str(programs("sops") / "sops"), "encrypt", "--age", str(identity.to_public()), "--filename-override", "password.yaml"]
    done = subprocess.run(sops, input=f"shop: {{password: {value}}}\n".encode(), check=True, capture_output=True)
    (shop.folder.parent / "password.yaml").write_bytes(done.stdout)


def at_hand(shop: Shop, password: str = CANARY) -> dict[str, str]:
    """The environment in which each source finds its secret."""
    path = f"{programs('sops')}:{os.environ['PATH']}"
    return {"SHOP_PASSWORD": password, "PATH": path, "SOPS_AGE_KEY_FILE": str(shop.folder.parent / "key.txt")}


def holders(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()}


def everything(shop: Shop, *commands: tuple[str, ...]) -> str:
    """All that these commands print, on both streams."""
    said = [shop.run(*words, expect=None, **at_hand(shop)) for words in commands]
    return "".join(result.stdout + result.stderr for result in said)


READING = [
    ("plan",),
    ("plan", "-o", "json"),
    ("plan", "-o", "plan.json"),
    ("status",),
    ("audit", "-o", "json"),
    ("ledger", "show", "-o", "json"),
]


@pytest.mark.parametrize("source", SOURCES)
def test_on_a_folder_the_secret_is_at_its_destination_and_in_the_undo_journal_alone(build_shop: BuildShop, source: str) -> None:
    shop = build_shop(lifecycle="mutable")
    with_secrets(shop, in_file=True, source=source)
    said = everything(shop, *READING, ("apply",))
    encrypted(shop, f"{CANARY}-rotated")
    shop.run("apply", expect=0, **at_hand(shop, f"{CANARY}-rotated"))
    encrypted(shop, CANARY)

    said += everything(shop, ("apply",), *READING, ("undo", "web"), *READING)

    assert CANARY not in said
    found = {name for name in holders(shop.folder) if not name.startswith("machine/var/lib/vitrify/before/")}
    assert found == {"machine/srv/app/password", "machine/etc/vitrify/env/web.env"}
    assert holders(shop.home) == set()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (shop.folder / "machine/var/lib/vitrify").rglob("*"))


HASH = f"$6$canary$CanaryHashThatIsNeverShown{'x' * 60}"
SCRIPT = f"#!/bin/sh\n: {CANARY}\n"
ACCOUNTS = """
      - user: {name: app, password: "secret:hash", create_home: false}
      - file: {path: /etc/app.ini, mode: "0600"}
      - ini: {path: /etc/app.ini, section: db, option: password, value: "secret:password"}
      - file: {path: /etc/app.conf, mode: "0600"}
      - block: {path: /etc/app.conf, content: "secret:password"}
"""
NEVER_MADE = """
      - debconf: {question: shop/password, package: shop, vtype: password, value: "secret:password"}
      - postgres_user: {name: shop, password: "secret:password"}
      - script: {name: set-up, content: "secret:script", creates: /var/done}
"""
FROM_MANY = "secrets: {password: {env: SHOP_PASSWORD}, hash: {env: SHOP_HASH}, script: {env: SHOP_SCRIPT}}\n"


def with_kinds(shop: Shop, lines: str) -> None:
    """The shop with these resources before its process, on a machine that knows who root is."""
    path, etc = shop.folder / "vitrify.yaml", shop.folder / "machine/etc"
    path.write_text(path.read_text().replace("      - process:", f"{lines.strip(chr(10))}\n      - process:") + FROM_MANY)
    etc.mkdir(exist_ok=True)
    (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (etc / "group").write_text("root:x:0:\n")
    (etc / "shadow").write_text("root:*:19000:0:99999:7:::\n")
    (etc / "shadow").chmod(0o640)


def with_all(shop: Shop, *commands: tuple[str, ...], password: str = CANARY, script: str = SCRIPT) -> str:
    """All that these commands print, with every secret at hand."""
    said = [shop.run(*words, expect=None, SHOP_PASSWORD=password, SHOP_HASH=HASH, SHOP_SCRIPT=script) for words in commands]
    return "".join(result.stdout + result.stderr for result in said)


def shown(text: str) -> list[str]:
    """Which of the secrets a text holds."""
    return [secret for secret in (CANARY, HASH, HASH.rpartition("$")[2]) if secret in text]


def keepers(folder: Path) -> set[str]:
    """The files that hold any of the secrets, but for the undo journal."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and shown(path.read_bytes().decode("latin-1"))}
    return {name for name in found if not name.startswith("machine/var/lib/vitrify/before/")}


def test_accounts_options_and_blocks_keep_their_secrets_where_they_belong_alone(build_shop: BuildShop) -> None:
    shop = build_shop(lifecycle="mutable")
    with_kinds(shop, ACCOUNTS)

    said = with_all(shop, *READING, ("apply",), ("plan", "-v"))
    assert keepers(shop.folder) == {"machine/etc/shadow", "machine/etc/app.ini", "machine/etc/app.conf"}
    said += with_all(shop, ("plan",), ("apply",), password=f"{CANARY}-rotated")
    (shop.folder / "machine/etc/app.ini").chmod(0o644)
    said += with_all(shop, *READING, ("audit", "--full"), ("apply", "-v"), ("undo", "web"), *READING)

    assert shown(said) == []
    assert keepers(shop.folder) == {"machine/etc/shadow", "machine/etc/app.ini", "machine/etc/app.conf"}
    assert keepers(shop.home) == set()


def test_what_cannot_be_made_says_why_without_its_secret(build_shop: BuildShop) -> None:
    shop = build_shop(lifecycle="mutable")
    with_kinds(shop, NEVER_MADE)

    said = with_all(shop, *READING, ("apply",), ("ledger", "show", "-v"), ("plan", "-v"), ("apply", "-o", "json"))

    assert "debconf:shop/password" in said
    assert "postgres_user:shop" in said
    assert "script:set-up" in said
    assert "failed" in said
    assert shown(said) == []
    assert keepers(shop.folder) == set()
    assert keepers(shop.home) == set()


MADE = """
version: 1
project: shop
servers:
  web:
    lifecycle: mutable
    hosts: [local]
    resources:
      - debconf: {{question: shop/password, package: shop, vtype: password, value: "secret:password"}}
      - postgres_user: {{name: shop, password: "secret:password", socket: {socket}, port: {port}, user: {owner}}}
      - script: {{name: set-up, content: "secret:script", creates: /var/done}}
"""
RUN_ONCE = f"{SCRIPT}echo made > /var/done\n"


@pytest.mark.root
@pytest.mark.skipif(bool(LACKING), reason=LACKING or "it is installed")
def test_answers_roles_and_scripts_leave_their_secrets_where_they_belong_alone(build_shop: BuildShop, disks: Disks) -> None:
    shop = build_shop(lifecycle="mutable")
    own = shop.folder.parent / "var"
    shop.within = (*disks.within, str(shop.folder))
    own.mkdir()
    disks.mount("-t", "tmpfs", "none", own)
    for name in ("upper", "spare"):
        disks.seen(own / name).mkdir()
    # What this machine has in /var is seen, and what is written there is the test's alone.
    disks.mount("-t", "overlay", "overlay", "-o", f"lowerdir=/var,upperdir={own}/upper,workdir={own}/spare", "/var")
    with started() as server:
        declared = MADE.format(socket=server.folder, port=server.port, owner=OWNER)
        (shop.folder / "vitrify.yaml").write_text(declared + FROM_MANY)

        said = with_all(shop, ("plan",), ("apply", "-v"), ("plan", "-v"), ("apply", "-o", "json"), script=RUN_ONCE)
        assert server.sql("SELECT 1", user="shop", password=CANARY).stdout == "1\n"
        said += with_all(shop, ("apply", "-v"), password=f"{CANARY}-rotated", script=RUN_ONCE)
        assert server.sql("SELECT 1", user="shop", password=f"{CANARY}-rotated").stdout == "1\n"
        said += with_all(shop, *READING, ("audit", "--full"), ("undo", "web"), ("ledger", "show", "-v"), script=RUN_ONCE)
        assert keepers(server.folder) == set()

    written = disks.seen(own / "upper")
    assert (written / "done").read_text() == "made\n"
    assert shown(said) == []
    assert keepers(written) == {"cache/debconf/passwords.dat"}
    assert keepers(shop.folder) == set()
    assert keepers(shop.home) == set()


def test_a_release_keeps_the_secret_in_the_environment_file_of_its_instances_alone(build_shop: BuildShop) -> None:
    shop = build_shop()
    with_secrets(shop, in_file=False)

    said = everything(shop, *READING, ("apply",), *READING, ("logs", "web"), ("releases", "web", "-o", "json"))

    assert shop.get()[0] == 200
    assert CANARY not in said
    assert holders(shop.folder) == set()
    assert {Path(name).name for name in holders(shop.home)} == {"environment"}
    arguments = b"".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    assert CANARY.encode() not in arguments


def test_a_file_that_holds_a_secret_is_refused_in_an_image(build_shop: BuildShop) -> None:
    shop = build_shop()
    with_secrets(shop, in_file=True)

    refused = shop.run("plan", expect=65, SHOP_PASSWORD=CANARY)

    assert "vitrify.yaml:" in refused.stderr
    assert CANARY not in refused.stderr
