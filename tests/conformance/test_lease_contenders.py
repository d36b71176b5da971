"""Many processes want one lease, and some freeze for longer than it holds: nobody acts by a token that was overtaken."""

from __future__ import annotations

import math
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.amount import amount

CONTENDERS = 8
ROUNDS = amount("lease", daily=3)
SECONDS = 0.2
"""How long a lease holds that nobody renews: short, so that much runs out."""
SCRIPT = Path(__file__).with_name("contender.py")


@dataclass
class Contest:
    """The contenders, each replaced by another one of its name where it was ended while it was frozen in the act."""

    folder: Path
    chance: random.Random
    running: dict[int, str] = field(default_factory=dict)
    thaw_at: dict[int, float] = field(default_factory=dict)
    frozen: int = 0
    ended: int = 0

    def begin(self, name: str) -> None:
        """Start one, for the rounds that are left to those of its name."""
        left = ROUNDS - len(self.told(name, "given"))
        if left > 0:
            words = [sys.executable, "-P", str(SCRIPT), str(self.folder), name, str(left), str(SECONDS), str(self.chance.random())[2:]]
            self.running[os.posix_spawn(sys.executable, words, {**os.environ, "PYTHONPATH": ":".join(sys.path)})] = name

    def watch(self) -> None:
        """Until all have ended: let those that froze go on once what they had has run out, and replace those that were ended."""
        deadline = time.monotonic() + 60 + 5 * ROUNDS
        while self.running:
            assert time.monotonic() < deadline, f"they do not end: {self.running}"
            for pid in list(self.running):
                self._look(pid)
            time.sleep(0.005)

    def _look(self, pid: int) -> None:
        known, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if known and os.WIFSTOPPED(status):
            self.frozen += 1
            self.thaw_at[pid] = time.monotonic() + self.chance.uniform(1.5, 4) * SECONDS
        elif known:
            name = self.running.pop(pid)
            self.thaw_at.pop(pid, None)
            assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"{name} failed"
            self.ended += os.WIFSIGNALED(status)
            self.begin(name)
        elif self.thaw_at.get(pid, math.inf) < time.monotonic():
            del self.thaw_at[pid]
            os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """End what a failure left."""
        for pid in self.running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def told(self, name: str, what: str) -> list[int]:
        """The tokens that those of this name were given, or lost."""
        path = self.folder / name
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [int(token) for word, token in lines if word == what]


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_no_token_is_acted_by_twice_and_none_after_a_newer_one(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    (tmp_path / "leases").mkdir(mode=0o700)
    contest = Contest(tmp_path, random.Random(random.getrandbits(64)))  # noqa: S311  pytest prints its seed
    names = [f"contender-{number}" for number in range(CONTENDERS)]
    for name in names:
        contest.begin(name)
    try:
        contest.watch()
    finally:
        contest.close()

    commits = [(int(token), name) for token, name in (line.split() for line in (tmp_path / "commits").read_text().splitlines())]
    tokens = [token for token, _ in commits]
    given = {token: name for name in names for token in contest.told(name, "given")}
    lost = {token for name in names for token in contest.told(name, "lost")}
    record_property("note", _figures(contest, commits=len(commits), given=len(given), lost=len(lost)))
    assert len(given) == CONTENDERS * ROUNDS, "a token was given twice"
    assert tokens == sorted(tokens), "by a token it was acted after a newer one"
    assert max(Counter(tokens).values()) <= 2, "by a token it was acted more often than its holder did"
    assert all(given[token] == name for token, name in commits), "somebody acted by another one's token"
    assert all(tokens.count(token) < 2 for token in lost), "what was lost was acted by"
    assert len(commits) >= len(given) // 2


def _figures(contest: Contest, *, commits: int, given: int, lost: int) -> str:
    told = (
        f"{CONTENDERS} contenders, {given} leases: {commits} acted by once, {lost} lost by who was away, {contest.ended} ended in the act"
    )
    return f"{told}; frozen {contest.frozen} times, acted by by another one, or out of order: 0"
