"""The kind `timer`: a program that systemd runs at given times, as a pair of units."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import install, place, systemctl, unit, written
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON, digest_bytes
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Command, System

_SETTINGS = {"on_boot": "OnBootSec", "every": "OnUnitActiveSec", "delay": "RandomizedDelaySec", "accuracy": "AccuracySec"}
_PROPERTIES = ("LoadState", "ActiveState", "SubState", "NeedDaemonReload")


def _timer_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = []
    name = str(values["name"])
    if name.endswith((".timer", ".service")) or "@" in name:
        found.append(Problem(("name",), "a timer is named without a suffix and without @", "as in `name: backup`"))
    command, environment = values.get("command"), values.get("env", {})
    words = [str(word) for word in command] if isinstance(command, list) else []
    found += [Problem(("command", str(index)), summary, hint) for index, summary, hint in unit.command_problems(words)]
    found += [
        Problem(("env", one), summary) for one, summary in unit.environment_problems(environment if isinstance(environment, dict) else {})
    ]
    if values.get("persistent") is True and "on_calendar" not in values:
        found.append(
            Problem(("persistent",), "`persistent` has a meaning with `on_calendar` alone", "only a time of the calendar can be missed")
        )
    if "workdir" in values and not unit.plain_path(str(values["workdir"])):
        found.append(Problem(("workdir",), "a working folder cannot hold backslashes or spaces at its ends"))
    texts = [*(values[one] for one in _SETTINGS if one in values), *_calendar(values)]
    if any("\n" in str(text) or "\r" in str(text) for text in texts):
        found.append(Problem((), "a time cannot hold a line break", "several are a list of `on_calendar`"))
    return found


class Timer(Kind):
    """A program that is run at given times.

    Writes NAME.service and NAME.timer, enables the timer, and on a host with systemd starts it; the program itself is first run when its
    time comes. Times are written as systemd reads them: `on_calendar: ["Mon..Fri 03:00"]`, `on_boot: 5min`, `every: 1h`.
    """

    name = "timer"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "name": Field(Type.NAME, "its name, and that of both units", required=True),
            "command": Field(Type.TEXTS, "the program, as an absolute path, and its arguments"),
            "on_calendar": Field(Type.TEXTS, "times of the calendar; each must be one that `systemd-analyze calendar` understands"),
            "on_boot": Field(Type.TEXT, "how long after the start of the machine, as in 5min"),
            "every": Field(Type.TEXT, "how long after it last began, as in 1h; needs `on_boot` or `on_calendar` for its first time"),
            "persistent": Field(Type.BOOLEAN, "whether a time that was missed while the machine was off is made up for"),
            "delay": Field(Type.TEXT, "a random delay of up to this long, as in 10min"),
            "accuracy": Field(Type.TEXT, "how late it may be so that timers go together; systemd's own 1min where not given"),
            "user": Field(Type.NAME, "the user it runs as; root where not given"),
            "workdir": Field(Type.PATH, "the folder it starts in; / where not given"),
            "env": Field(Type.MAP, "its environment"),
        },
        needs_one_of=(("command",), ("on_calendar", "on_boot")),
        rules=(_timer_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """Its name."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """Both units as declared, enabled, loaded and waiting."""
        if resource.absent:
            return MISSING
        service, timer = (digest_bytes(text.encode()) for text in texts(resource))
        return {"type": "timer", "service": service, "timer": timer, "enabled": True, "waits": True}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Asked as one of many."""
        return self.observe_all([resource], system)[0]

    def observe_all(self, resources: Sequence[Resource], system: System) -> Tuple[Observation, ...]:
        """The units and the link of each; on a host with systemd also whether it waits, by one question for all."""
        units = [f"{one.fields['name']}.timer" for one in resources]
        states = systemctl.show(system, units, *_PROPERTIES) if systemctl.live(system) else ()
        return tuple(_seen(one, states[index] if states else None, system) for index, one in enumerate(resources))

    def enact(self, change: Change, system: System) -> None:
        """Write both units and the link, and let the timer wait by them; or take all three away."""
        resource, live = change.resource, systemctl.live(system)
        if change.action is Action.REMOVE:
            _remove(resource, system, live=live)
            return
        if live:
            _check_calendar(resource, system)
        for path, text in zip(_paths(resource), texts(resource)):  # noqa: B905  Python 3.9; the link has no text
            written.write(path, text.encode(), system)
        _, timer, link = _paths(resource)
        if not _leads(resource, system):
            place.make_folders(link, system)
            system.make_link(link, to=timer)
        if live:
            _begin(resource, system)

    def settle(self, resource: Resource, system: System) -> None:
        """After an undo: wait by the former units, or no more."""
        if not systemctl.live(system):
            return
        if system.stat(_paths(resource)[1]) is not None:
            _begin(resource, system)
            return
        _end(resource, system)
        systemctl.tell(system, "daemon-reload")

    def affected(self, change: Change) -> Tuple[str, ...]:
        """Both units and the link, and the folders above them."""
        return written.with_folders(*_paths(change.resource))

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """Both units and the link."""
        return _paths(resource)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the user it runs as."""
        return place.after_user(resource, others)

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a timer."""
        words = {
            "service differs": "what it runs differs",
            "timer differs": "its times differ",
            "enabled differs": "is not enabled",
            "waits differs": "does not wait",
        }
        return tuple(words.get(reason, reason) for reason in change.because)

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """Both units, one after the other."""
        return "" if resource.absent else "\n".join(texts(resource))


