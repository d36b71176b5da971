"""One of many processes that want the same lease: `FOLDER NAME ROUNDS SECONDS SEED`. Freezes itself now and then, as a laptop does.

Writes to `FOLDER/NAME`: `given TOKEN`, `lost TOKEN`, `round`; and to `FOLDER/commits` what it does by a token: `TOKEN NAME`.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from vitrify.core.diagnostic import Busy
from vitrify.onhost.lease import Leases, Wish
from vitrify.onhost.memory import Memory

AWAY, IN_THE_ACT = "away", "in the act"


def main(folder: Path, name: str, rounds: int, seconds: float, seed: int) -> None:
    """Take part until so many rounds are over: each is a lease that was had, whatever became of it."""
    chance = random.Random(seed)  # noqa: S311  which round it freezes in is no secret
    leases = Leases(Memory(str(folder / "leases"), within=str(folder)), "0123456789abcdef", "web")
    told = os.open(folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    commits = os.open(folder / "commits", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    while rounds > 0:
        try:
            token = leases.acquire(Wish(name, "round", seconds=seconds)).token
        except Busy:
            time.sleep(chance.uniform(0.002, 0.02))
            continue
        os.write(told, f"given {token}\n".encode())
        freezes = chance.choices((AWAY, IN_THE_ACT, ""), (1, 1, 12))[0]
        try:
            freeze(freezes == AWAY)
            with leases.presented(token):
                freeze(freezes == IN_THE_ACT)
                os.write(commits, f"{token} {name}\n".encode())
            leases.release(token)
        except Busy:
            os.write(told, f"lost {token}\n".encode())
        rounds -= 1


def freeze(now: bool) -> None:  # noqa: FBT001  a word of the story above
    """Stop here; whoever watches lets us go on."""
    if now:
        os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
