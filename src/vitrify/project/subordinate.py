"""What this machine lets whoever is not root give away: a range of user and of group ids, in a namespace where they are root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vitrify.core.diagnostic import VitrifyError
from vitrify.onhost.removal import remove_tree

NEEDED: Final = 65_534
"""Beside 0: so that `nobody`, which is 65534, is one of them."""
_PROGRAMS: Final = ("newuidmap", "newgidmap")
_TABLES: Final = ("subuid", "subgid")
_SCRIPT: Final = Path(__file__).with_name("entering.py")
_SWITCHES: Final = ("user/max_user_namespaces", "kernel/unprivileged_userns_clone")
"""Settings of the kernel beneath /proc/sys that allow no namespace where they are 0; the second one is Debian's own."""
_GUARD: Final = "kernel/apparmor_restrict_unprivileged_userns"
"""Ubuntu's own: allows none but to programs that have a profile, where it is 1."""


@dataclass(frozen=True)
class Ids:
    """What is to stand before a program so that it has many ids; where nothing can, why that is, and what would help."""

    argv: tuple[str, ...] = ()
    why: str = ""
    hint: str = ""

    @property
    def granted(self) -> bool:
        """Whether there are any to be had."""
        return bool(self.argv)


@dataclass(frozen=True)
class Place:
    """Where to look: who asks, the folder of the tables, that of the kernel's settings, and where programs are."""

    uid: int
    user: str
    etc: Path = Path("/etc")
    sys: Path = Path("/proc/sys")
    search: str | None = None

    @classmethod
    def here(cls) -> Place:
        """This machine, and whoever runs this."""
        uid = os.geteuid()
        try:
            return cls(uid, pwd.getpwuid(uid).pw_name)
        except KeyError:  # an id that no account has
            return cls(uid, str(uid))


def granted(place: Place) -> Ids:
    """What the tables say, without trying it. Root needs none, and is told so."""
    if place.uid == 0:
        return Ids(why="root has every id")
    missing = [name for name in _PROGRAMS if shutil.which(name, path=place.search) is None]
    if missing:
        return Ids(why=f"{' and '.join(missing)} are not installed", hint="as root: `apt install uidmap`")
    ranges = [_widest(place.etc / table, place) for table in _TABLES]
    for table, found in zip(_TABLES, ranges, strict=True):
        if found[1] < NEEDED:
            why = f"{place.etc / table} gives {place.user} {found[1] or 'no'} ids, and files of packages need {NEEDED + 1}"
            return Ids(why=why, hint=f"as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {place.user}`")
    closed = _closed(place.sys)
    if closed:
        return Ids(why=f"{closed} lets nobody but root make user namespaces", hint=f"as root: `sysctl -w {_opened(closed)}`")
    return Ids((sys.executable, "-I", "-S", str(_SCRIPT), *(f"{first}:{count}" for first, count in ranges)))


def tried(ids: Ids) -> Ids:
    """The same, if a program really starts so; else why not. Takes as long as a start of Python."""
    if not ids.granted:
        return ids
    done = subprocess.run([*ids.argv, "/bin/true"], check=False, capture_output=True, text=True, timeout=60)
    if done.returncode == 0:
        return ids
    said = "; ".join(done.stderr.strip().splitlines()[-2:])
    return Ids(why=f"a user namespace with these ids could not be made: {said}", hint="newuidmap and newgidmap must be set-user-id root")


def here() -> Ids:
    """What this machine grants whoever runs this."""
    return granted(Place.here())


def removed(folder: str, *, ids: Callable[[], Ids] = here) -> None:
    """Remove a folder that may hold what was given to ids of ours: whoever made it was root among them, and we are not.

    `VitrifyError` where it cannot be.
    """
    try:
        remove_tree(folder)
    except PermissionError as error:
        found, said = ids(), str(error)
        if found.granted:
            command = [*found.argv, "/bin/rm", "-rf", "--one-file-system", "--", folder]
            said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600).stderr.strip()
        if Path(folder).exists():
            raise VitrifyError(f"{folder} cannot be removed", why=said, hint="remove it as root") from error


def _widest(table: Path, place: Place) -> tuple[int, int]:
    """The largest range of a table for this user: its first id and how many; (0, 0) where there is none."""
    try:
        rows = [line.strip().split(":") for line in table.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return 0, 0
    own = [row for row in rows if len(row) == 3 and row[0] in (place.user, str(place.uid))]
    found = [(int(first), int(count)) for _, first, count in own if first.isdigit() and count.isdigit()]
    return max(found, key=lambda one: one[1], default=(0, 0))


def _closed(settings: Path) -> str:
    """The setting of the kernel that forbids it, as sysctl calls it; "" where none does."""
    for name in _SWITCHES:
        if _value(settings / name) == "0":
            return name.replace("/", ".")
    return _GUARD.replace("/", ".") if _value(settings / _GUARD) == "1" else ""


def _opened(setting: str) -> str:
    return f"{setting}=0" if setting.endswith("restrict_unprivileged_userns") else f"{setting}={15_000 if 'max_' in setting else 1}"


def _value(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