def texts(resource: Resource) -> Tuple[str, str]:
    """The service and the timer."""
    fields = resource.fields
    command, environment = fields.get("command"), fields.get("env")
    service: Dict[str, object] = {
        "Type": "oneshot",
        **({"User": unit.specified(str(fields["user"]))} if "user" in fields else {}),
        "WorkingDirectory": unit.specified(str(fields.get("workdir", "/"))),
        "Environment": [
            unit.quoted(f"{name}={value}", always=False)
            for name, value in sorted((environment if isinstance(environment, dict) else {}).items())
        ],
        "ExecStart": " ".join(unit.argument(str(word)) for word in (command if isinstance(command, list) else ())),
    }
    timer: Dict[str, object] = {"OnCalendar": _calendar(fields)}
    timer.update({setting: str(fields[name]) for name, setting in _SETTINGS.items() if name in fields})
    if "persistent" in fields:
        timer["Persistent"] = fields["persistent"]
    about = {"Description": unit.specified(str(fields["name"]))}
    return (
        unit.sections_text({"Unit": about, "Service": service}),
        unit.sections_text({"Unit": about, "Timer": timer, "Install": {"WantedBy": "timers.target"}}),
    )


def _calendar(fields: Mapping[str, JSON]) -> List[str]:
    times = fields.get("on_calendar", [])
    return [str(time) for time in times] if isinstance(times, list) else []


def _paths(resource: Resource) -> Tuple[str, str, str]:
    name = resource.fields["name"]
    return f"{install.ADMIN}/{name}.service", f"{install.ADMIN}/{name}.timer", f"{install.ADMIN}/timers.target.wants/{name}.timer"


def _leads(resource: Resource, system: System) -> bool:
    _, timer, link = _paths(resource)
    stat = system.stat(link)
    return stat is not None and stat.type == "link" and stat.link in (timer, f"../{resource.fields['name']}.timer")


def _seen(resource: Resource, state: Optional[systemctl.States], system: System) -> Observation:
    service, timer, link = _paths(resource)
    up = state is not None and systemctl.runs(state)
    stats = [system.stat(path) for path in (service, timer, link)]
    if not any(stats) and not up:
        return Observation(resource.address, dict(MISSING))
    found: Dict[str, JSON] = {"type": "timer", "enabled": _leads(resource, system)}
    found.update({"service": written.seen(service, system)["file"], "timer": written.seen(timer, system)["file"]})
    found["waits"] = state is None or (up and state.get("NeedDaemonReload") != "yes")
    bodies = [place.body(path, stat, system) for path, stat in zip((service, timer), stats) if stat]  # noqa: B905  the link has none
    return Observation(resource.address, found, "\n".join(body for body in bodies if body is not None) if all(bodies) else None)


def _check_calendar(resource: Resource, system: System) -> None:
    """Before anything is written: systemd takes a timer whose times it cannot read, and then refuses to start it."""
    times = _calendar(resource.fields)
    if not times:
        return
    ended = system.run(Command(("systemd-analyze", "calendar", "--", *times)))
    if ended.code != 0:
        raise TargetFailed(
            f"{resource.address} has a time that systemd does not understand",
            why="; ".join(ended.stderr.strip().splitlines()),
            hint="`man systemd.time` describes them, as in `Mon..Fri 03:00`",
        )


def _begin(resource: Resource, system: System) -> None:
    systemctl.tell(system, "daemon-reload")
    systemctl.tell(system, "restart", f"{resource.fields['name']}.timer")


def _end(resource: Resource, system: System) -> None:
    name = f"{resource.fields['name']}.timer"
    if systemctl.runs(systemctl.show(system, [name], *_PROPERTIES)[0]):
        systemctl.tell(system, "stop", name)


def _remove(resource: Resource, system: System, *, live: bool) -> None:
    """A run of the program that is under way is left to end."""
    if live:
        _end(resource, system)
    for path in reversed(_paths(resource)):
        system.remove(path)
    if live:
        systemctl.tell(system, "daemon-reload")
