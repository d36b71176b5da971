"""Stand-ins for the few programs that kinds are tried with, systemctl among them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import digest_bytes
from vitrify.core.system import Attributes, Command, Completed
from vitrify.testing.memory_system import MemorySystem, Program


def programs() -> Mapping[str, Program]:
    """true, false, touch, `test -e` and `grep -q`, each by name and as a path below /usr/bin."""
    known = {"true": _ends(0), "false": _ends(1), "touch": _touch, "test": _test, "grep": _grep}
    return {**known, **{f"/usr/bin/{name}": program for name, program in known.items()}}


def _ends(code: int) -> Program:
    return lambda _system, _command: Completed(code, "", "")


def _touch(system: MemorySystem, command: Command) -> Completed:
    for path in command.argv[1:]:
        try:
            system.write(path, system.read(path) if system.stat(path) else b"", attributes=Attributes())
        except TargetFailed as error:
            return Completed(1, "", f"touch: {error}\n")
    return Completed(0, "", "")


def _test(system: MemorySystem, command: Command) -> Completed:
    return Completed(0 if system.stat(command.argv[2]) else 1, "", "")


def _grep(system: MemorySystem, command: Command) -> Completed:
    text, path = command.argv[2:4]
    found = system.stat(path) is not None and text.encode() in system.read(path)
    return Completed(0 if found else 1, "", "")


class MemoryAcl:
    """getfacl and setfacl: knows what the named users and groups may do, by path."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, str]] = {}

    def programs(self) -> Mapping[str, Program]:
        """Both, by name."""
        return {"getfacl": self._get, "setfacl": self._set}

    def _get(self, _: MemorySystem, command: Command) -> Completed:
        paths = command.argv[command.argv.index("--") + 1 :]
        told = [f"# file: {path}\n" + "".join(f"{one}:{may}\n" for one, may in self.entries.get(path, {}).items()) for path in paths]
        return Completed(0, "\n".join(told), "")

    def _set(self, _: MemorySystem, command: Command) -> Completed:
        entries = self.entries.setdefault(command.argv[-1], {})
        for flag, told in pairwise(command.argv):
            if flag == "--remove":
                for one in told.split(","):
                    entries.pop(one, None)
            elif flag == "--modify":
                entries.update((entry.rpartition(":")[0], entry.rpartition(":")[2]) for entry in told.split(","))
        return Completed(0, "", "")


class MemorySystemctl:
    """systemctl for services: knows what runs, and from which unit text each was started."""

    def __init__(self) -> None:
        self.running: dict[str, str] = {}
        self._loaded: dict[str, str] = {}

    def __call__(self, system: MemorySystem, command: Command) -> Completed:
        """One call: daemon-reload, start, restart, stop or show."""
        verb, names = command.argv[1], [word for word in command.argv[2:] if not word.startswith("-")]
        if verb == "daemon-reload":
            self._loaded = {name: digest_bytes(system.read(_unit(name))) for name in _units(system)}
            return Completed(0, "", "")
        (name,) = names
        if verb == "show":
            up = name in self.running
            return Completed(0, f"ActiveState={'active' if up else 'inactive'}\nSubState={'running' if up else 'dead'}\n", "")
        if verb == "stop":
            self.running.pop(name, None)
            return Completed(0, "", "")
        return self._start(name, again=verb == "restart")

    def _start(self, name: str, *, again: bool) -> Completed:
        if name not in self._loaded:
            return Completed(5, "", f"Unit {name} not found.\n")
        if again or name not in self.running:
            self.running[name] = self._loaded[name]
        return Completed(0, "", "")


def _unit(name: str) -> str:
    return f"/etc/systemd/system/{name}"


def _units(system: MemorySystem) -> tuple[str, ...]:
    names = system.names("/etc/systemd/system") if system.stat("/etc/systemd/system") else ()
    return tuple(name for name in names if name.endswith(".service") and (stat := system.stat(_unit(name))) and stat.type == "file")
