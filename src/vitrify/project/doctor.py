"""What this machine has and lacks for vitrify, with the line that mends each lack."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.report import Check
from vitrify.onhost import podman as engine
from vitrify.project.binaries import BUBBLEWRAP, CADDY, HAPROXY, Need, find

OK, MISSING, NOTE = "ok", "missing", "note"


def doctor(environ: Mapping[str, str], *, home: Path) -> tuple[Check, ...]:
    """Every check, in the order in which a new user would run into them; changes nothing."""
    bubblewrap = _program(BUBBLEWRAP)
    return (
        _python(),
        _target_python(),
        bubblewrap,
        _namespaces(bubblewrap),
        _podman(),
        _program(CADDY),
        _haproxy(),
        _systemd(),
        _ssh(),
        _home(home, environ),
    )


def _python() -> Check:
    version = platform.python_version()
    return Check("python", OK, f"{version} ({sys.executable})")


def _target_python() -> Check:
    """What the payload runs with on this machine."""
    path = "/usr/bin/python3"
    if Path(path).exists():
        return Check("payload's python", OK, path)
    return Check("payload's python", NOTE, sys.executable, "hosts need a Python 3.9 or newer: `vitrify bootstrap` installs one")


def _program(need: Need) -> Check:
    try:
        found = find(need)
    except VitrifyError as error:
        first = error.diagnostics[0]
        return Check(need.name, MISSING, f"{first.summary}: {first.why}" if first.why else first.summary, first.hint)
    return Check(need.name, OK, f"{found.path} ({found.source})")


def _haproxy() -> Check:
    """What routers of `kind: haproxy` need here; nobody else does."""
    found = _program(HAPROXY)
    return found if found.state == OK else Check(found.name, NOTE, f"`kind: haproxy` cannot be used: {found.found}", found.hint)


def _namespaces(bubblewrap: Check) -> Check:
    """Whether bubblewrap may make the namespaces that an instance lives in: tried, not guessed from settings."""
    name = "user namespaces"
    if bubblewrap.state != OK:
        return Check(name, NOTE, "not tried: there is no bwrap")
    program = find(BUBBLEWRAP).path
    words = [program, "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "/bin/true"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name, MISSING, str(error))
    if done.returncode == 0:
        return Check(name, OK, "bwrap starts a process in namespaces of its own")
    return Check(name, MISSING, done.stderr.strip()[-200:], "sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000")


def _podman() -> Check:
    """What `runtime: podman` needs here; nobody else does."""
    try:
        program = engine.check()
    except VitrifyError as error:
        first = error.diagnostics[0]
        return Check(
            "podman", NOTE, f"`runtime: podman` cannot be used: {first.summary}{f', {first.why}' if first.why else ''}", first.hint
        )
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout.strip()
    beside = "; control groups are of both versions, crun is started beside the second" if engine.halved() else ""
    return Check("podman", OK, f"{program} ({said.removeprefix('podman version ')}){beside}")


def _systemd() -> Check:
    if Path("/run/systemd/system").is_dir():
        return Check("systemd", OK, "runs: `process` is started on `local`")
    return Check("systemd", NOTE, "does not run here: on `local`, `process` writes its unit and starts nothing")


def _ssh() -> Check:
    """What hosts on other machines are reached with."""
    path = shutil.which("ssh")
    if path is None:
        return Check("ssh", NOTE, "not here: hosts over SSH cannot be reached", "apt-get install openssh-client")
    said = subprocess.run([path, "-V"], capture_output=True, text=True, timeout=10, check=False).stderr.strip()
    return Check("ssh", OK, f"{path} ({said.partition(',')[0]})")


def _home(home: Path, environ: Mapping[str, str]) -> Check:
    source = "VITRIFY_HOME" if environ.get("VITRIFY_HOME") else "default"
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        return Check("state", MISSING, f"{home} ({source}) cannot be written", "set VITRIFY_HOME to a folder of yours")
    free = shutil.disk_usage(nearest).free
    return Check("state", OK, f"{home} ({source}), {free / 1e9:.0f} GB free")
