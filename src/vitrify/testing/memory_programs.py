"""Stand-ins for the few programs that kinds are tried with, systemctl among them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from vitrify.core import install
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import digest_bytes
from vitrify.core.system import Attributes, Command, Completed
from vitrify.testing.memory_system import MemorySystem, Program


def programs() -> Mapping[str, Program]:
    """true, false, touch, `test -e` and `grep -q`, and a shell that knows `touch`, each by name and as a path below /usr/bin."""
    known = {"true": _ends(0), "sh": _sh, "false": _ends(1), "touch": _touch, "test": _test, "grep": _grep}
    return {**known, "/bin/sh": _sh, **{f"/usr/bin/{name}": program for name, program in known.items()}}


def _ends(code: int) -> Program:
    return lambda _system, _command: Completed(code, "", "")


def _touch(system: MemorySystem, command: Command) -> Completed:
    for path in command.argv[1:]:
        try:
            system.write(path, system.read(path) if system.stat(path) else b"", attributes=Attributes())
        except TargetFailed as error:
            return Completed(1, "", f"touch: {error}\n")
    return Completed(0, "", "")


def _sh(system: MemorySystem, command: Command) -> Completed:
    lines = [line.split() for line in (command.attached or b"").decode().splitlines() if line and not line.startswith("#")]
    ended = [
        _touch(system, Command(tuple(words))) if words[0] == "touch" else Completed(127, "", f"{words[0]}: not found\n") for words in lines
    ]
    return next((one for one in ended if one.code), Completed(0, "", ""))


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
    """systemctl: knows what runs, from which unit text each was started, and how each was told."""

    def __init__(self, *running: str) -> None:
        self.running: dict[str, str] = dict.fromkeys(running, "")
        self.told: list[tuple[str, str]] = []
        self._loaded: dict[str, str] = {}

    def __call__(self, system: MemorySystem, command: Command) -> Completed:
        """One call: daemon-reload, start, restart, reload-or-restart, stop, reset-failed, show or reboot."""
        verb, names = command.argv[1], [word for word in command.argv[2:] if not word.startswith("-")]
        if verb == "daemon-reload":
            self._loaded = {name: digest_bytes(system.read(path)) for name, path in _units(system).items()}
            return Completed(0, "", "")
        if verb == "reboot":
            return _start_anew(system)
        if verb == "show":
            return Completed(0, "\n".join(self._shown(system, name) for name in names), "")
        for name in names:
            self.told.append((verb, name))
            if verb == "stop":
                self.running.pop(name, None)
            elif verb != "reset-failed":
                ended = self._start(system, name, again=verb != "start")
                if ended.code:
                    return ended
        return Completed(0, "", "")

    def _shown(self, system: MemorySystem, name: str) -> str:
        up, known = name in self.running, install.find(name, system)
        load = "masked" if install.masked(name, system) else "loaded" if known or up else "not-found"
        stale = known is not None and self._loaded.get(name) != digest_bytes(system.read(known.path))
        told = {
            "LoadState": load,
            "ActiveState": "active" if up else "inactive",
            "SubState": "running" if up else "dead",
            "NeedDaemonReload": "yes" if stale else "no",
        }
        return "".join(f"{key}={value}\n" for key, value in told.items())

    def _start(self, system: MemorySystem, name: str, *, again: bool) -> Completed:
        if install.masked(name, system):
            return Completed(1, "", f"Unit {name} is masked.\n")
        if name not in self._loaded:
            return Completed(5, "", f"Unit {name} not found.\n")
        if again or name not in self.running:
            self.running[name] = self._loaded[name]
        return Completed(0, "", "")


def _start_anew(system: MemorySystem) -> Completed:
    """What the host keeps of a start is gone, and the next one has a name of its own."""
    for path in [path for path in system.nodes if path.startswith("/run/")]:
        del system.nodes[path]
    system.write("/proc/sys/kernel/random/boot_id", b"another\n", attributes=Attributes())
    return Completed(0, "", "")


def _units(system: MemorySystem) -> dict[str, str]:
    """Name -> path of every unit file; the administrator's go first."""
    found: dict[str, str] = {}
    for folder in reversed((install.ADMIN, *install.VENDOR)):
        for name in system.names(folder) if system.stat(folder) else ():
            stat = system.stat(f"{folder}/{name}")
            if stat and stat.type == "file":
                found[name] = f"{folder}/{name}"
    return found
