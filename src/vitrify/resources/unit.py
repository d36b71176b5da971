"""The kind `unit`: a unit file of systemd, or a drop-in that changes one which something else brought."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from vitrify.core import install, place, systemctl, unit, written
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import System

_TARGETS = ("basic", "default", "getty", "graphical", "local-fs", "multi-user", "network-online", "paths", "sockets", "sysinit", "timers")
"""The targets that units are wanted by: their links to a unit go with it, and come back with it."""


def _unit_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = written.template_problems(values)
    if "sections" in values:
        found += [Problem(("sections", *path), summary, hint) for path, summary, hint in unit.sections_problems(values["sections"])]
    if str(values.get("drop_in", "")).endswith(".conf"):
        found.append(Problem(("drop_in",), "a drop-in is named without `.conf`", f"write {str(values['drop_in'])[: -len('.conf')]}"))
    return found


class Unit(Kind):
    """A unit file in /etc/systemd/system, or with `drop_in` a file beside one that something else brought.

    It says how the unit is made, not whether it runs: that is a `service`, which may listen to it. On a host with systemd all that
    changed is loaded by one `daemon-reload`. `sections` is the file as a map: `{Service: {ExecStart: ["", "/usr/bin/shop"]}}`; a list
    is a setting that stands several times, and specifiers such as `%i` count. A unit file that goes is stopped first, and the
    links of the usual targets to it go with it.
    """

    name = "unit"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    together = True
    schema = Schema(
        fields={
            "name": Field(Type.NAME, "the unit; without a suffix it is a service", required=True),
            "drop_in": Field(Type.NAME, "the name of a drop-in: the file is NAME.d/DROP_IN.conf"),
            "sections": Field(Type.ANY, "a map: section -> setting -> text, number, true or false, or a list of these"),
            "content": Field(Type.TEXT, "the whole file as text"),
            "template": Field(Type.TEXT, "a Jinja template in the project that renders it", control=True),
            "vars": Field(Type.ANY, "a map of values for the template", control=True),
            "source": Field(Type.TEXT, "a file in the project to take byte for byte", control=True),
        },
        one_of=(("sections", "content", "template", "source"),),
        needs_one_of=(("sections", "content", "template", "source"),),
        rules=(_unit_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The whole name of the unit, and after a # that of the drop-in."""
        name = systemctl.unit_name(str(fields["name"]))
        return f"{name}#{fields['drop_in']}" if "drop_in" in fields else name

    def desired(self, resource: Resource) -> Properties:
        """The file as declared, and loaded."""
        if resource.absent:
            return MISSING
        fields = resource.fields
        text = (
            written.wished(unit.sections_text(_sections(fields))) if "sections" in fields else {"file": fields["content"], "mode": "0644"}
        )
        return {"type": "unit", **text, "loaded": True}

    def observe(self, resource: Resource, system: System) -> Observation:
        """Asked as one of many."""
        return self.observe_all([resource], system)[0]

    def observe_all(self, resources: Sequence[Resource], system: System) -> Tuple[Observation, ...]:
        """The file of each; on a host with systemd also whether that has read it, by one question for all."""
        names = sorted({_unit(one) for one in resources if _runs_itself(one)}) if systemctl.live(system) else []
        states = dict(zip(names, systemctl.show(system, names, "NeedDaemonReload")))  # noqa: B905  Python 3.9; as many as were asked for
        return tuple(_seen(one, states.get(_unit(one), {}), system) for one in resources)

    def enact(self, change: Change, system: System) -> None:
        """Done as one of many."""
        self.enact_all([change], system)

    def enact_all(self, changes: Sequence[Change], system: System) -> None:
        """Write or remove every file, then let systemd read them all."""
        for change in changes:
            if change.action is Action.REMOVE:
                _remove(change.resource, system)
            else:
                written.write(_path(change.resource), _content(change, system), system)
        if systemctl.live(system):
            systemctl.tell(system, "daemon-reload")

    def settle(self, resource: Resource, system: System) -> None:
        """After an undo systemd must read the former file; what has none any more is stopped."""
        if not systemctl.live(system):
            return
        if system.stat(_path(resource)) is None:
            _stop(resource, system)
        systemctl.tell(system, "daemon-reload")

    def affected(self, change: Change) -> Tuple[str, ...]:
        """The file and the folders above it, and for a unit that goes the links that want it."""
        links = _wanting(change.resource) if change.action is Action.REMOVE else ()
        return (*written.with_folders(_path(change.resource)), *links)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """The file."""
        return (_path(resource),)

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a unit."""
        told = tuple("systemd has not read it" if reason == "loaded differs" else reason for reason in change.because)
        return written.because(told)

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The file; units are for everybody to read."""
        if resource.absent:
            return ""
        fields = resource.fields
        return unit.sections_text(_sections(fields)) if "sections" in fields else place.as_text(blob(str(fields["content"])))


def _sections(fields: Mapping[str, JSON]) -> Mapping[str, object]:
    found = fields["sections"]
    return found if isinstance(found, dict) else {}


def _unit(resource: Resource) -> str:
    return systemctl.unit_name(str(resource.fields["name"]))


def _path(resource: Resource) -> str:
    path = f"{install.ADMIN}/{_unit(resource)}"
    return f"{path}.d/{resource.fields['drop_in']}.conf" if "drop_in" in resource.fields else path


def _wanting(resource: Resource) -> Tuple[str, ...]:
    if "drop_in" in resource.fields:
        return ()
    return tuple(f"{install.ADMIN}/{target}.target.wants/{_unit(resource)}" for target in _TARGETS)


def _runs_itself(resource: Resource) -> bool:
    """Whether systemd can be asked about it: not about a template."""
    return not systemctl.unit_problems(_unit(resource))


def _seen(resource: Resource, state: systemctl.States, system: System) -> Observation:
    path = _path(resource)
    stat = system.stat(path)
    loaded = state.get("NeedDaemonReload", "no") != "yes"
    if stat is None and (loaded or not resource.absent):
        return Observation(resource.address, dict(MISSING))
    found: Dict[str, JSON] = {"type": "unit", **written.seen(path, system), "loaded": loaded}
    return Observation(resource.address, found, place.body(path, stat, system) if stat else None)


def _content(change: Change, system: System) -> bytes:
    fields = change.resource.fields
    return unit.sections_text(_sections(fields)).encode() if "sections" in fields else system.blob(str(fields["content"]))


def _remove(resource: Resource, system: System) -> None:
    path = _path(resource)
    if "drop_in" not in resource.fields and systemctl.live(system):
        _stop(resource, system)
    for link in _wanting(resource):
        stat = system.stat(link)
        if stat is not None and stat.type == "link":
            system.remove(link)
    system.remove(path)
    folder = place.parent(path)
    if "drop_in" in resource.fields and system.stat(folder) is not None and not system.names(folder):
        system.remove(folder)


def _stop(resource: Resource, system: System) -> None:
    """Only what would be left running without a unit: a drop-in's unit, and one that a package brought too, go on."""
    name = _unit(resource)
    if "drop_in" in resource.fields or not _runs_itself(resource) or any(system.stat(f"{one}/{name}") for one in install.VENDOR):
        return
    (state,) = systemctl.show(system, [name], "ActiveState", "SubState")
    if state.get("ActiveState") not in ("inactive", "failed"):
        systemctl.tell(system, "stop", name)
        (state,) = systemctl.show(system, [name], "ActiveState", "SubState")
    systemctl.forgive(system, state, name)
