"""What a bake leaves on disk is plain, and layers beneath get their owners back while another one is baked upon them."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from vitrify.core.digest import JSONObject
from vitrify.onhost.owners import flatten, given_back

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def modes(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Every path with its mode and owner."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[f"/{path.relative_to(folder)}"] = (f"{stat.S_IMODE(status.st_mode):04o}", status.st_uid, status.st_gid)
    return found


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A folder as a bake may leave it."""
    root = tmp_path / "lower"
    (root / "usr/bin").mkdir(parents=True, mode=0o755)
    (root / "usr/bin/su").write_text("su")
    (root / "usr/bin/su").chmod(0o4755)
    (root / "usr/bin/ls").write_text("ls")
    (root / "usr/bin/ls").chmod(0o755)
    (root / "closed").mkdir(mode=0o100)
    (root / "link").symlink_to("usr/bin/su")
    return root


def over(tmp_path: Path, layer: Path, table: JSONObject) -> JSONObject:
    (tmp_path / "upper").mkdir()
    (tmp_path / "owners.json").write_text(json.dumps(table))
    return {"scope": {"root": str(tmp_path / "upper"), "lower": [str(layer)]}, "owners": [str(tmp_path / "owners.json")]}


def test_set_id_bits_and_closed_folders_become_plain_and_are_told(layer: Path) -> None:
    table = flatten(str(layer))

    assert {path: row["mode"] for path, row in table.items() if isinstance(row, dict)} == {"/usr/bin/su": "4755", "/closed": "0100"}
    assert modes(layer)["/usr/bin/su"][0] == "0755"
    assert modes(layer)["/closed"][0] == "0700"
    assert flatten(str(layer)) == {}


def test_what_is_not_plain_lies_in_a_layer_of_its_own_for_as_long_as_the_bake_lasts(tmp_path: Path, layer: Path) -> None:
    arguments = over(tmp_path, layer, flatten(str(layer)))

    with given_back(arguments) as given:
        scope = given["scope"]
        assert isinstance(scope, dict)
        assert isinstance(scope["lower"], list)
        above, beneath = (Path(str(folder)) for folder in scope["lower"])
        assert beneath == layer
        assert {path: mode for path, (mode, _, _) in modes(above).items()} == {
            "/closed": "0100",
            "/usr": "0755",
            "/usr/bin": "0755",
            "/usr/bin/su": "4755",
        }
        assert (above / "usr/bin/su").read_text() == "su"

    assert not above.exists()


@ROOT
def test_owners_become_plain_and_come_back(tmp_path: Path, layer: Path) -> None:
    os.chown(layer / "usr/bin", 33, 34)
    os.chown(layer / "usr/bin/su", 12, 0)
    (layer / "usr/bin/su").chmod(0o2711)
    os.chown(layer / "link", 33, 33, follow_symlinks=False)
    before = modes(layer)
    table = flatten(str(layer))
    assert {(uid, gid) for _, uid, gid in modes(layer).values()} == {(0, 0)}

    with given_back(over(tmp_path, layer, table)) as given:
        scope = given["scope"]
        assert isinstance(scope, dict)
        assert isinstance(scope["lower"], list)
        found = modes(Path(str(scope["lower"][0])))

    assert found == {path: row for path, row in before.items() if path != "/usr/bin/ls"}


def test_a_table_that_leads_through_a_link_gives_nothing_back(tmp_path: Path, layer: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/shadow").write_text("theirs")
    (layer / "etc").symlink_to(tmp_path / "outside")

    with given_back(over(tmp_path, layer, {"/etc/shadow": {"mode": "4755", "uid": 0, "gid": 0}})) as given:
        scope = given["scope"]
        assert isinstance(scope, dict)
        assert isinstance(scope["lower"], list)
        assert modes(Path(str(scope["lower"][0]))) == {}


def test_who_sends_no_tables_bakes_as_ever(tmp_path: Path, layer: Path) -> None:
    arguments: JSONObject = {"scope": {"root": str(tmp_path), "lower": [str(layer)]}}

    with given_back(arguments) as given:
        assert given == arguments
