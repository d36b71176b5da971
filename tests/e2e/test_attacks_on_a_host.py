"""An intruder does all that is known to a booted Debian that is watched: it is found, rated, named, put back, and nothing of it is left."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.amount import amount
from tests.attacks import ATTACKS, Attack, put_back_by_apply

from attacked_host import Intruder, Seat, Watch, beneath, broken_in, fingerprint, hardened, inside, kept, prepare, watching
from live_host import LiveHost

pytestmark = [pytest.mark.e2e, pytest.mark.root, pytest.mark.xdist_group("audit"), pytest.mark.timeout(900)]

N = amount("attacks", daily=6)
SEATS = ("beneath", "inside") if len(ATTACKS) <= N else ("beneath",)
"""From where the host is kept. `./run prove attacks` takes both, and every attack."""
PYTHON = "/usr/bin/python3.11"


@dataclass
class Tally:
    """What came of all attacks."""

    eve: int
    wrong: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def judge(self, attack: Attack, told: dict[str, Any] | None, *, pid: int, rung: str) -> None:
        """One attack, and the finding that a watch told of it."""
        self.add("attacks")
        seen = told and (told["class"], told["change"], told["severity"], told["evidence"])
        if told is None or seen != ("unauthorised", attack.change, attack.severity, rung):
            self.wrong.append(f"{attack.name}: {seen}")
            return
        self.add("found and rated")
        answer = "re-converge" if put_back_by_apply(attack) else "report"
        if told["answer"] != answer:
            self.wrong.append(f"{attack.name}: the answer is {told['answer']!r} and not {answer!r}")
        self._named(attack, told, pid=pid, rung=rung)

    def _named(self, attack: Attack, told: dict[str, Any], *, pid: int, rung: str) -> None:
        if rung != "audit":
            expected = f"not known, because the watch stood on {rung}, which tells paths and nobody's name"
            self.add(f"named not, because the watch stood on {rung}")
            if told["who"] != expected:
                self.wrong.append(f"{attack.name}: who is {told['who']!r}")
            return
        actor = told.get("actor") or {}
        user = actor.get("uid") if attack.path.startswith("/home/ada/") else 0
        known = (actor.get("pid"), actor.get("exe"), actor.get("uid"), actor.get("login"), str(actor.get("command", "")).split(" ")[0])
        if known != (pid, PYTHON, user, self.eve, "/usr/bin/python3"):
            self.wrong.append(f"{attack.name}: {known} by the process {pid}")
            return
        self.add("named: process, program, command line, user, login")


@pytest.mark.parametrize("seat", SEATS)
def test_each_attack_on_a_booted_host_is_found_rated_named_put_back_and_gone(
    live_host: LiveHost, tmp_path: Path, seat: str, record_property: Callable[[str, object], None]
) -> None:
    seed = random.getrandbits(32)
    chosen = random.Random(seed).sample(ATTACKS, min(N, len(ATTACKS)))  # noqa: S311  a sample
    tally = Tally(prepare(live_host))
    own = inside(live_host) if seat == "inside" else beneath(live_host, tmp_path / "live" / "machine" / "root", tmp_path)
    with broken_in(live_host) as intruder:
        intruder.attack(ATTACKS[0], own.numbers)  # so that all that a login leaves behind is there
        live_host.path(ATTACKS[0].path).unlink()
        (own.project / "vitrify.yaml").write_text(hardened(live_host, own.project, host=own.host))
        own.run("apply")
        with watching(own) as watch:
            before = fingerprint(live_host)
            for wave in waves(chosen):
                defend(wave, own, watch, intruder, tally)
                after = fingerprint(live_host)
                tally.wrong += [f"{path} is another one" for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
                tally.add("times that the whole tree was compared with what it was")
    record_property("note", f"attacks, kept from {seat}: {tally.counts}; seed {seed}")
    assert "\n".join(tally.wrong) == ""


def waves(attacks: Sequence[Attack]) -> Iterator[Sequence[Attack]]:
    """As many at a time as there are with a path each."""
    left = list(attacks)
    while left:
        wave = list({attack.path: attack for attack in reversed(left)}.values())
        yield wave
        left = [attack for attack in left if attack not in wave]


def defend(wave: Sequence[Attack], own: Seat, watch: Watch, intruder: Intruder, tally: Tally) -> None:
    """Let them happen one after another, judge what was told of each, put all of it back, and have every byte looked at."""
    back = kept(own.machine, wave)
    for attack in wave:
        intruder.attack(attack, own.numbers)
    told = watch.tells(lambda found: all(_is(attack, found.get(attack.path)) for attack in wave))
    for attack in wave:
        tally.judge(attack, told.get(attack.path), pid=intruder.did[attack.name], rung=own.rung or watch.rung)
    own.run("apply")
    for attack in wave:
        if not put_back_by_apply(attack):
            tally.add("put back by hand, as the finding says")
            back(attack)
        else:
            tally.add("put back by apply")
    left = json.loads(own.run("audit", "--full", "-o", "json"))
    tally.wrong += [f"{one['path']} is left" for one in left["findings"] if one["class"] == "unauthorised"]
    tally.add("audits of every byte afterwards")


def _is(attack: Attack, told: dict[str, Any] | None) -> bool:
    return told is not None and (told["change"], told["severity"]) == (attack.change, attack.severity)
