"""Whatever an intruder does to stay or to hide is found, rated, repaired where it is declared, and then nothing is left of it."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, do, in_place
from tests.amount import amount
from tests.attacks import ATTACKS, DECLARED, LINKS, LOGS, THERE, Attack
from tools.prove import PROOFS

from vitrify.core.audit_policy import AuditPolicy
from vitrify.core.declaration import Server
from vitrify.core.drift import Audit, Class
from vitrify.lifecycle import mutable
from vitrify.lifecycle.audit import audit
from vitrify.testing.engine import quick_folder

N = amount("attacks", daily=12)
"""Of all of them; `./run prove attacks` takes every one."""


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        for path in (*THERE, *LOGS):
            place = folder / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"what is in {path} on this host\n")
        for path, to in LINKS.items():
            place = folder / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(to)
        for path in DECLARED:
            (folder / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        yield folder


class Host:
    """The host, its server, and a hand that puts back what nobody declared."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bench = Bench()
        folders = ("/boot", "/etc", "/home", "/root", "/usr", "/var")
        self.server: Server = replace(in_place(root, *DECLARED.items()), audit=AuditPolicy(folders))
        self.apply()

    def apply(self) -> None:
        host = self.server.hosts[0]
        do(mutable.apply(self.server, host, do(mutable.plan(self.server, host, self.bench.world)), self.bench.world))

    def audit(self) -> Audit:
        return do(audit([self.server], self.bench.world, full=False))

    def attacked(self, attack: Attack) -> Callable[[], None]:
        """Do it; returns what takes it back by hand."""
        place = self.root / attack.path.lstrip("/")
        new = [folder for folder in place.parents if not folder.exists()]
        there = os.path.lexists(place)
        mode = stat.S_IMODE(place.lstat().st_mode) if there else 0
        link = str(place.readlink()) if place.is_symlink() else ""
        content = place.read_bytes() if there and not link else b""
        attack.act(self.root)

        def back() -> None:
            place.unlink(missing_ok=True)
            if link:
                place.symlink_to(link)
            elif there:
                place.write_bytes(content)
                place.chmod(mode)
            for folder in new:
                folder.rmdir()

        return back


@pytest.mark.root
def test_each_way_to_stay_or_to_hide_is_found_rated_and_repaired(root: Path, record_property: Callable[[str, object], None]) -> None:
    seed = random.getrandbits(32)
    chosen = random.Random(seed).sample(ATTACKS, min(N, len(ATTACKS)))  # noqa: S311  a sample
    host = Host(root)
    assert host.audit().findings == ()

    wrong: list[str] = []
    for attack in chosen:
        back = host.attacked(attack)
        found = {finding.path: finding for finding in host.audit().findings}.get(attack.path)
        told = (found.classed, found.change, found.severity.value) if found else None
        if told != (Class.UNAUTHORISED, attack.change, attack.severity):
            wrong.append(f"{attack.name}: {told}")
        if attack.path in DECLARED:
            host.apply()
        else:
            back()
        wrong += [f"{attack.name}: {finding.path} is left" for finding in host.audit().unauthorised]

    record_property("note", f"{len(chosen)} of {len(ATTACKS)} attacks; seed {seed}")
    assert wrong == []


def test_there_are_enough_of_them_and_no_two_are_the_same() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) == PROOFS["attacks"].n >= 60
