"""The kind `script`: a script of the project, run on the target by its interpreter, and how to tell whether it still has to."""

from __future__ import annotations

from typing import List, Mapping, Tuple

from vitrify.core import due, place
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Change
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Kind, Observation, Phase, Properties, Resource, Sureness
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import ATTACHED, Command, System

SHELL = ("/bin/sh",)
LONGEST_LINE = 255


def _script_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = due.problems(values)
    if "vars" in values and "template" not in values:
        found.append(Problem(("vars",), "`vars` has no meaning without `template`"))
    return found


class Script(Kind):
    """A script that is sent along, run by its interpreter, and leaves no file behind.

    Its first line may name the interpreter (`#!/usr/bin/python3`); else it is /bin/sh. It is never on the target's disk: the
    interpreter reads it from memory, so a secret in it stays there. When it is due is declared as for a `command`.
    """

    name = "script"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "name": Field(Type.TEXT, "what to call it", required=True),
            "content": Field(Type.TEXT, "the script itself", secret=True),
            "source": Field(Type.TEXT, "a file in the project to take byte for byte", control=True),
            "template": Field(Type.TEXT, "a Jinja template in the project that renders it", secret=True, control=True),
            "vars": Field(Type.ANY, "a map of values for the template", secret=True, control=True),
            "interpreter": Field(Type.TEXTS, "the program that runs it; what its first line says where not given, else /bin/sh"),
            "args": Field(Type.TEXTS, "its arguments"),
            **due.FIELDS,
        },
        one_of=(("content", "source", "template"), *due.EXCLUSIVE),
        needs_one_of=(("content", "source", "template"), due.NEEDED),
        rules=(_script_rules,),
        removable=False,
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The name."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """That it is not due. One that left wishes for nothing: what it did cannot be taken back."""
        return {} if resource.absent else {"type": "script", "due": False}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Whether it is due, asked of the paths and the guards that were declared."""
        return Observation(resource.address, {"type": "script", "due": due.is_due(resource.fields, system)})

    def enact(self, change: Change, system: System) -> None:
        """Run it, if it is still due."""
        fields = change.resource.fields
        if not change.after or not due.is_due(fields, system):
            return
        content = system.blob(str(fields["content"]))
        interpreter = due.words(fields.get("interpreter")) or named_interpreter(content)
        argv = (*interpreter, ATTACHED, *due.words(fields.get("args")))
        due.carry_out(Command(argv, attached=content), fields, system, called=str(change.resource.address))

    def undoable(self, change: Change) -> bool:
        """Never."""
        return False

    def sureness(self, change: Change) -> Sureness:
        """Nobody can foresee what a program does."""
        return Sureness.OPAQUE

    def because(self, change: Change) -> Tuple[str, ...]:
        """What makes it due."""
        return due.because(change.resource.fields)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the folder it runs in."""
        cwd = str(resource.fields.get("cwd", "/"))
        own = tuple(Address(kind, cwd) for kind in place.FOLDERS if Address(kind, cwd) in others)
        return () if resource.absent else (*place.after_folders(resource, cwd, others), *own)


def named_interpreter(content: bytes) -> Tuple[str, ...]:
    """The interpreter that a first line `#!program argument` names, as the kernel reads it; /bin/sh where there is none."""
    first = content[: LONGEST_LINE + 1].partition(b"\n")[0]
    if not first.startswith(b"#!"):
        return SHELL
    named = tuple(first[2:].decode("utf-8", "surrogateescape").strip().split(None, 1))
    if not named or len(first) > LONGEST_LINE:
        raise TargetFailed("the first line of the script names no interpreter", hint="write #!/bin/sh, or declare `interpreter`")
    return named
