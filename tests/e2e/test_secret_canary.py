"""A secret is in clear at its destination, and in the root-only undo journal of that host: nowhere else, in nothing we write."""

from __future__ import annotations

from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # brings no types
import pytest

from conftest import BuildShop
from shop import Shop

pytestmark = pytest.mark.e2e

CANARY = "canary-5f0c1b7e-never-shown"
FROM_ENV = "{env: SHOP_PASSWORD}"
SOURCES = [FROM_ENV, "{exec: [printenv, SHOP_PASSWORD]}", "{age: {file: ../password.age, identity: secret:key}}"]
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
    """The value in a file beside the project that only a key opens."""
    identity = pyrage.x25519.Identity.generate()
    (shop.folder.parent / "key.txt").write_text(f"{identity}\n")
    (shop.folder.parent / "password.age").write_bytes(pyrage.encrypt(value.encode(), [identity.to_public()]))


def holders(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()}


def everything(shop: Shop, *commands: tuple[str, ...]) -> str:
    """All that these commands print, on both streams."""
    said = [shop.run(*words, expect=None, SHOP_PASSWORD=CANARY) for words in commands]
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
    shop.run("apply", expect=None, SHOP_PASSWORD=f"{CANARY}-rotated")
    encrypted(shop, CANARY)

    said += everything(shop, ("apply",), *READING, ("undo", "web"), *READING)

    assert CANARY not in said
    found = {name for name in holders(shop.folder) if not name.startswith("machine/var/lib/vitrify/before/")}
    assert found == {"machine/srv/app/password", "machine/etc/vitrify/env/web.env"}
    assert holders(shop.home) == set()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (shop.folder / "machine/var/lib/vitrify").rglob("*"))


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
