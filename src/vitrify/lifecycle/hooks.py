"""Runs the hooks of a phase, each as intent, act and outcome in the ledger: one that ran is not run again by a recovery.

| killed                     | the same command again                                                 |
|----------------------------|------------------------------------------------------------------------|
| before the intent          | runs it                                                                |
| behind the intent          | runs it again, and says `repeated` in its context: it was cut short    |
| behind the outcome         | does not run it; where it had failed and stops its phase, it still does |
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Busy, TargetFailed, TargetUnreachable, VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Stage
from vitrify.core.hook import CONTROL, MIGRATION, NEXT, Hook
from vitrify.core.instance import Instance
from vitrify.lifecycle.lodging import HERE
from vitrify.lifecycle.settings import SecretValue, secret_names
from vitrify.lifecycle.world import Site, World
from vitrify.ports import Clock

INTENDED, DONE, FAILED = "hook.intended", "hook.done", "hook.failed"
SCHEMA = "vitrify.dev/hook-context/v1"


PATIENCE = 10.0
"""Seconds for which an instance that is not up yet is waited for."""


class HookFailed(TargetFailed):
    """A hook failed that stops what it was run for."""


async def nowhere() -> tuple[str, str]:
    """For what has no instance."""
    raise TargetFailed("there is no instance to run it in")


@dataclass(frozen=True)
class Course:
    """What hooks are run for: `kind` is the operation (release, rollback, apply...), `operation` what the ledger knows it by."""

    world: World
    hooks: tuple[Hook, ...]
    kind: str
    operation: str
    server: str
    host: Host
    since: int
    """Entries of the ledger from here on can be about it."""
    secret: SecretValue
    about: Mapping[str, JSON] = field(default_factory=dict)
    """What else their context holds."""
    inside: Callable[[], Awaitable[tuple[str, str]]] = nowhere
    """The home and the id of an instance to run in."""
    again: bool = False
    """Whether one that failed is run again."""


async def run(course: Course, phases: Sequence[str], *, before: bool) -> None:
    """The hooks before, or after, these phases, each in the order of the declaration; `HookFailed` where one fails that stops them."""
    for phase in phases:
        for position, hook in enumerate(course.hooks):
            if hook.before is before and hook.phase == phase and course.kind in (hook.only or (course.kind,)):
                await _once(course, hook, f"{position}-{hook.digest.rpartition(':')[2][:12]}")


async def _once(course: Course, hook: Hook, key: str) -> None:
    world, told = course.world, _told(course, key)
    if told == DONE:
        return
    if told == FAILED and not course.again:
        _judge(hook, HookFailed(f"the hook {hook.name} failed, before this command went on", hint=_HINT))
        return
    body: JSONObject = {"operation": course.operation, "server": course.server, "host": course.host.name, "hook": key}
    body |= {"phase": hook.phase, "moment": _moment(hook), "on": hook.on}
    if told != INTENDED:
        world.ledger.append(INTENDED, body)
    world.reached("hook.intent")
    world.say("hook", course.server, hook.name, stage=Stage.STARTED)
    error = await _ran(course, hook, repeated=told == INTENDED)
    world.reached("hook.act")
    reason: JSONObject = {"reason": error.diagnostics[0].summary} if error else {}
    world.ledger.append(FAILED if error else DONE, {**body, **reason})
    world.reached("hook.outcome")
    if error:
        world.say("hook", course.server, str(error.diagnostics[0]), stage=Stage.FAILED)
        _judge(hook, error)
    else:
        world.say("hook", course.server, hook.name, stage=Stage.DONE)


_HINT = "mend it, and run the same command again"
_OR_WARN = f"{_HINT}; or write `on_failure: warn`, if it does not matter"


def foretold(hooks: Sequence[Hook], phases: Sequence[str]) -> tuple[str, ...]:
    """For a plan: which of these hooks will run."""
    names = dict.fromkeys(hook.name for hook in hooks if hook.phase in phases)
    return (f"hooks run, and what they do cannot be foreseen: {', '.join(names)}",) if names else ()


def _judge(hook: Hook, error: HookFailed) -> None:
    if hook.stops:
        raise error


def _told(course: Course, key: str) -> str:
    """The newest that the ledger says of this hook of this operation; "" where it says nothing."""
    kind = ""
    for entry in course.world.ledger.entries(course.since):
        if entry.kind in (INTENDED, DONE, FAILED) and (entry.body.get("operation"), entry.body.get("hook")) == (course.operation, key):
            kind = entry.kind
    return kind


async def _ran(course: Course, hook: Hook, *, repeated: bool) -> HookFailed | None:
    """Run it; the error where it failed. Whatever keeps us from knowing how it ended is raised as it is.

    The summary of an error is told to the ledger: what a hook wrote is no part of it, for that may be what nobody should keep.
    """
    try:
        arguments = await _arguments(course, hook, repeated=repeated)
        if hook.on != CONTROL:
            arguments |= course.world.tenure.presented()
        async with course.world.session(HERE if hook.on == CONTROL else course.host) as session:
            answer = await session.call("hook.run", arguments, emit=course.world.emit)
    except (TargetUnreachable, Busy):
        raise
    except VitrifyError as error:
        return HookFailed(f"the hook {hook.name} cannot be run", why=_spoken(error), hint=error.diagnostics[0].hint)
    code, said = answer.get("code"), answer.get("said")
    if code == 0:
        return None
    words = " | ".join(str(line) for line in said) if isinstance(said, list) else ""
    ended = f"ended with {code}" if isinstance(code, int) else f"did not end within {hook.timeout:g} s, and was stopped"
    hint = _HINT if hook.phase in MIGRATION else _OR_WARN
    return HookFailed(f"the hook {hook.name} {ended}", why=f"its last words: {words}" if words else "it wrote nothing", hint=hint)


def _spoken(error: VitrifyError) -> str:
    first = error.diagnostics[0]
    return ": ".join(filter(None, (first.summary, first.why)))


async def _arguments(course: Course, hook: Hook, *, repeated: bool) -> JSONObject:
    secrets: list[JSON] = [name for name, value in hook.env.items() if secret_names({name: value})]
    own = {name: course.secret(named[0]) if (named := secret_names({name: value})) else value for name, value in hook.env.items()}
    desk = course.world.desk
    environment: dict[str, JSON] = {**(desk.environ if hook.on == CONTROL else {}), **dict(_variables(course, hook)), **own}
    arguments: JSONObject = {
        "argv": list(hook.command),
        "environment": environment,
        "secrets": secrets,
        "timeout_ms": round(hook.timeout * 1000),
        "folder": desk.folder if hook.on == CONTROL else "/",
        "label": f"{course.server} {hook.name}",
    }
    told = dict(course.about)
    if hook.on == NEXT:
        home, told["instance"] = await course.inside()
        arguments |= {"home": home, "id": told["instance"]}
    return {**arguments, "stdin": f"{json.dumps(context(course, hook, repeated=repeated) | told, sort_keys=True)}\n"}


def context(course: Course, hook: Hook, *, repeated: bool) -> JSONObject:
    """What every hook reads on its standard input, as `docs/formats/hooks.md` specifies."""
    return {
        "schema": SCHEMA,
        "phase": hook.phase,
        "moment": _moment(hook),
        "operation": {"kind": course.kind, "id": course.operation},
        "project": course.world.project_id,
        "server": course.server,
        "host": course.host.name,
        "repeated": repeated,
    }


def _variables(course: Course, hook: Hook) -> Iterator[tuple[str, str]]:
    """The same for those that read no JSON. None is called like the variable of one of our flags: a hook may run us again."""
    release = course.about.get("release")
    yield "VITRIFY_HOOK_PHASE", hook.phase
    yield "VITRIFY_HOOK_MOMENT", _moment(hook)
    yield "VITRIFY_HOOK_OPERATION", course.kind
    yield "VITRIFY_HOOK_SERVER", course.server
    yield "VITRIFY_HOOK_HOST", course.host.name
    yield "VITRIFY_HOOK_RELEASE", str(release["number"]) if isinstance(release, dict) else ""


def around(step: str, operation: str, *, before: bool) -> tuple[str, ...]:
    """The phases that begin, or end, with this step of an operation on a release: the first and the last one bound it as a whole.

    A hook runs once, whatever steps its phase is made of: a rolling release launches and gates in each of its turns.
    """
    if before:
        return {"pause": (operation,), "launch": (operation, "launch"), "roll": (operation, "launch"), "retire": ()}.get(step, (step,))
    return {"roll": ("launch", "gate"), "drain": (), "retire": ("drain", operation)}.get(step, (step,))


async def inside(look: Callable[[], Awaitable[Sequence[Instance]]], site: Site, clock: Clock) -> tuple[str, str]:
    """The home and the id of one of these instances that runs; `TargetFailed` where none does, after a while."""
    until = clock.monotonic() + PATIENCE
    while True:
        found = await look()
        running = next((one.id for one in found if one.state == "running"), None)
        if running is not None:
            return site.home, running
        if clock.monotonic() >= until:
            seen = ", ".join(f"{one.id} is {one.state}" for one in found) or "there is none"
            raise TargetFailed("no instance runs that it could be run in", why=seen, hint="`on: control` or `on: host` needs none")
        await clock.sleep(0.2)


def _moment(hook: Hook) -> str:
    return "before" if hook.before else "after"


def under(course: Course, operation: str, *, kind: str, again: bool = False) -> Course:
    """The same surroundings, for something that the ledger knows by another name."""
    return replace(course, operation=operation, kind=kind, again=again)
