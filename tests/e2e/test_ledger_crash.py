"""The ledger's writer is really killed, at every step and at any moment; nothing acknowledged is lost, nothing breaks."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vitrify.core.report import Verified
from vitrify.ledger import keys
from vitrify.ledger.checkpoint import Signer
from vitrify.ledger.log import Log
from vitrify.ledger.verify import Kept, Policy, verify
from vitrify.stores.directory import DirectoryLedgerStore

pytestmark = pytest.mark.e2e

ORIGIN = "vitrify.dev/0123456789abcdef"
STEPS = ("ledger.tiles", "ledger.state", "ledger.checkpoint")

WRITER = """
import os, signal, sys, time
from pathlib import Path
from vitrify.ledger import keys
from vitrify.ledger.log import Log
from vitrify.stores.directory import DirectoryLedgerStore

class Clock:
    now = staticmethod(time.time)

folder, operation, count, step = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]

def reached(name):
    if name == step:
        os.kill(os.getpid(), signal.SIGKILL)

log = Log(DirectoryLedgerStore(folder / "ledger"), origin="ORIGIN", signer=keys.load(folder / "key"), clock=Clock(), reached=reached)
while count:
    print(log.append("apply.intended", {"operation": operation}).sequence, flush=True)
    count -= 1
""".replace("ORIGIN", ORIGIN)


class Noon:
    def now(self) -> float:
        return 1_770_091_506.789


@pytest.fixture
def author(tmp_path: Path) -> Signer:
    return keys.create(tmp_path / "key", name="ada@laptop")


def a_log(folder: Path, author: Signer) -> Log:
    return Log(DirectoryLedgerStore(folder / "ledger"), origin=ORIGIN, signer=author, clock=Noon())


def look(folder: Path, author: Signer, *, held: bytes | None = None) -> Verified:
    store = DirectoryLedgerStore(folder / "ledger")
    return verify(store.read, trust=Policy((str(author.verifier),)), origin=ORIGIN, kept=Kept(held), paths=store.paths(""))


def writer(folder: Path, operation: str, *, count: int = 1, step: str = "") -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", WRITER, str(folder), operation, str(count), step]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": ":".join(sys.path)})


@pytest.mark.parametrize("before", [0, 1, 255])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_the_entry_is_there_once_or_never(tmp_path: Path, author: Signer, step: str, before: int) -> None:
    log = a_log(tmp_path, author)
    log.extend([("plan.made", {"n": number}) for number in range(before)])
    held = log.store.read("checkpoint")

    with writer(tmp_path, "lost", step=step) as killed:
        assert killed.wait(30) == -signal.SIGKILL
    if before:
        assert look(tmp_path, author, held=held).problems == ()

    log.append("apply.intended", {"operation": "again"})
    seen = look(tmp_path, author, held=held)
    assert (seen.problems, seen.details) == ((), {"promised": 0, "unsigned": []})
    assert len(log.find("lost")) == (1 if step in ("ledger.state", "ledger.checkpoint") else 0)
    assert [entry.sequence for entry in log.find("again")] == [seen.size - 1]


@pytest.mark.parametrize("acknowledged", [1, 3, 8, 20])
def test_killed_at_any_moment_no_acknowledged_entry_is_lost(tmp_path: Path, author: Signer, acknowledged: int) -> None:
    with writer(tmp_path, "busy", count=100_000) as killed:
        assert killed.stdout is not None
        last = [int(killed.stdout.readline()) for _ in range(acknowledged)][-1]
        killed.kill()
        last = max([last, *map(int, killed.stdout.read().split())])

    entry = a_log(tmp_path, author).append("apply.intended", {"operation": "again"})
    assert entry.sequence in (last + 1, last + 2)
    assert look(tmp_path, author).problems == ()


def test_writers_of_several_processes_take_turns(tmp_path: Path, author: Signer) -> None:
    running = [writer(tmp_path, f"writer-{number}", count=10) for number in range(3)]
    numbers = [int(line) for process in running for line in process.communicate(timeout=60)[0].split()]
    assert sorted(numbers) == list(range(30))
    assert (look(tmp_path, author).problems, look(tmp_path, author).size) == ((), 30)
    assert [len(a_log(tmp_path, author).find(f"writer-{number}")) for number in range(3)] == [10, 10, 10]
