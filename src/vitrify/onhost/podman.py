"""The podman of this host: how it must be called here so that it works, and an error in its own words where it does not.

Two things stop podman on small machines, and both are met here: a hierarchy of control groups that is half version 1 and
half version 2, which crun refuses unless it cannot see the second half; and limits that nobody here may raise.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost.record import read_record, write_record, write_whole

RECORD = "podman.json"
"""In a home that podman ever kept an instance of: how it was called."""

PASSED_ON = (
    "CONTAINERS_CONF",
    "CONTAINERS_STORAGE_CONF",
    "DBUS_SESSION_BUS_ADDRESS",
    "HOME",
    "PATH",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
)
"""What podman learns from our environment: where it is to find things, and nothing else."""

PATIENCE = 300.0
"""Seconds that one call may take: an image of some gigabytes is read and written once."""

_SECOND_HALF = "/sys/fs/cgroup/unified"
_WRAPPER = """#!/bin/sh
# Starts crun where it does not see the second hierarchy of control groups, which it refuses to run beside the first.
exec unshare --mount --propagation private sh -c 'umount "$0" && exec crun "$@"' {second} "$@"
"""
_INIT = ("/usr/libexec/podman/catatonit", "/usr/local/libexec/podman/catatonit", "/usr/lib/podman/catatonit", "/usr/bin/catatonit")
_LIMITS = (("nofile", resource.RLIMIT_NOFILE, 1048576), ("nproc", resource.RLIMIT_NPROC, 32768))
"""The limits that podman raises by itself, and how far: what it gives its own children at most."""


@dataclass(frozen=True)
class Podman:
    """A podman with its global options. `environment` is all that it is started with."""

    argv: Tuple[str, ...]
    environment: Mapping[str, str]

    def run(self, *words: str, given: bytes = b"", more: Optional[Mapping[str, str]] = None) -> bytes:
        """What it wrote; TargetFailed with its own words where it fails. `more` is added to its environment."""
        done = self.ask(*words, given=given, more=more)
        if done.returncode != 0:
            raise failed(words, done.stderr)
        return done.stdout

    def ask(self, *words: str, given: bytes = b"", more: Optional[Mapping[str, str]] = None) -> subprocess.CompletedProcess[bytes]:
        """The same, for a caller to whom a failure is an answer."""
        environment = {**self.environment, **(more or {})}
        try:
            return subprocess.run(
                [*self.argv, *words], input=given, capture_output=True, check=False, env=environment, cwd="/", timeout=PATIENCE
            )
        except OSError as error:
            raise TargetFailed(f"podman cannot be started: {self.argv[0]}", why=str(error), hint="apt-get install podman") from error
        except subprocess.TimeoutExpired:
            raise TargetFailed(f"`podman {words[0]}` did not end within {PATIENCE:.0f} s") from None

    def look(self, *words: str) -> Optional[JSONObject]:
        """The one thing that an `inspect` shows; None where it is not there."""
        done = self.ask(*words, "--format", "json")
        found: JSON = json.loads(done.stdout or b"[]") if done.returncode == 0 else []
        first = found[0] if isinstance(found, list) and found else found
        return first if isinstance(first, dict) and first else None


def failed(words: Tuple[str, ...], said: bytes) -> TargetFailed:
    """What podman could not do, in its own words."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    told = [line.removeprefix("Error: ") for line in lines[-2:]]
    return TargetFailed(f"`podman {' '.join(words[:2])}` failed", why="; ".join(told), hint="`vitrify doctor` tells what podman lacks here")


def settle(home: str, storage: str) -> Podman:
    """The podman to be used from now on in this home. `storage` is a folder that holds its containers, "" for podman's own."""
    argv = [check(), *_stored(storage)]
    if not Path("/run/systemd/system").is_dir():
        argv += ["--cgroup-manager", "cgroupfs", "--events-backend", "file"]
    if halved():
        argv += ["--runtime", _wrapper(home)]
    record: JSONObject = {"format": 1, "argv": list(argv)}
    if read_record(f"{home}/{RECORD}") != record:
        write_record(f"{home}/{RECORD}", record)
    return Podman(tuple(argv), _environment())


def check() -> str:
    """The path of podman, where all that it needs is here; TargetFailed with the line that mends what is not."""
    program = shutil.which("podman")
    if program is None:
        raise TargetFailed("podman is not on this host", hint="apt-get install podman crun netavark catatonit uidmap")
    if not any(os.access(path, os.X_OK) for path in _INIT):
        why = "podman starts it in each container, so that an application hears that it is to end"
        raise TargetFailed("catatonit is not on this host", why=why, hint="apt-get install catatonit")
    if os.geteuid() != 0:
        _check_ranges()
    return program


def known(home: str) -> Optional[Podman]:
    """The podman that this home's instances were launched with; None where there never was one."""
    argv = (read_record(f"{home}/{RECORD}") or {}).get("argv")
    return Podman(tuple(str(word) for word in argv), _environment()) if isinstance(argv, list) else None


def _stored(storage: str) -> List[str]:
    if not storage:
        return []
    return ["--root", f"{storage}/root", "--runroot", f"{storage}/run", "--tmpdir", f"{storage}/engine"]


def _environment() -> Dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def halved() -> bool:
    """Whether control groups are of both versions here, in the way that crun refuses."""
    try:
        return bool(Path(_SECOND_HALF, "cgroup.controllers").read_text().strip())
    except OSError:
        return False


def first_version() -> bool:
    """Whether control groups are of version 1: then a container's root could write beside the mounts of their controllers."""
    return not Path("/sys/fs/cgroup/cgroup.controllers").exists()


def _wrapper(home: str) -> str:
    place = Path(home, "engine")
    place.mkdir(mode=0o700, exist_ok=True)
    path, content = place / "crun", _WRAPPER.format(second=_SECOND_HALF).encode()
    if not path.is_file() or path.read_bytes() != content:
        write_whole(str(path), content, mode=0o700)
    return str(path)


def _check_ranges() -> None:
    """Without root, podman needs users to give away."""
    import getpass

    me = getpass.getuser()
    for path in ("/etc/subuid", "/etc/subgid"):
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except OSError:
            lines = []
        if not any(line.split(":")[0] in (me, str(os.geteuid())) for line in lines):
            hint = f"as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {me}"
            raise TargetFailed(f"podman cannot run as {me} here", why=f"{path} gives {me} no range of ids", hint=hint)


def limits_here() -> List[str]:
    """The limits that podman would raise, as they are: who may not raise them would be refused."""
    return [word for name, number, most in _LIMITS for word in ("--ulimit", _limit(name, resource.getrlimit(number)[1], most))]


def _limit(name: str, hard: int, most: int) -> str:
    value = most if hard == resource.RLIM_INFINITY else min(hard, most)
    return f"{name}={value}:{value}"
