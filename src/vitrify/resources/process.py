"""The kind `process`: a long-running program, as a systemd unit on a host and as the entrypoint of an image."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional, Tuple

from vitrify.core import install, place, systemctl, unit
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource
from vitrify.core.schema import Field, Problem, Schema, Type
from vitrify.core.system import Attributes, Stat, System

UNITS = install.ADMIN
WANTS = f"{UNITS}/multi-user.target.wants"
SECRETS = "/etc/vitrify/env"
RESTARTS = "/run/vitrify/restart"
"""Holds one empty file for each process whose restart is owed: it outlives a killed run, and rightly not a reboot."""
PORT = "${instance.port}"
AS_WISHED, DOWN, OWED = "as wished", "does not run", "owes a restart"


def _process_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = _name_rules(str(values["name"]))
    port = values.get("port")
    if isinstance(port, int) and not 1 <= port <= 65535:
        found.append(Problem(("port",), f"{port} is not a port", "a number from 1 to 65535"))
    command, environment = values.get("command"), values.get("env", {})
    words = [str(word) for word in command] if isinstance(command, list) else []
    variables = environment if isinstance(environment, dict) else {}
    if port is None and any(PORT in text for text in [*words, *(str(value) for value in variables.values())]):
        found.append(Problem((), f"{PORT} is used, but there is no `port`", "declare the port that the process listens on"))
    found += [Problem(("command", str(index)), summary, hint) for index, summary, hint in unit.command_problems(words)]
    found += [Problem(("env", name), summary) for name, summary in unit.environment_problems(variables)]
    if "workdir" in values and not unit.plain_path(str(values["workdir"])):
        found.append(Problem(("workdir",), "a working folder cannot hold backslashes or spaces at its ends"))
    return found


def _name_rules(name: str) -> List[Problem]:
    if name.endswith(".service"):
        return [Problem(("name",), "a process is named without `.service`", f"write {name[: -len('.service')]}")]
    return [Problem(("name",), "the name of a process cannot hold @", "systemd would take it for a template")] if "@" in name else []


class Process(Kind):
    """A long-running program.

    On a host, in a folder and in an image this writes the unit `/etc/systemd/system/NAME.service` and the link that enables it;
    on a host with systemd it is (re)started as well. In an image it is also the entrypoint. The command is run as it stands, by
    no shell: only `${instance.port}` is replaced, and `$PORT` is in its environment where a port is declared.
    """

    name = "process"
    phases = frozenset({Phase.BAKE, Phase.LIVE})
    schema = Schema(
        fields={
            "name": Field(Type.NAME, "its name, and that of the unit", required=True),
            "command": Field(Type.TEXTS, "the program, as an absolute path, and its arguments"),
            "workdir": Field(Type.PATH, "the folder it starts in; / where not given"),
            "user": Field(Type.NAME, "the user it runs as; root where not given"),
            "port": Field(Type.INTEGER, "the TCP port it listens on, told to it in $PORT"),
            "env": Field(Type.MAP, "its environment; a value `secret:NAME` is kept out of the unit and out of images", secret=True),
            "environment_file": Field(Type.TEXT, "keyed digest of the file that holds its secret environment", resolved=True),
        },
        needs_one_of=(("command",),),
        rules=(_process_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """Its name."""
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        """The unit as declared, enabled and in service, and the file of secrets (or none)."""
        if resource.absent:
            return MISSING
        secrets = resource.fields.get("environment_file")
        found: Dict[str, JSON] = {"type": "process", "unit": digest_bytes(unit_text(resource).encode()), "mode": "0644"}
        found.update({"enabled": True, "service": AS_WISHED, "environment": secrets if secrets is not None else "none"})
        return {**found, "environment_mode": "0600"} if secrets is not None else found

    def observe(self, resource: Resource, system: System) -> Observation:
        """Unit, link and file of secrets; on a host with systemd also whether it runs as these say."""
        path, link, secrets = _paths(resource)
        stats = [system.stat(one) for one in (path, link, secrets)]
        running = _running(resource, system) if systemctl.live(system) else None
        if not any(stats) and not running:
            return Observation(resource.address, dict(MISSING))
        at_unit, at_link, at_secrets = stats
        found: Dict[str, JSON] = {"type": "process", "service": _service_state(resource, system, running=running)}
        found["enabled"] = _enables(at_link, resource)
        found["unit"] = _digest(path, at_unit, system, keyed=False)
        found["environment"] = _digest(secrets, at_secrets, system, keyed=True)
        found.update({"mode": at_unit.mode} if at_unit else {})
        found.update({"environment_mode": at_secrets.mode} if at_secrets else {})
        return Observation(resource.address, found, place.body(path, at_unit, system) if at_unit else None)

    def enact(self, change: Change, system: System) -> None:
        """Write what differs; on a host with systemd (re)start what changed, or stop what is to be absent."""
        if change.action is Action.REMOVE:
            _remove(change.resource, system)
            return
        live = systemctl.live(system)
        if live and _needs_restart(change):
            _owe(change.resource, system)
        _write(change, system)
        if live:
            systemctl.tell(system, "daemon-reload")
            _forgive(change.resource, system)
            systemctl.tell(system, "restart" if _needs_restart(change) else "start", _service(change.resource))
            system.remove(_owed(change.resource))
            _refuse_dead(change.resource, system)

    def settle(self, resource: Resource, system: System) -> None:
        """After an undo: run what the unit says now, or nothing where there is none any more."""
        if not systemctl.live(system):
            return
        there = system.stat(_paths(resource)[0]) is not None
        if not there:
            _stop(resource, system)
        systemctl.tell(system, "daemon-reload")
        if there:
            _forgive(resource, system)
            systemctl.tell(system, "restart", _service(resource))

    def affected(self, change: Change) -> Tuple[str, ...]:
        """Unit, link and file of secrets, and the folders that hold them."""
        path, link, secrets = _paths(change.resource)
        told = change.before.get("environment", "none") != "none" or "environment_file" in change.resource.fields
        paths = (path, link, secrets) if told else (path, link)
        folders = {folder for one in paths for folder in place.ancestors(one)}
        return (*sorted(folders), *paths)

    def owned_paths(self, resource: Resource) -> Tuple[str, ...]:
        """Unit and link, and the file of secrets where there is one."""
        path, link, secrets = _paths(resource)
        return (path, link, secrets) if "environment_file" in resource.fields else (path, link)

    def implied(self, resource: Resource, others: Mapping[Address, Resource]) -> Tuple[Address, ...]:
        """After the user it runs as."""
        return place.after_user(resource, others)

    def because(self, change: Change) -> Tuple[str, ...]:
        """In words that fit a service."""
        state = str(change.before.get("service"))
        words = {
            f"service {state} -> {AS_WISHED}": state,
            "enabled differs": "is not enabled",
            "unit differs": "the unit differs",
            "environment differs": "the secret environment differs",
        }
        return tuple(words.get(reason, reason) for reason in change.because)

    def text(self, resource: Resource, seen: Observation, blob: Callable[[str], bytes]) -> Optional[str]:
        """The unit."""
        return "" if resource.absent else unit_text(resource)


def unit_text(resource: Resource) -> str:
    """The unit file of a process."""
    fields = resource.fields
    secrets = _paths(resource)[2] if "environment_file" in fields else ""
    environment = {name: value for name, value in _environment(fields).items() if not value.startswith("secret:")}
    return unit.text(
        unit.Service(
            name=str(fields["name"]),
            argv=tuple(_filled(word, fields) for word in _argv(fields)),
            environment={name: _filled(value, fields) for name, value in environment.items()},
            workdir=str(fields.get("workdir", "/")),
            user=str(fields.get("user", "")),
            environment_file=secrets,
        )
    )


def image_process(resource: Resource) -> JSONObject:
    """What an image's configuration says of the process.

    `argv`, `workdir`, `user`, `port` (or None) and `env`: `secret:NAME` values and `${instance.port}` are left as they are, for
    whoever launches an instance.
    """
    fields = resource.fields
    port = fields.get("port")
    environment: Dict[str, JSON] = {name: value for name, value in _environment(fields).items() if name != "PORT" or value != str(port)}
    argv: List[JSON] = list(_argv(fields))
    return {"argv": argv, "workdir": str(fields.get("workdir", "/")), "user": str(fields.get("user", "")), "port": port, "env": environment}


def _argv(fields: Mapping[str, JSON]) -> List[str]:
    command = fields.get("command")
    return [str(word) for word in command] if isinstance(command, list) else []


def _environment(fields: Mapping[str, JSON]) -> Dict[str, str]:
    declared = fields.get("env")
    port = {"PORT": str(fields["port"])} if "port" in fields else {}
    return {**port, **({name: str(value) for name, value in declared.items()} if isinstance(declared, dict) else {})}


def _filled(text: str, fields: Mapping[str, JSON]) -> str:
    return text.replace(PORT, str(fields.get("port", PORT)))


def _service(resource: Resource) -> str:
    return f"{resource.fields['name']}.service"


def _paths(resource: Resource) -> Tuple[str, str, str]:
    service = _service(resource)
    return f"{UNITS}/{service}", f"{WANTS}/{service}", f"{SECRETS}/{resource.fields['name']}.env"


def _owed(resource: Resource) -> str:
    return f"{RESTARTS}/{resource.fields['name']}"


def _digest(path: str, stat: Optional[Stat], system: System, *, keyed: bool) -> str:
    if stat is None:
        return "none"
    return system.digest(path, keyed=keyed) if stat.type == "file" else stat.type


def _enables(stat: Optional[Stat], resource: Resource) -> bool:
    service = _service(resource)
    return stat is not None and stat.type == "link" and stat.link in (f"{UNITS}/{service}", f"../{service}")


def _state(resource: Resource, system: System) -> systemctl.States:
    return systemctl.show(system, [_service(resource)], "ActiveState", "SubState")[0]


def _running(resource: Resource, system: System) -> bool:
    return systemctl.runs(_state(resource, system))


def _service_state(resource: Resource, system: System, *, running: Optional[bool]) -> str:
    """Where nothing can run nothing is left to wish for."""
    if running is not None and system.stat(_owed(resource)) is not None:
        return OWED
    return DOWN if running is False else AS_WISHED


def _needs_restart(change: Change) -> bool:
    before, after = change.before, change.after
    return before.get("service") == OWED or any(before.get(name) != after.get(name) for name in ("unit", "environment"))


def _owe(resource: Resource, system: System) -> None:
    path = _owed(resource)
    _make_folders(path, system)
    if system.stat(path) is None:
        system.write(path, b"", attributes=Attributes(mode="0600"))


def _write(change: Change, system: System) -> None:
    resource = change.resource
    path, link, secrets = _paths(resource)
    wished = resource.fields.get("environment_file")
    if wished is not None:
        _make_folders(secrets, system)
        if _digest(secrets, system.stat(secrets), system, keyed=True) != wished:
            system.write(secrets, system.blob(str(wished)), attributes=Attributes(mode="0600"))
        else:
            system.set_attributes(secrets, Attributes(mode="0600"))
    _make_folders(link, system)
    system.write(path, unit_text(resource).encode(), attributes=Attributes(mode="0644"))
    if not _enables(system.stat(link), resource):
        if system.stat(link) is not None:
            system.remove(link)
        system.make_link(link, to=path)
    if wished is None:
        system.remove(secrets)


def _make_folders(path: str, system: System) -> None:
    for folder in place.ancestors(path):
        if system.stat(folder) is None:
            private = folder in (SECRETS, RESTARTS)
            system.make_directory(folder, attributes=Attributes(mode="0700" if private else "0755"))


def _remove(resource: Resource, system: System) -> None:
    path, link, secrets = _paths(resource)
    live = systemctl.live(system)
    if live:
        _stop(resource, system)
    for one in (link, path, secrets, _owed(resource)):
        system.remove(one)
    for folder in (SECRETS, place.parent(SECRETS)):
        if system.stat(folder) is not None and not system.names(folder):
            system.remove(folder)
    if live:
        systemctl.tell(system, "daemon-reload")


def _stop(resource: Resource, system: System) -> None:
    """Also one that is between two crashes: it would be started once more."""
    if _state(resource, system).get("ActiveState") not in ("inactive", "failed"):
        systemctl.tell(system, "stop", _service(resource))
    _forgive(resource, system)


def _forgive(resource: Resource, system: System) -> None:
    systemctl.forgive(system, _state(resource, system), _service(resource))


def _refuse_dead(resource: Resource, system: System) -> None:
    service = _service(resource)
    if not _running(resource, system):
        raise TargetFailed(
            f"{service} was started and does not run",
            why="its program ended at once",
            hint=f"`journalctl -u {service}` on the host tells more",
        )
