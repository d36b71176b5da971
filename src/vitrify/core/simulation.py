"""Reads what apt's own simulation says, and tells which wish each of its side effects belongs to. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, FrozenSet, List, Mapping, Sequence, Set, Tuple

from vitrify.core.packaging import Effect

_LINE = re.compile(r"^(Inst|Remv|Purg) (\S+)(?: \[([^\]]*)\])?(?: \((\S+) ?(.*?) ?\[[^\]]*\]\))?", re.MULTILINE)
_UNKNOWN = re.compile(r"^E: (?:Unable to locate package|Package) '?([^\s']+)'?(?: has no installation candidate)?$", re.MULTILINE)
_NO_VERSION = re.compile(r"^E: Version '[^']*' for '([^']+)' was not found$", re.MULTILINE)
_DEPENDS = ("Pre-Depends", "Depends", "Recommends")


@dataclass(frozen=True)
class Step:
    """One line of a simulation; `origin` is where the new version comes from, as `Debian-Security:12/stable-security`."""

    effect: Effect
    origin: str = ""


def steps(output: str) -> Tuple[Step, ...]:
    """What `apt-get --simulate` says it would do, without the second halves (configuring) of what it installs."""
    found = []
    for verb, name, old, new, origin in _LINE.findall(output):
        action = "remove" if verb != "Inst" else "change" if old else "install"
        found.append(Step(Effect(action, name, old=old, new=new), origin))
    return tuple(found)


def unknown(output: str) -> Tuple[str, ...]:
    """The names that apt knows nothing of, or no such version of."""
    return tuple(dict.fromkeys((*_UNKNOWN.findall(output), *_NO_VERSION.findall(output))))


def complaint(output: str) -> str:
    """Why apt refuses, in its own words."""
    lines = [line.strip() for line in output.splitlines()]
    reasons = [line[3:] for line in lines if line.startswith("E: ")]
    details = [line for line in lines if re.match(r"^\S+ : (Pre)?(Depends|Breaks|Conflicts)", line)]
    return "; ".join([*details, *reasons]) or "; ".join(line for line in lines[-3:] if line)


@dataclass(frozen=True)
class Record:
    """What an index, or dpkg, says of one version of a package."""

    name: str
    version: str
    needs: FrozenSet[str]
    provides: FrozenSet[str]
    to_be_had: bool
    """Whether an index offers it."""


def record(fields: Mapping[str, str]) -> Record:
    """One stanza of `apt-cache show`."""
    needs = {name for field in _DEPENDS for name in _names(fields.get(field, ""))}
    provides = _names(fields.get("Provides", ""))
    return Record(fields.get("Package", ""), fields.get("Version", ""), frozenset(needs), frozenset(provides), "Filename" in fields)


def _names(relation: str) -> Set[str]:
    """Every name in a relation, whatever versions and alternatives it says."""
    return {re.split(r"[\s(\[<:]", part.strip())[0] for group in relation.split(",") for part in group.split("|") if part.strip()}


class Needs:
    """Who needs whom among the packages of one transaction."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._by_name: Dict[str, Set[str]] = {}
        for one in records:
            self._by_name.setdefault(one.name, set()).update(one.needs)
        self._providers: Dict[str, Set[str]] = {}
        for one in records:
            for name in (one.name, *one.provides):
                self._providers.setdefault(name, set()).add(one.name)

    def closure(self, name: str) -> Set[str]:
        """All that this package needs, directly or not."""
        found: Set[str] = set()
        waiting: List[str] = [name]
        while waiting:
            for needed in self._by_name.get(waiting.pop(), ()):
                for package in self._providers.get(needed, ()):
                    if package not in found:
                        found.add(package)
                        waiting.append(package)
        return found


def attributed(effects: Sequence[Effect], wishes: Sequence[str], needs: Needs, *, removing: bool) -> Mapping[str, Tuple[Effect, ...]]:
    """Wish -> the side effects that come with it: each goes to the first wish that explains it, else to the first wish.

    What is installed or changed is explained by the wish that needs it; what a removal takes along, by the wish that it needs.
    """
    found: Dict[str, List[Effect]] = {}
    reached = {wish: needs.closure(bare(wish)) for wish in wishes}
    for effect in effects:
        name = bare(effect.name)
        owners = [wish for wish in wishes if (bare(wish) in needs.closure(name) if removing else name in reached[wish])]
        found.setdefault((owners or list(wishes))[0], []).append(effect)
    return {wish: tuple(own) for wish, own in found.items()}


def bare(name: str) -> str:
    """The name without its architecture."""
    return name.partition(":")[0]


def origins(told: str) -> Tuple[str, ...]:
    """Every origin in what a simulation says of one version."""
    return tuple(part.strip() for part in told.split(",") if part.strip())


def for_security(origin: str) -> bool:
    """Whether an origin (`Debian-Security:12/stable-security`) is one that its distribution labels as for security alone."""
    label, _, rest = origin.partition(":")
    suite = rest.rpartition("/")[2]
    return label.lower().endswith("-security") or suite.endswith("-security")
