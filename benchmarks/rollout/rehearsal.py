"""A rehearsal: releases, failing releases, kills in mid-switch and rollbacks of one project, in an order that a seed decides."""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass, field

from project import Command, Project

POINTS = ("switch.intent", "router-switch.intent", "router-switch.act", "router-switch.outcome", "switch.act", "switch.outcome")
"""The middle of a switch, on both of its sides: vitrify itself, and the payload that acts for it, are killed there by SIGKILL."""

STEADY = 0.4
"""Seconds between two commands, or more, in which nothing happens: the latency that the others are held against."""


@dataclass
class Rehearsal:
    """What was done, and when."""

    project: Project
    commands: dict[str, list[Command]] = field(default_factory=dict)
    steady: list[tuple[float, float]] = field(default_factory=list)
    killed: int = 0
    _turn: int = 0

    def run(self, *, switches: int, seed: int, requests: int = 0) -> None:
        """So many switches: a fifth is killed in its middle, a fifth is a rollback; and a fifth as many releases that fail.

        They are spread over so many requests, where those take longer.
        """
        part = switches // 5
        acts = [self._killed, self._rolled_back, self._failed]
        turns = [act for act in acts for _ in range(part)] + [self._released] * (switches - 2 * part)
        random.Random(seed).shuffle(turns)  # noqa: S311  an order, no secret
        for number, act in enumerate(turns, start=1):
            print(f"\r{self.project.kind} {number}/{len(turns)}", end="", file=sys.stderr, flush=True)
            began = time.time()
            time.sleep(STEADY)
            while self.project.answered() < requests * number / len(turns):
                time.sleep(STEADY / 8)
            self.steady.append((began, time.time()))
            act()

    def first(self) -> None:
        """Two releases, so that there is one to go back to."""
        self._next()
        self.project.run("apply")
        self._next()
        self.project.run("apply")

    def switches(self, *kinds: str) -> list[tuple[float, float, float]]:
        """When moves were asked for, prepared and done by commands of these kinds."""
        return [moved for kind in kinds or self.commands for command in self.commands.get(kind, ()) for moved in command.switches]

    def _next(self) -> None:
        self._turn += 1
        self.project.declare(release=("blue", "green")[self._turn % 2], grace="60s")

    def _note(self, kind: str, command: Command) -> None:
        self.commands.setdefault(kind, []).append(command)

    def _released(self) -> None:
        self._next()
        self._note("release", self.project.run("apply"))

    def _failed(self) -> None:
        kept = self.project.release
        self.project.declare(release=f"ill-{self._turn % 2}", grace="300ms")
        self._note("failed release", self.project.run("apply", expect=7))
        self.project.declare(release=kept, grace="60s")

    def _killed(self) -> None:
        self._next()
        self.project.run("apply", expect=None, failpoint=POINTS[self.killed % len(POINTS)])
        self.killed += 1
        self._note("release after a kill", self.project.run("apply"))

    def _rolled_back(self) -> None:
        self._note("rollback", self.project.run("rollback", "web"))
        self._turn += 1
