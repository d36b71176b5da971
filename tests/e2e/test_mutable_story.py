"""A folder converged as a server, through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import BuildShop
from shop import Shop

pytestmark = pytest.mark.e2e


def machine(shop: Shop) -> Path:
    return shop.folder / "machine"


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not name.startswith("var/lib/vitrify") and name not in ("var", "var/lib"):
            status = path.lstat()
            found[name] = (status.st_mode, status.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
    return found


def test_a_converged_folder_needs_nothing_more(build_shop: BuildShop) -> None:
    shop = build_shop(lifecycle="mutable")

    first = shop.run("apply")
    again = shop.run("plan", "--detailed-exitcode")

    assert (machine(shop) / "srv/app/greeting.txt").read_text() == "one\n"
    assert "5 to add" in first.stdout + first.stderr
    assert "No changes" in again.stdout


def test_a_hand_made_change_is_found_put_back_and_undone(build_shop: BuildShop) -> None:
    shop = build_shop(lifecycle="mutable")
    before = snapshot(machine(shop))
    shop.run("apply")
    converged = snapshot(machine(shop))
    (machine(shop) / "srv/app/serve.py").write_text("intruder\n")
    (machine(shop) / "srv/app/added.txt").write_text("intruder\n")

    audited = shop.document("audit", "--detailed-exitcode", expect=2)
    findings = {finding["path"]: finding for finding in audited["findings"]}
    shop.run("apply")
    (machine(shop) / "srv/app/added.txt").unlink()

    assert findings["/srv/app/serve.py"]["class"] == "unauthorised"
    assert findings["/srv/app/added.txt"]["change"] == "added"
    assert {name: entry[0::2] for name, entry in snapshot(machine(shop)).items()} == {
        name: entry[0::2] for name, entry in converged.items()
    }
    shop.run("undo", "web")
    assert (machine(shop) / "srv/app/serve.py").read_text() == "intruder\n"
    shop.run("undo", "web", "--force")
    assert snapshot(machine(shop)) == before


def test_what_leaves_the_declaration_leaves_the_folder_if_it_was_created(build_shop: BuildShop) -> None:
    shop = build_shop(lifecycle="mutable")
    (machine(shop) / "srv").mkdir()
    shop.run("apply")
    declaration = (shop.folder / "vitrify.yaml").read_text()
    kept = "\n".join(line for line in declaration.splitlines() if "greeting.txt" not in line and "directory: /srv\n" not in f"{line}\n")
    (shop.folder / "vitrify.yaml").write_text(kept)

    planned = shop.run("plan").stdout
    shop.run("apply")

    assert "left the declaration" in planned
    assert not (machine(shop) / "srv/app/greeting.txt").exists()
    assert (machine(shop) / "srv").is_dir(), "what was adopted is never removed"


def test_a_saved_plan_is_applied_exactly_or_refused(build_shop: BuildShop) -> None:
    shop = build_shop(lifecycle="mutable")
    shop.run("plan", "-o", "plan.json")
    document = json.loads((shop.folder / "plan.json").read_text())
    shop.declare(greeting="two")

    refused = shop.run("apply", "plan.json", expect=1)
    shop.declare(greeting="one")
    shop.run("apply", "plan.json")

    assert document["schema"] == "vitrify.dev/plan/v1"
    assert "the declaration changed" in refused.stderr
    assert (machine(shop) / "srv/app/greeting.txt").read_text() == "one\n"


def test_status_tells_who_applied_what(build_shop: BuildShop) -> None:
    shop = build_shop(lifecycle="mutable")
    shop.run("apply")

    (server,) = shop.document("status")["servers"]

    assert (server["name"], server["lifecycle"], server["owned"]) == ("web", "mutable", 5)
    assert server["last_by"]
    assert server["unfinished"] == ""


def test_a_ledger_that_was_touched_does_not_verify(build_shop: BuildShop) -> None:
    shop = build_shop(lifecycle="mutable")
    shop.run("apply")
    shop.run("ledger", "verify")
    bundle = max(path for path in shop.home.glob("projects/*/ledger/tile/entries/**/*") if path.is_file())
    content = bytearray(bundle.read_bytes())
    content[40] ^= 1
    bundle.chmod(0o600)
    bundle.write_bytes(bytes(content))

    refused = shop.run("ledger", "verify", expect=8)

    assert "entry" in refused.stderr + refused.stdout
