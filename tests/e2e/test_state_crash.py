"""The state's writers are several processes, and one is really killed: numbers stay whole, nothing half done is seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vitrify.stores.sqlite import SqliteStateStore
from vitrify.testing.state_suite import a_release, an_operation

pytestmark = pytest.mark.e2e

WRITER = """
import sys
from pathlib import Path
from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Busy
from vitrify.ports import Operation, Release, Slots
from vitrify.stores.sqlite import SqliteStateStore

HERE = Host("local")
store, me, count = SqliteStateStore(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
done = 0
while done < count:
    name = f"{me}-{done}"
    try:
        begun = Operation(name, "web", HERE, "release", 0, "", {})
        release, _ = store.begin(Release("web", 0, "sha256:aa", {}, {}, 1.0, "prepared"), begun)
    except Busy:
        continue
    store.finish(name, slots=Slots(live=release.number), states={release.number: "live"})
    print(release.number, flush=True)
    done += 1
store.close()
"""


def writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_processes_that_begin_at_once_share_the_numbers_without_a_gap(tmp_path: Path) -> None:
    running = [writer(tmp_path / "new" / "state.db", str(number), 8) for number in range(3)]
    numbers = [int(line) for process in running for line in process.communicate(timeout=60)[0].split()]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert sorted(numbers) == list(range(1, 25))


@pytest.mark.parametrize("acknowledged", [1, 4, 9])
def test_killed_at_any_moment_the_state_is_that_before_or_after_a_write(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "state.db"
    with writer(path, "busy", 100_000) as killed:
        assert killed.stdout is not None
        last = [int(killed.stdout.readline()) for _ in range(acknowledged)][-1]
        killed.kill()
        last = max([last, *map(int, killed.stdout.read().split())])

    with SqliteStateStore(path) as store:
        left = store.open_operation("web", "local")
        live, newest = store.slots("web", "local").live, store.releases("web")[0].number
        assert live in (last, last + 1)
        assert newest == (live if left is None else live + 1 if live else 1)
        if left is not None:
            store.finish(left.id, slots=None, states={left.release: "aborted"})
        assert store.begin(a_release(), an_operation("next"))[0].number == newest + 1
