"""One of many processes that want the same lease: `FOLDER NAME ROUNDS SECONDS SEED`. Freezes itself now and then, as a laptop does.

As rollouts do, it acquires first and acts by the token then; or as a batch of hosts does that are changed in place, it takes the lease in
the very call that acts, keeps it, and is judged by the same token. Writes to `FOLDER/NAME`: `given TOKEN`, `lost TOKEN`; and to
`FOLDER/commits` what it does by a token: `TOKEN NAME`.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vitrify.core.diagnostic import Busy
from vitrify.onhost.lease import Leases, Wish
from vitrify.onhost.memory import Memory

AWAY, IN_THE_ACT = "away", "in the act"
IN_PLACE = 0.5
"""How often it takes its lease as a batch in place does."""


def main(folder: Path, name: str, rounds: int, seconds: float, seed: int) -> None:
    """Take part until so many rounds are over: each is a lease that was had, whatever became of it."""
    chance = random.Random(seed)  # noqa: S311  which round it freezes in is no secret
    leases = Leases(Memory(str(folder / "leases"), within=str(folder)), "0123456789abcdef", "web")
    told = os.open(folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    commits = os.open(folder / "commits", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    while rounds > 0:
        wish = Wish(name, "round", seconds=seconds, kept=chance.random() < IN_PLACE)
        freezes = chance.choices((AWAY, IN_THE_ACT, ""), (1, 1, 12))[0]

        def act(token: int, *, freezing: bool) -> None:
            freeze(freezing)
            os.write(commits, f"{token} {name}\n".encode())

        try:
            token = taken(leases, wish, told, act, frozen=freezes == IN_THE_ACT)
        except Busy:
            time.sleep(chance.uniform(0.002, 0.02))
            continue
        try:
            freeze(freezes == AWAY)
            with leases.held(replace(wish, token=token)) if wish.kept else leases.presented(token):
                act(token, freezing=freezes == IN_THE_ACT and not wish.kept)
            leases.release(token)
        except Busy:
            os.write(told, f"lost {token}\n".encode())
        rounds -= 1


def taken(leases: Leases, wish: Wish, told: int, act: Callable[..., None], *, frozen: bool) -> int:
    """The token of a lease that was acquired, or that was acted by in the call that took it."""
    if not wish.kept:
        token = leases.acquire(wish).token
        os.write(told, f"given {token}\n".encode())
        return token
    with leases.held(wish) as lease:
        os.write(told, f"given {lease.token}\n".encode())
        act(lease.token, freezing=frozen)
    return lease.token


def freeze(now: bool) -> None:  # noqa: FBT001  a word of the story above
    """Stop here; whoever watches lets us go on."""
    if now:
        os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
