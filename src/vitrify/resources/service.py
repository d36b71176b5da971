"""The kind `service`: a unit that something else brought along runs, is enabled, is masked, and is told of changes."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import install, systemctl, sysv
from vitrify.core.diagnostic import TargetFailed, VitrifyError
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System

PROPERTIES = ("LoadState", "ActiveState", "SubState", "NeedDaemonReload", "Type")
THERE, MISSING_UNIT = "there", "missing"
_SWITCHES = ("running", "enabled", "masked")


def _service_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = [Problem(("name",), summary, hint) for summary, hint in systemctl.unit_problems(str(values["name"]))]
    if values.get("masked") is True:
        found += [
            Problem((name,), f"a masked unit cannot be {name}", "leave out one of the two")
            for name in ("running", "enabled")
            if values.get(name) is True
        ]
    for name in ("restart_on", "reload_on"):
        named = values.get(name, [])
        for index, text in enumerate(named if isinstance(named, list) else []):
            found += _address_problems(str(text), (name, str(index)))
    return found


def _address_problems(text: str, path: Tuple[str, ...]) -> List[Problem]:
    try:
        Address.parse(text)
    except VitrifyError as error:
        return [Problem(path, error.diagnostics[0].summary, error.diagnostics[0].hint)]
    return []


class Service(Kind):
    """A unit of systemd that something else brings: a package, a `unit`, a `file`.

    A name without a suffix is a service; `x.timer` and `x.socket` are units as they stand. Only what is declared is compared. A unit
    that has nothing to enable (no section `[Install]`) counts as enabled or not, as wished. An init script that no unit stands beside
    is enabled by `update-rc.d`. A restart or reload that is owed is paid
    once, after all changes it listens to; it starts nothing that does not run. Where the unit cannot reload it is restarted.
    In a folder and in an image the links alone are made. A service that left the declaration stays as it is.
    """

    name = "service"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    live_only = frozenset({"running", "restart_on", "reload_on"})
    schema = Schema(
        fields={
            "name": Field(Type.NAME, "its unit; without a suffix it is a service", required=True),
            "running": Field(Type.BOOLEAN, "whether it runs now; left as it is where not given"),
            "enabled": Field(Type.BOOLEAN, "whether it is started with the machine; left as it is where not given"),
            "masked": Field(Type.BOOLEAN, "whether nobody can start it; left as it is where not given"),
            "restart_on": Field(Type.TEXTS, "addresses of resources; it is restarted when one of them changes, if it runs"),
            "reload_on": Field(Type.TEXTS, "addresses of resources; it is reloaded when one of them changes, if it runs"),
        },
        rules=(_service_rules,),
        removable=False,
        lasting="what it was before is not known: declare `running: false` and `enabled: false`",
    )
    short = "name"

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The name as it was written."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """The switches that were declared; one that shall run or be enabled must exist, and one that listens owes nothing."""
        if resource.absent:
            return {}
        fields = resource.fields
        found: Dict[str, JSON] = {"type": "service", **{name: fields[name] for name in _SWITCHES if name in fields}}
        if fields.get("running") is True or fields.get("enabled") is True:
            found["unit"] = THERE
        return {**found, "owes": "nothing"} if self.listens(resource) else found

    def observe(self, resource: Resource, system: System) -> Observation:
        """Asked as one of many."""
        return self.observe_all([resource], system)[0]

    def observe_all(self, resources: Sequence[Resource], system: System) -> Tuple[Observation, ...]:
        """The links of each; on a host with systemd also what that says of all of them, by one question."""
        units = [_unit(one) for one in resources]
        states = systemctl.show(system, units, *PROPERTIES) if systemctl.live(system) else ()
        told = [(one, states[index] if states else None) for index, one in enumerate(resources)]
        return tuple(Observation(one.address, _seen(one, state, system)) for one, state in told)

    def enact(self, change: Change, system: System) -> None:
        """Unmask, (un)link, stop, mask, start, and tell what is owed: only what differs."""
        after, unit = change.after, _unit(change.resource)
        live = systemctl.live(system)
        _set_links(after, change.resource, system)
        if not live:
            return
        _load(unit, system)
        if after.get("running") is False:
            _stop(unit, system)
        if after.get("masked") is True and not install.masked(unit, system):
            install.mask(unit, system)
            systemctl.tell(system, "daemon-reload")
        if after.get("running") is True and not systemctl.runs(_state(unit, system)):
            _start(unit, system)
        elif "owes" in after:
            _pay(unit, system)

    def inverse(self, change: Change) -> Optional[Change]:
        """Every switch as it was; the unit itself is not ours to take away."""
        before = {name: change.before[name] for name in change.after if name in _SWITCHES and name in change.before}
        return Change(change.resource, Action.UPDATE, before=change.after, after={"type": "service", **before})

    def listens(self, resource: Resource) -> Mapping[Address, str]:
        """What `restart_on` and `reload_on` name; a restart outweighs a reload."""
        found: Dict[Address, str] = {}
        for name, how in (("reload_on", "reload"), ("restart_on", "restart")):
            named = resource.fields.get(name, [])
            found.update({Address.parse(str(text)): how for text in (named if isinstance(named, list) else [])})
        return found

    def owe(self, resource: Resource, how: str, system: System) -> None:
        """Nothing is owed where nothing can run."""
        if systemctl.live(system):
            systemctl.owe(system, _unit(resource), how)

    def settle(self, resource: Resource, system: System) -> None:
        """Pay what is owed."""
        if systemctl.live(system):
            _load(_unit(resource), system)
            _pay(_unit(resource), system)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After what it listens to, and after whatever bears its name."""
        return tuple(address for address in (*self.listens(resource), *_bringers(resource)) if address in others)

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        """Which change before it brings the unit."""
        if change.before.get("unit") != MISSING_UNIT or "unit" not in change.after:
            return ""
        present = [address for address, one in earlier.items() if one.action is not Action.REMOVE]
        named = [address for address in _bringers(change.resource) if address in present]
        if named:
            return f"{named[0].kind} {named[0].name} provides this unit"
        packages = [address.name for address in present if address.kind == "package"]
        if packages:
            return f"a package before it may provide this unit: {', '.join(packages[:3])}{', …' if len(packages) > 3 else ''}"
        other = next((address for address in present if address.kind in ("command", "tree", "line")), None)
        return f"{other} may provide this unit" if other else ""

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a service."""
        if change.before.get("unit") == MISSING_UNIT and "unit" in change.after:
            return ("there is no such unit: this will fail unless a change before it brings one",)
        if change.before.get("masked") is True and "masked" not in change.after and (set(change.after) & {"running", "enabled"}):
            wished = [name for name in ("running", "enabled") if change.after.get(name) is True]
            if wished:
                return (f"it is masked and cannot be {wished[0]}: this will fail without `masked: false`",)
        return tuple(_words(name, change) for name in (*_SWITCHES, "owes") if name in change.after and _differs(name, change))


def _differs(name: str, change: Change) -> bool:
    return change.after[name] != change.before.get(name)


def _words(name: str, change: Change) -> str:
    if name == "owes":
        return f"owes a {change.before.get('owes')}"
    if name == "running":
        return "runs" if change.after[name] is False else "does not run"
    return f"is {name}" if change.after[name] is False else f"is not {name}"


def _unit(resource: Resource) -> str:
    return systemctl.unit_name(str(resource.fields["name"]))


def _bringers(resource: Resource) -> Tuple[Address, ...]:
    """The resources by whose name alone it is known that they bring this unit."""
    unit, name = _unit(resource), str(resource.fields["name"])
    stem, _, suffix = unit.rpartition(".")
    files = tuple(Address("file", f"{folder}/{unit}") for folder in (install.ADMIN, *install.VENDOR))
    by_name = (Address("unit", unit), Address("unit", name), Address("process", stem), Address("package", stem), *files)
    return (*by_name, Address("timer", stem)) if suffix == "timer" else by_name


def _state(unit: str, system: System) -> systemctl.States:
    return systemctl.show(system, [unit], *PROPERTIES)[0]


def _seen(resource: Resource, state: Optional[systemctl.States], system: System) -> Properties:
    unit, fields = _unit(resource), resource.fields
    file = install.find(unit, system)
    old = "" if file is not None else sysv.script(unit, system)
    there = file is not None or old != "" or (state is not None and state.get("LoadState") not in (None, "not-found", "masked"))
    found: Dict[str, JSON] = {"type": "service", "unit": THERE if there else MISSING_UNIT}
    found["masked"] = install.masked(unit, system) or (state is not None and state.get("LoadState") == "masked")
    found["enabled"] = sysv.enabled(old, system) if old else install.enabled(unit, system)
    if there and not old and (file is None or not install.can_be(file)) and "enabled" in fields:
        found["enabled"] = fields["enabled"]
    if state is None:
        return {**found, "owes": "nothing", **({"running": fields["running"]} if "running" in fields else {})}
    return {**found, "running": systemctl.runs(state), "owes": systemctl.owed(system, unit)}


def _set_links(after: Properties, resource: Resource, system: System) -> None:
    """What is there already is left alone; off a live host this is all there is to do."""
    unit, before = _unit(resource), _seen(resource, None, system)
    changes = "enabled" in after and after["enabled"] != before["enabled"]
    if after.get("masked") is False:
        install.unmask(unit, system)
    if before["masked"] and after.get("masked") is None and changes and after["enabled"] is True:
        raise TargetFailed(f"{unit} is masked and cannot be enabled", hint="add `masked: false`")
    old = "" if install.find(unit, system) is not None else sysv.script(unit, system)
    if changes and old:
        sysv.switch(old, system, on=after["enabled"] is True)
    elif changes and after["enabled"] is True:
        install.enable(unit, system)
    elif changes:
        install.disable(unit, system)
    if after.get("masked") is True and not systemctl.live(system):
        install.mask(unit, system)
    if systemctl.live(system) and (changes or (after.get("masked") is False and before["masked"] is True)):
        systemctl.tell(system, "daemon-reload")


def _load(unit: str, system: System) -> None:
    """Let systemd read a unit whose file changed on the disk."""
    state = _state(unit, system)
    if state.get("NeedDaemonReload") == "yes" or state.get("LoadState") == "not-found":
        systemctl.tell(system, "daemon-reload")


def _stop(unit: str, system: System) -> None:
    state = _state(unit, system)
    if state.get("ActiveState") not in ("inactive", "failed"):
        systemctl.tell(system, "stop", unit)
        state = _state(unit, system)
    systemctl.forgive(system, state, unit)
    systemctl.paid(system, unit)


def _start(unit: str, system: System) -> None:
    """A fresh start pays a restart that is owed."""
    systemctl.forgive(system, _state(unit, system), unit)
    systemctl.tell(system, "start", unit)
    systemctl.paid(system, unit)
    _refuse_dead(unit, system)


def _pay(unit: str, system: System) -> None:
    """Only a unit that runs is told; what does not run will read what is new when it starts."""
    how = systemctl.owed(system, unit)
    if how == "nothing":
        return
    if systemctl.runs(_state(unit, system)):
        systemctl.tell(system, "restart" if how == "restart" else "reload-or-restart", unit)
        systemctl.paid(system, unit)
        _refuse_dead(unit, system)
    systemctl.paid(system, unit)


def _refuse_dead(unit: str, system: System) -> None:
    state = _state(unit, system)
    if systemctl.runs(state):
        return
    if state.get("Type") == "oneshot" and state.get("ActiveState") == "inactive":
        raise TargetFailed(
            f"{unit} was started and does not run",
            why="it is of the type oneshot: it ran to its end",
            hint="leave `running` out, or give its unit `RemainAfterExit=yes`",
        )
    hint = f"`journalctl -u {unit}` on the host tells more"
    raise TargetFailed(f"{unit} was started and does not run", why="its program ended at once", hint=hint)
