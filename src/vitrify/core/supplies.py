"""What a bake installs from: nothing but the files of the lock, or, while it is being chosen, wherever the root's own sources lead.

Both are folders of the root that is baked, below our own memory, which is never part of an image.
"""

from __future__ import annotations

from typing import List, Sequence, Tuple

from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, TargetFailed
from vitrify.core.place import ancestors
from vitrify.core.simulation import Step
from vitrify.core.system import Attributes, System, Target

FOLDER = "/var/lib/vitrify/locked"
DEBS = f"{FOLDER}/debs"
WHEELS = f"{FOLDER}/wheels"
LISTS = f"{FOLDER}/lists"
SOURCES = f"{FOLDER}/sources.list"
"""There while a bake installs from the lock."""
CHOSEN = f"{FOLDER}/chosen"
"""There while a bake chooses: a line for each package that it took, with its version and where that comes from."""
RENEWED = f"{FOLDER}/renewed"
"""There once the lists were renewed while choosing."""
SETTINGS = f"{FOLDER}/apt.conf"
"""How this machine's apt reaches the network, while choosing."""
PIP = f"{FOLDER}/pip.conf"
"""How this machine's pip reaches an index, while choosing."""
PREFERRED = f"{FOLDER}/preferred.txt"
"""There while what is pinned is chosen again: constraints for pip."""


def pinned(system: System) -> bool:
    """Whether only what is in the lock can be installed."""
    return system.target is Target.IMAGE and _there(SOURCES, system)


def choosing(system: System) -> bool:
    """Whether what is installed now is what the lock will hold."""
    return system.target is Target.IMAGE and _there(CHOSEN, system)


def _there(path: str, system: System) -> bool:
    try:
        return system.stat(path) is not None
    except TargetFailed:
        # The base is a running system that root keeps with vitrify as well: whoever may not look in there put nothing there.
        return False


def apt_options(system: System) -> Tuple[str, ...]:
    """Where apt looks, and where it puts what it fetches."""
    if pinned(system):
        only = ("SourceList", SOURCES), ("SourceParts", "/dev/null"), ("Preferences", "/dev/null"), ("PreferencesParts", "/dev/null")
        return (*(word for name, path in only for word in ("-o", f"Dir::Etc::{name}={path}")), "-o", f"Dir::State::Lists={LISTS}")
    if choosing(system):
        reach = ("-c", SETTINGS) if system.stat(SETTINGS) is not None else ()
        return (*reach, "-o", f"Dir::Cache::Archives={DEBS}/", "-o", "APT::Keep-Downloaded-Packages=1")
    return ()


def not_pinned(what: str, *, why: str) -> DeclarationInvalid:
    """The lock does not hold what is declared by now."""
    hint = "`vitrify update` chooses for what is declared now, and shows what moves"
    return DeclarationInvalid([Diagnostic(f"vitrify.lock does not hold what this needs: {what}", why=why, hint=hint)])


def note(steps: Sequence[Step], system: System) -> None:
    """Remember what was chosen."""
    lines = [f"{step.effect.name} {step.effect.new} {step.origin}\n" for step in steps]
    system.write(CHOSEN, system.read(CHOSEN) + "".join(lines).encode(), attributes=Attributes(mode="0644"))


def chosen(system: System) -> List[Tuple[str, str, str]]:
    """Name, version and origin of each package that was chosen, in order."""
    rows = [line.split(" ", 2) for line in system.read(CHOSEN).decode().splitlines()]
    return [(name, version, origin) for name, version, origin in rows]


def make_folder(path: str, system: System) -> None:
    """A folder, and those above it."""
    for folder in (*ancestors(f"{path}/x"),):
        if system.stat(folder) is None:
            system.make_directory(folder, attributes=Attributes(mode="0755"))
