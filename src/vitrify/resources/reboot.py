"""The kind `reboot`: the host is restarted, and what is written after it is done once it is up again."""

from __future__ import annotations

from typing import Dict, List, Mapping, Tuple

from vitrify.core import boot, systemctl, waiting
from vitrify.core.diagnostic import TargetFailed, VitrifyError
from vitrify.core.difference import Change
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Kind, Observation, Phase, Properties, Resource, Sureness
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Question, System, Target

GOES_DOWN = 300.0
"""Seconds that a host has to end the process that told it to restart."""
_NOBODY_MAKES = "/run/vitrify/restarted"
_REBOOT, _LOOK = "reboot", "look"
"""How it hears of a change: it is due from then on, or has to look whether it is."""
_WHEN = ("when_required", "reboot_on", "always")


def _rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = waiting.timeout_problems(values)
    found += [
        Problem((name,), f"`{name}: false` says nothing", "say `when_required`, `reboot_on` or `always`")
        for name in ("when_required", "always")
        if values.get(name) is False
    ]
    named = values.get("reboot_on", [])
    for index, text in enumerate(named if isinstance(named, list) else []):
        try:
            Address.parse(str(text))
        except VitrifyError as error:
            found.append(Problem(("reboot_on", str(index)), error.diagnostics[0].summary, error.diagnostics[0].hint))
    return found


class Reboot(Kind):
    """A restart of the host, when it is due: a barrier. What is written after it is done on the host that is up again.

    `when_required`: packages ask for it (`/run/reboot-required`), or a newer kernel of the kind that runs is installed; whenever
    something changes that it is `after`, it looks again before it decides. `reboot_on`: one of these resources changed, and the host was
    not restarted since; a failed run does not forget it, a restart by anybody settles it.
    One run restarts a host once for each `reboot`, however often it is cut short, and fails where the host still asks for it
    afterwards. An apply waits for the host and goes on by itself, and so does the same command. Only for hosts with systemd that are
    reached over SSH. In a folder there is nothing to restart, and in an image it has no meaning. It cannot be undone.
    """

    name = "reboot"
    phases = frozenset({Phase.LIVE})
    restarts = True
    schema = Schema(
        fields={
            "name": Field(Type.NAME, "what to call it; `host` where not given"),
            "when_required": Field(Type.BOOLEAN, "due while the host's packages ask for it, or a newer kernel is installed than runs"),
            "reboot_on": Field(Type.TEXTS, "addresses of resources; due when one of them changes"),
            "always": Field(Type.BOOLEAN, "due every time: no plan will ever be empty"),
            "timeout": Field(Type.TEXT, "how long the host may take to be up again, as in 90s, 15m; 10m where not given"),
        },
        one_of=(("when_required", "always"), ("reboot_on", "always")),
        needs_one_of=(_WHEN,),
        rules=(_rules,),
        removable=False,
        lasting="there is nothing to take away: leave it out",
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The name."""
        return str(fields.get("name", "host"))

    def desired(self, resource: Resource) -> Properties:
        """That it is not due."""
        return {} if resource.absent else {"type": "reboot", "due": False}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Whether it is due, why, and in which start of the host that was seen."""
        if system.target is not Target.HOST:
            return Observation(resource.address, {"type": "reboot", "due": False, "host": False})
        why = _due(resource, system)
        more: Dict[str, JSON] = {"why": why, "boot": boot.boot(system)} if why else {}
        return Observation(resource.address, {"type": "reboot", "due": bool(why), **more})

    def enact(self, change: Change, system: System) -> None:
        """Restart the host, which ends this process too; where it is another start than the change began from, see whether that helped."""
        if system.target is not Target.HOST:
            return
        resource, begun = change.resource, change.before.get("boot")
        why, now = _due(resource, system), boot.boot(system)
        if begun not in (None, "", now):
            if why and resource.fields.get("always") is not True:
                raise TargetFailed(
                    f"{resource.address}: the host was restarted, and still asks for it",
                    why=why,
                    hint="find out on the host why: does it start another kernel than the newest, or does a package ask too much?",
                )
        elif why:
            _restart(resource, now, system)

    def undoable(self, change: Change) -> bool:
        """Never."""
        return False

    def sureness(self, change: Change) -> Sureness:
        """What is due always cannot be looked at afterwards."""
        return Sureness.OPAQUE if change.resource.fields.get("always") is True else Sureness.CERTAIN

    def listens(self, resource: Resource) -> Mapping[Address, str]:
        """What `reboot_on` names; where packages may ask, what it is `after` as well."""
        named = resource.fields.get("reboot_on", [])
        found = dict.fromkeys(resource.after if resource.fields.get("when_required") is True else (), _LOOK)
        return {**found, **{Address.parse(str(text)): _REBOOT for text in (named if isinstance(named, list) else [])}}

    def owe(self, resource: Resource, how: str, system: System) -> None:
        """The note lies where nothing outlives a restart: that is what settles it."""
        if how == _REBOOT and systemctl.live(system):
            systemctl.owe(system, _note(resource), how)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After what it listens to."""
        return tuple(address for address in self.listens(resource) if address in others)

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """That it only looks."""
        surely = change.before.get("due") is True or any(
            address in earlier for address, how in self.listens(change.resource).items() if how == _REBOOT
        )
        return "" if surely else "restarts the host only if that asks for it"

    def because(self, change: Change) -> Tuple[str, ...]:
        """What makes it due."""
        why = change.before.get("why")
        return (str(why),) if why else ()

    def notices(self, resource: Resource, seen: Observation) -> Tuple[str, ...]:
        """That a folder has nothing to restart."""
        return (f"{resource.address} has no meaning in a folder: nothing is restarted",) if seen.properties.get("host") is False else ()


def _note(resource: Resource) -> str:
    return f"{resource.address.name}.reboot"


def _due(resource: Resource, system: System) -> str:
    """Why it is due now; "" where it is not."""
    fields = resource.fields
    if fields.get("always") is True:
        return "runs always"
    if "reboot_on" in fields and systemctl.owed(system, _note(resource)) != "nothing":
        return "something that it follows changed, and the host was not restarted since"
    return boot.required(system) if fields.get("when_required") is True else ""


def _restart(resource: Resource, now: str, system: System) -> None:
    """Returns on a host alone that goes by another name afterwards, which no real one does under our feet."""
    if not (systemctl.live(system) and now):
        raise TargetFailed(
            f"{resource.address}: this host cannot be restarted from here",
            why="it has no systemd" if now else "one start of it cannot be told from the next",
            hint="restart it by hand, and leave this out for such hosts",
        )
    systemctl.tell(system, "reboot")
    system.answered(Question(path=_NOBODY_MAKES), within=GOES_DOWN)
    if boot.boot(system) == now:
        raise TargetFailed(
            f"{resource.address}: the host was told to restart and did not",
            why=f"{GOES_DOWN:g} s later it is still up",
            hint="`systemctl list-jobs` on the host tells what holds it",
        )
