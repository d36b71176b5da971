"""What every LedgerStore promises, as tests. An adapter is done when a subclass of this suite passes."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from vitrify.core.diagnostic import UsageInvalid
from vitrify.ledger.stored import LedgerStore

Open = Callable[[], LedgerStore]
"""Opens the same files again, as another process would."""


class LedgerStoreSuite:
    """Subclass it, and give it a fixture `reopen` of type `Open`."""

    def test_nothing_is_there_before_the_first_write(self, reopen: Open) -> None:
        store = reopen()
        assert (store.read("checkpoint"), store.paths(""), store.paths("tile/0")) == (None, (), ())

    def test_what_is_written_is_read_by_all(self, reopen: Open) -> None:
        reopen().write("tile/0/x001/234.p/7", b"\x00\xff")
        assert reopen().read("tile/0/x001/234.p/7") == b"\x00\xff"

    def test_writing_again_replaces(self, reopen: Open) -> None:
        store = reopen()
        store.write("checkpoint", b"a longer first one")
        store.write("checkpoint", b"second")
        assert store.read("checkpoint") == b"second"
        assert store.paths("") == ("checkpoint",)

    def test_paths_lists_a_folder_and_all_below_it_and_nothing_beside_it(self, reopen: Open) -> None:
        store = reopen()
        for path in ("checkpoint", "tile/0/000.p/1", "tile/0/000.p/2", "tile/0/000", "tile/entries/000.p/2"):
            store.write(path, b"x")
        assert store.paths("tile/0/000.p") == ("tile/0/000.p/1", "tile/0/000.p/2")
        assert set(store.paths("tile")) == {"tile/0/000", "tile/0/000.p/1", "tile/0/000.p/2", "tile/entries/000.p/2"}
        assert len(store.paths("")) == 5

    def test_discarding_takes_a_file_or_a_folder_and_is_harmless_twice(self, reopen: Open) -> None:
        store = reopen()
        for path in ("tile/0/000.p/1", "tile/0/000.p/2", "tile/0/001.p/1"):
            store.write(path, b"x")
        for _ in range(2):
            store.discard("tile/0/000.p")
            store.discard("tile/0/001.p/1")
        assert store.paths("") == ()

    def test_a_folder_is_not_a_file(self, reopen: Open) -> None:
        store = reopen()
        store.write("tile/0/000.p/1", b"x")
        assert store.read("tile/0/000.p") is None

    def test_one_writer_at_a_time_holds_the_lock(self, reopen: Open) -> None:
        reopen().write("counter", b"0")

        def count() -> None:
            store = reopen()
            for _ in range(5):
                with store.lock():
                    store.write("counter", str(int(store.read("counter") or b"0") + 1).encode())

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert reopen().read("counter") == b"20"

    def test_the_lock_is_free_again_after_an_error(self, reopen: Open) -> None:
        with pytest.raises(UsageInvalid), reopen().lock():
            raise UsageInvalid("stop")
        with reopen().lock():
            pass
