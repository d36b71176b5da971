"""SQLite and its twin in memory keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from vitrify.stores.sqlite import SqliteStateStore
from vitrify.testing.memory_state import MemoryStateStore
from vitrify.testing.state_suite import Open, StateStoreSuite


class TestMemoryState(StateStoreSuite):
    @pytest.fixture
    def reopen(self) -> Open:
        store = MemoryStateStore()
        return lambda: store


class TestSqliteState(StateStoreSuite):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Iterator[Open]:
        with ExitStack() as stack:
            yield lambda: stack.enter_context(SqliteStateStore(tmp_path / "project" / "state.db"))
