"""A folder and its twin in memory keep a ledger's files by the same promises."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from vitrify.core.diagnostic import Busy, UsageInvalid
from vitrify.stores.directory import DirectoryLedgerStore
from vitrify.testing.ledger_suite import LedgerStoreSuite, Open
from vitrify.testing.memory_ledger import MemoryLedgerStore


class TestMemoryLedger(LedgerStoreSuite):
    @pytest.fixture
    def reopen(self) -> Open:
        store = MemoryLedgerStore()
        return lambda: store


class TestDirectoryLedger(LedgerStoreSuite):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Open:
        return lambda: DirectoryLedgerStore(tmp_path / "project" / "ledger")

    def test_only_the_owner_can_look(self, tmp_path: Path, reopen: Open) -> None:
        reopen().write("tile/0/000", b"x")
        ledger = tmp_path / "project" / "ledger"
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (ledger, ledger / "tile", ledger / "tile/0/000")]
        assert modes == [0o700, 0o700, 0o600]

    def test_an_unfinished_write_is_not_seen_and_is_written_over(self, tmp_path: Path, reopen: Open) -> None:
        store = reopen()
        store.write("checkpoint", b"whole")
        unfinished = tmp_path / "project" / "ledger" / ".checkpoint.new"
        unfinished.write_bytes(b"ha")
        assert (store.paths(""), store.read("checkpoint")) == (("checkpoint",), b"whole")
        store.write("checkpoint", b"next")
        assert not unfinished.exists()

    def test_a_link_in_the_way_of_a_write_is_not_followed(self, tmp_path: Path, reopen: Open) -> None:
        reopen().write("state", b"x")
        victim = tmp_path / "victim"
        victim.write_bytes(b"precious")
        (tmp_path / "project" / "ledger" / "checkpoint").symlink_to(victim)
        reopen().write("checkpoint", b"new")
        assert victim.read_bytes() == b"precious"

    @pytest.mark.parametrize("path", ["../checkpoint", "/etc/passwd", "tile//0", "tile/./0", "", "tile/0\0"])
    def test_a_path_that_leads_elsewhere_is_refused(self, reopen: Open, path: str) -> None:
        with pytest.raises(UsageInvalid):
            reopen().read(path)

    def test_a_second_writer_is_told_who_to_wait_for(self, tmp_path: Path) -> None:
        folder = tmp_path / "ledger"
        with (
            DirectoryLedgerStore(folder).lock(),
            pytest.raises(Busy, match="another process is writing"),
            DirectoryLedgerStore(folder, patience=0.01).lock(),
        ):
            pass
