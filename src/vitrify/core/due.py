"""When a program has to run, and how: what every kind that runs one for its effect has in common."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from typing import Dict, List, Mapping, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.schema import Field, Problem, Type
from vitrify.core.system import Command, Completed, System, Target
from vitrify.core.unit import environment_problems, read_environment_file

LINES = 8
"""So many of the last lines of a failed program's output are told."""
SECRET = "secret:"  # noqa: S105  the beginning of a reference, not a secret
CONDITIONS = ("creates", "removes", "unless", "onlyif")
NEEDED = (*CONDITIONS, "always")
EXCLUSIVE = tuple((name, "always") for name in CONDITIONS)

FIELDS: Mapping[str, Field] = {
    "creates": Field(Type.PATH, "due while this path is missing; it must be there afterwards"),
    "removes": Field(Type.PATH, "due while this path is there; it must be gone afterwards"),
    "unless": Field(Type.TEXTS, "due while this command fails or cannot be started"),
    "onlyif": Field(Type.TEXTS, "due while this command succeeds"),
    "always": Field(Type.BOOLEAN, "due every time: no plan will ever be empty"),
    "cwd": Field(Type.PATH, "the folder to run in; / where not given"),
    "user": Field(Type.NAME, "the user to run as; root where not given"),
    "env": Field(Type.MAP, "its environment, beside PATH, HOME and LC_ALL; a value `secret:NAME` is in no plan", secret=True),
    "environment_file": Field(Type.TEXT, "keyed digest of the file that holds its secret environment", resolved=True),
    "stdin": Field(Type.TEXT, "what it reads; nothing where not given", secret=True),
    "timeout": Field(Type.INTEGER, "seconds after which it is stopped, and has failed; 600 where not given"),
    "umask": Field(Type.MODE, 'what the files it makes may not permit, as in "0077"'),
}
"""Fields that say when it is due and how it runs. Of several conditions all must hold."""


def problems(values: Mapping[str, JSON]) -> List[Problem]:
    """What one field alone cannot tell."""
    found = [
        Problem((name, "0"), "the program has no name")
        for name in ("run", "interpreter", "unless", "onlyif")
        if name in values and not words(values[name])[0]
    ]
    if values.get("always") is False:
        found.append(Problem(("always",), "`always: false` says nothing", "say `creates`, `removes`, `unless` or `onlyif`"))
    if values.get("name") == "":
        found.append(Problem(("name",), "the name is empty"))
    timeout = values.get("timeout")
    if isinstance(timeout, int) and timeout < 1:
        found.append(Problem(("timeout",), f"{timeout} seconds is no time at all"))
    return found + [Problem(("env", name), summary) for name, summary in environment_problems(_declared(values))]


def is_due(fields: Mapping[str, JSON], system: System) -> bool:
    """Whether every condition that was declared holds now."""
    if "creates" in fields and system.stat(str(fields["creates"])) is not None:
        return False
    if "removes" in fields and system.stat(str(fields["removes"])) is None:
        return False
    if "unless" in fields and _succeeds(words(fields["unless"]), fields, system):
        return False
    return "onlyif" not in fields or _succeeds(words(fields["onlyif"]), fields, system)


def because(fields: Mapping[str, JSON]) -> Tuple[str, ...]:
    """What makes it due, in words."""
    found = [f"{fields[name]} {state}" for name, state in (("creates", "is missing"), ("removes", "is there")) if name in fields]
    guards = (("unless", "fails"), ("onlyif", "succeeds"))
    found += [f"`{shlex.join(words(fields[name]))}` {outcome}" for name, outcome in guards if name in fields]
    return tuple(found) or ("runs always",)


def carry_out(program: Command, fields: Mapping[str, JSON], system: System, *, called: str) -> None:
    """Run it as the fields say; TargetFailed where it fails, or does not do what it is said to do."""
    told = secrets(fields, system)
    if "stdin" in fields:
        program = replace(program, stdin=system.blob(str(fields["stdin"])))
    program = replace(_surrounded(program, fields), environment={**_environment(fields), **told})
    ended = system.run(program)
    if ended.code != 0:
        hint = "mend the cause and run the same command again: what was done before it stays done"
        raise TargetFailed(f"{called} ended with {ended.code}", why=_silenced(last_lines(ended), program, told), hint=hint)
    creates, removes = fields.get("creates"), fields.get("removes")
    if creates is not None and system.stat(str(creates)) is None:
        raise TargetFailed(f"{called} succeeded but did not create {creates}", hint="correct `creates`, or it would run each time")
    if removes is not None and system.stat(str(removes)) is not None:
        raise TargetFailed(f"{called} succeeded but did not remove {removes}", hint="correct `removes`, or it would run each time")


def words(value: JSON) -> Tuple[str, ...]:
    """A list of texts, as a command."""
    return tuple(str(word) for word in value) if isinstance(value, list) else ()


def last_lines(ended: Completed) -> str:
    """What a program said last."""
    told = ended.stderr.strip() or ended.stdout.strip()
    return "\n".join(told.splitlines()[-LINES:]) or "it said nothing"


def secrets(fields: Mapping[str, JSON], system: System) -> Dict[str, str]:
    """The secret part of the environment, in clear."""
    if "environment_file" in fields:
        return read_environment_file(system.blob(str(fields["environment_file"])).decode())
    hidden = [name for name, value in _declared(fields).items() if value.startswith(SECRET)]
    if hidden and system.target is Target.IMAGE:
        raise TargetFailed(f"the secret {hidden[0]} cannot be had while an image is baked", hint="an image holds no secret, and needs none")
    return {}


def _declared(fields: Mapping[str, JSON]) -> Dict[str, str]:
    env = fields.get("env")
    return {name: str(value) for name, value in env.items()} if isinstance(env, dict) else {}


def _environment(fields: Mapping[str, JSON]) -> Dict[str, str]:
    return {name: value for name, value in _declared(fields).items() if not value.startswith(SECRET)}


def _surrounded(program: Command, fields: Mapping[str, JSON]) -> Command:
    timeout = fields.get("timeout")
    return replace(
        program,
        cwd=str(fields.get("cwd", "/")),
        user=str(fields.get("user", "")),
        environment=_environment(fields),
        timeout=float(timeout) if isinstance(timeout, int) else program.timeout,
        umask=str(fields.get("umask", "")),
    )


def _succeeds(argv: Tuple[str, ...], fields: Mapping[str, JSON], system: System) -> bool:
    """A guard gets no secret: it is run for every plan."""
    try:
        return system.run(_surrounded(Command(argv), fields)).code == 0
    except TargetFailed:  # a guard that an earlier resource has yet to install has not succeeded
        return False


def _silenced(said: str, program: Command, told: Mapping[str, str]) -> str:
    """What a program says goes into plans and ledgers: of what it was told in confidence nothing may."""
    lines = program.stdin.decode("utf-8", "replace").splitlines() if program.stdin else []
    for secret in sorted({*told.values(), *lines, program.stdin.decode("utf-8", "replace").strip()}, key=len, reverse=True):
        if secret.strip():
            said = re.sub(re.escape(secret.strip()), "…", said)
    return said
