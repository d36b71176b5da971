"""An author's key is made once and read only where nobody else can."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from vitrify.core.diagnostic import Denied, UsageInvalid, VitrifyError
from vitrify.ledger import keys


def test_a_key_is_kept_for_its_owner_alone_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "author.key"
    made = keys.create(path, name="ada@laptop")
    assert keys.load(path) == made
    assert [stat.S_IMODE(part.stat().st_mode) for part in (path.parent, path)] == [0o700, 0o600]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    first = keys.create(tmp_path / "key", name="ada@laptop")
    with pytest.raises(UsageInvalid, match="already"):
        keys.create(tmp_path / "key", name="ada@laptop")
    assert keys.load(tmp_path / "key") == first


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o666])
def test_a_key_that_others_can_reach_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    keys.create(tmp_path / "key", name="ada@laptop")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(Denied, match="others can reach") as caught:
        keys.load(tmp_path / "key")
    assert caught.value.diagnostics[0].hint == f"chmod 600 {tmp_path / 'key'}"


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageInvalid) as caught:
        keys.load(tmp_path / "key")
    assert "vitrify init" in caught.value.diagnostics[0].hint


def test_a_link_is_not_taken_for_a_key(tmp_path: Path) -> None:
    keys.create(tmp_path / "key", name="ada@laptop")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    with pytest.raises(VitrifyError, match="cannot be read"):
        keys.load(tmp_path / "link")


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff not a key")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(UsageInvalid, match="not the secret key"):
        keys.load(tmp_path / "key")


def test_two_keys_of_one_name_differ() -> None:
    assert keys.generate("ada@laptop").verifier.id != keys.generate("ada@laptop").verifier.id
