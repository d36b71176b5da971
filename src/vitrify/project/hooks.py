"""The keys `hooks` of a project and of a server, and `expand` and `contract` of a rollout: commands around the phases of an operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

from pydantic import Field, model_validator

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.hook import BACK, CONTRACT, CONTROL, EXPAND, NEXT, OPERATIONS, PHASES, PLACES, STEPS, Hook
from vitrify.project.node import Node, walk
from vitrify.project.part import Part, read
from vitrify.project.problems import Problems
from vitrify.project.secrets import DeclaredSecrets, reference
from vitrify.project.values import Duration, Given, one_of, refuse
from vitrify.project.variables import Scope, fill

ABORT, WARN = "abort", "warn"
_LAST = STEPS[-1]
"""The phase from which on there is no way back."""


class HookPart(Part):
    """A command that is run before or after a phase."""

    before: Annotated[str | None, Given, one_of(*PHASES)] = None
    after: Annotated[str | None, Given, one_of(*PHASES)] = None
    command: list[str] = Field(min_length=1, description="a list of words, as in `command: [./warm-up.sh, --all]`")
    on: Annotated[str, one_of(*PLACES)] = CONTROL
    only: Annotated[list[Annotated[str, one_of(*OPERATIONS)]] | None, Given] = Field(default=None, min_length=1)
    timeout: Duration = 60.0
    on_failure: Annotated[str | None, Given, one_of(ABORT, WARN)] = None
    env: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one(self) -> HookPart:
        if (self.before is None) == (self.after is None):
            refuse("a hook is run before a phase or after it", "as in `before: switch`, or `after: switch`")
        if self.on == NEXT and not self._has_instance:
            refuse(f"no instance of the release runs {self._moment}", "from `after: launch` to `after: drain` there is one")
        if self.on_failure == ABORT and self._too_late:
            hint = "`on_failure: warn`; `after: probation` is the last that goes back by itself"
            refuse(f"nothing can be stopped any more {self._moment}", hint)
        if self.only is not None and self.phase not in STEPS and self.phase not in BACK:
            refuse(f"`only` picks operations on a release, and {self.phase} is not a phase of one", "take `only` out")
        return self

    @property
    def phase(self) -> str:
        """The phase."""
        return self.before or self.after or ""

    @property
    def _moment(self) -> str:
        return f"{'before' if self.before else 'after'} {self.phase}"

    @property
    def _has_instance(self) -> bool:
        if self.phase in STEPS:
            return self.after is not None or self.phase != STEPS[0]
        return self.phase in OPERATIONS and self.after is not None

    @property
    def _too_late(self) -> bool:
        return self.phase in (_LAST, *BACK) or (self.phase in OPERATIONS and self.after is not None)

    @property
    def stops(self) -> bool:
        """Whether its failure stops what it was run for."""
        return not self._too_late and self.on_failure != WARN


class MigrationPart(Part):
    """One command of a migration."""

    command: list[str] = Field(min_length=1, description="a list of words, as in `command: [python3, manage.py, migrate]`")
    on: Annotated[str, one_of(*PLACES)] = NEXT
    timeout: Duration = 600.0
    env: dict[str, str] = Field(default_factory=dict)


def declared(section: Node | None, scope: Scope, problems: Problems) -> tuple[Hook, ...]:
    """The hooks of a list, in its order, with these variables filled in; what is wrong with one is noted where it stands."""
    nodes = [fill(item, scope, problems) for item in (section.items if section else ())]
    parts = [read(HookPart, node, owner=node.at, problems=problems) for node in nodes]
    return tuple(_hook(part) for part in parts if part)


def _hook(part: HookPart) -> Hook:
    return Hook(
        phase=part.phase,
        command=tuple(part.command),
        before=part.before is not None,
        on=part.on,
        timeout=part.timeout,
        stops=part.stops,
        only=tuple(part.only or ()),
        env=part.env,
    )


def migration(expand: Iterable[MigrationPart], contract: Iterable[MigrationPart]) -> Iterator[Hook]:
    """The two halves of a migration."""
    for phase, parts in ((EXPAND, expand), (CONTRACT, contract)):
        for part in parts:
            yield Hook(phase, tuple(part.command), on=part.on, timeout=part.timeout, env=part.env)


def secrets_of(hooks: Iterable[Hook], at: Node, known: DeclaredSecrets, problems: Problems) -> Mapping[str, str]:
    """Name and value of each secret in the `env` of these hooks; one that cannot be had is noted."""
    named = {name: value for hook in hooks for value in hook.env.values() if (name := reference(value))}
    found = settled(named, at, ("hooks",), known, problems)
    return {name: value for name, value in found.items() if value}


def settled(values: Mapping[str, str], node: Node, path: tuple[str, ...], known: DeclaredSecrets, problems: Problems) -> dict[str, str]:
    """The same values with secrets filled in; one that cannot be had is noted where `path` leads, or at the value itself."""
    found: dict[str, str] = {}
    for name, value in values.items():
        secret = reference(value)
        try:
            found[name] = value if secret is None else known.resolve(secret)
        except VitrifyError as error:
            first, place = error.diagnostics[0], walk(node, (*path, name))
            found[name] = ""
            if not problems.told(place):
                problems.add(first.summary, place, why=first.why, hint=first.hint)
    return found
