"""The kind `command`: a program to run, and how to tell whether it still has to."""

from __future__ import annotations

import shlex
from typing import List, Mapping, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Change
from vitrify.core.digest import JSON
from vitrify.core.resource import Kind, Observation, Phase, Properties, Resource, Sureness
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Command as Program
from vitrify.core.system import Completed, System

LINES = 8
"""So many of the last lines of a failed program's output are told."""


def _command_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = [
        Problem((name, "0"), "the program has no name")
        for name in ("run", "unless", "onlyif")
        if name in values and not _words(values[name])[0]
    ]
    if values.get("always") is False:
        found.append(Problem(("always",), "`always: false` says nothing", "say `creates`, `unless` or `onlyif`"))
    if values.get("name") == "":
        found.append(Problem(("name",), "the name is empty"))
    return found


class Command(Kind):
    """A program to run. Never a shell string: one that needs a shell says so, as `[/bin/sh, -c, "…"]`.

    A plan cannot foresee what it does and an undo cannot take it back, so each command says when it is due, and the same is
    asked again just before it runs. `unless` and `onlyif` are run for every plan: they must not change anything.
    A command that left the declaration is forgotten; what it did stays.
    """

    name = "command"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "name": Field(Type.TEXT, "what to call it; the command itself where not given"),
            "run": Field(Type.TEXTS, "the program and its arguments", required=True),
            "creates": Field(Type.PATH, "due while this path is missing; it must be there afterwards"),
            "unless": Field(Type.TEXTS, "due while this command fails or cannot be started"),
            "onlyif": Field(Type.TEXTS, "due while this command succeeds"),
            "always": Field(Type.BOOLEAN, "due every time: no plan will ever be empty"),
            "cwd": Field(Type.PATH, "the folder to run in; / where not given"),
            "user": Field(Type.NAME, "the user to run as; root where not given"),
        },
        one_of=(("creates", "unless", "onlyif", "always"),),
        needs_one_of=(("creates", "unless", "onlyif", "always"),),
        rules=(_command_rules,),
        removable=False,
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The name, else the command as a person would type it."""
        return str(fields["name"]) if "name" in fields else shlex.join(_words(fields["run"]))

    def desired(self, resource: Resource) -> Properties:
        """That it is not due. One that left wishes for nothing: what it did cannot be taken back."""
        return {} if resource.absent else {"type": "command", "due": False}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Whether it is due, asked of the path or the guard that was declared."""
        return Observation(resource.address, {"type": "command", "due": _due(resource.fields, system)})

    def enact(self, change: Change, system: System) -> None:
        """Run it, if it is still due."""
        fields = change.resource.fields
        if not change.after or not _due(fields, system):
            return
        argv = _words(fields["run"])
        ended = system.run(_program(argv, fields))
        if ended.code != 0:
            raise TargetFailed(f"{shlex.join(argv)} ended with {ended.code}", why=_last_lines(ended))
        creates = fields.get("creates")
        if creates is not None and system.stat(str(creates)) is None:
            raise TargetFailed(
                f"{shlex.join(argv)} succeeded but did not create {creates}", hint="correct `creates`, or it would run each time"
            )

    def undoable(self, change: Change) -> bool:
        """Never."""
        return False

    def sureness(self, change: Change) -> Sureness:
        """Nobody can foresee what a program does."""
        return Sureness.OPAQUE

    def because(self, change: Change) -> Tuple[str, ...]:
        """What makes it due."""
        fields = change.resource.fields
        if "creates" in fields:
            return (f"{fields['creates']} is missing",)
        for guard, outcome in (("unless", "fails"), ("onlyif", "succeeds")):
            if guard in fields:
                return (f"`{shlex.join(_words(fields[guard]))}` {outcome}",)
        return ("runs always",)


def _due(fields: Mapping[str, JSON], system: System) -> bool:
    if "creates" in fields:
        return system.stat(str(fields["creates"])) is None
    if "unless" in fields:
        return not _succeeds(_words(fields["unless"]), fields, system)
    return "onlyif" not in fields or _succeeds(_words(fields["onlyif"]), fields, system)


def _succeeds(argv: Tuple[str, ...], fields: Mapping[str, JSON], system: System) -> bool:
    try:
        return system.run(_program(argv, fields)).code == 0
    except TargetFailed:  # a guard that an earlier resource has yet to install has not succeeded
        return False


def _program(argv: Tuple[str, ...], fields: Mapping[str, JSON]) -> Program:
    return Program(argv, cwd=str(fields.get("cwd", "/")), user=str(fields.get("user", "")))


def _words(value: JSON) -> Tuple[str, ...]:
    return tuple(str(word) for word in value) if isinstance(value, list) else ()


def _last_lines(ended: Completed) -> str:
    told = ended.stderr.strip() or ended.stdout.strip()
    return "\n".join(told.splitlines()[-LINES:]) or "it said nothing"
