"""The kind `command`: a program to run, and how to tell whether it still has to."""

from __future__ import annotations

import shlex
from typing import Mapping, Tuple

from vitrify.core import due
from vitrify.core.difference import Change
from vitrify.core.digest import JSON
from vitrify.core.resource import Kind, Observation, Phase, Properties, Resource, Sureness
from vitrify.core.schema import Field, Schema, Type
from vitrify.core.system import Command as Program
from vitrify.core.system import System


class Command(Kind):
    """A program to run. Never a shell string: one that needs a shell says so, as `[/bin/sh, -c, "…"]`.

    A plan cannot foresee what it does and an undo cannot take it back, so each command says when it is due, and the same is
    asked again just before it runs; of several conditions all must hold. `unless` and `onlyif` are run for every plan, where and
    as whom the command is: they must not change anything.
    A command that left the declaration is forgotten; what it did stays.
    """

    name = "command"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "name": Field(Type.TEXT, "what to call it; the command itself where not given"),
            "run": Field(Type.TEXTS, "the program and its arguments", required=True),
            **due.FIELDS,
        },
        one_of=due.EXCLUSIVE,
        needs_one_of=(due.NEEDED,),
        rules=(due.problems,),
        removable=False,
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The name, else the command as a person would type it."""
        return str(fields["name"]) if "name" in fields else shlex.join(due.words(fields["run"]))

    def desired(self, resource: Resource) -> Properties:
        """That it is not due. One that left wishes for nothing: what it did cannot be taken back."""
        return {} if resource.absent else {"type": "command", "due": False}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Whether it is due, asked of the paths and the guards that were declared."""
        return Observation(resource.address, {"type": "command", "due": due.is_due(resource.fields, system)})

    def enact(self, change: Change, system: System) -> None:
        """Run it, if it is still due."""
        fields = change.resource.fields
        if not change.after or not due.is_due(fields, system):
            return
        argv = due.words(fields["run"])
        due.carry_out(Program(argv), fields, system, called=shlex.join(argv))

    def undoable(self, change: Change) -> bool:
        """Never."""
        return False

    def sureness(self, change: Change) -> Sureness:
        """Nobody can foresee what a program does."""
        return Sureness.OPAQUE

    def because(self, change: Change) -> Tuple[str, ...]:
        """What makes it due."""
        return due.because(change.resource.fields)
