"""Whatever the kernel's records hold, for an intruder chooses names in them: the listener goes on, and at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from tests.amount import amount

from spoiling import spoiled
from vitrify.onhost.audit_records import CWD, EOE, EXECVE, PATH, PROCTITLE, SYSCALL, Assembler

N = amount("audit-fuzz", daily=3_000)
LONGEST = 1.0
"""Seconds of a processor that one record may take."""
CALL = (
    b"audit(1795632514.368:9): arch=c000003e syscall=257 success=yes exit=3 items=2 ppid=90 pid=91 auid=1000 uid=0 gid=0 "
    b'tty=(none) ses=3 comm="sh" exe="/usr/bin/dash" subj=unconfined key="any"'
)
LINES = (
    CALL,
    b'audit(1795632514.368:9): item=0 name="/srv/app/" inode=2 dev=fe:00 mode=040755 ouid=0 ogid=0 nametype=PARENT cap_fp=0',
    b"audit(1795632514.368:9): item=1 name=2F7372762F6120620A inode=7 dev=fe:00 mode=0100644 ouid=0 ogid=0 nametype=CREATE",
    b"audit(1795632514.368:9): item=1 name=(null) inode=7 dev=fe:00 mode=0100644 ouid=0 ogid=0 nametype=NORMAL",
    b'audit(1795632514.368:9): cwd="/root"',
    b"audit(1795632514.368:9): proctitle=7368002D63006563686F",
    b'audit(1795632514.368:9): argc=2 a0="ls" a1=2D6C20610A',
    b"audit(1795632514.368:9): ",
)
KINDS = (SYSCALL, PATH, PATH, PATH, CWD, PROCTITLE, EXECVE, EOE)


def test_no_record_makes_the_listener_fail_hang_or_grow(record_property: Callable[[str, object], None]) -> None:
    seed = random.randrange(2**32)  # noqa: S311 - a test's choices, not a secret
    chance, longest, told = random.Random(seed), 0.0, 0  # noqa: S311 - the same
    assembler = Assembler(pending=50)
    for _ in range(N):
        at = int(chance.random() * len(LINES))
        line = LINES[at] if chance.random() < 0.3 else spoiled((LINES[at], *LINES), chance)
        begun = time.process_time()
        found = assembler.take(KINDS[at], line.decode("utf-8", "surrogateescape"))
        touched = [pair for record in found for pair in record.touched()]
        longest = max(longest, time.process_time() - begun)
        told += len(touched)
        assert all(item.name and item.spoken for item, _ in touched)
    assembler.rest()
    assert longest < LONGEST
    assert told
    record_property("note", f"audit-fuzz: {N} records, {told} touches told, none failed, seed {seed}")
