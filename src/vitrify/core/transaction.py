"""Reads what dnf's own simulation says it would do. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import FrozenSet, List, Mapping, Tuple

from vitrify.core.packaging import Effect
from vitrify.core.simulation import Record

_ACTIONS = {"Installing": "install", "Upgrading": "change", "Downgrading": "change", "Reinstalling": "", "Removing": "remove"}
_SECTION = re.compile(r"^(Installing|Upgrading|Downgrading|Reinstalling|Removing)( [a-z ]+)?:$")
_ROW = re.compile(r"^ (\S+) +(\S+) +(\S+) +(@?\S+) +\S+(?: \S)? *$")
_REPLACED = re.compile(r"^ {2,}replacing +(\S+)\.(\S+) (\S+)$")
_UNKNOWN = re.compile(r"^(?:No match for argument: |Error: Unable to find a match: )(.+)$", re.MULTILINE)
_NOISE = ("Last metadata expiration check", "Unable to detect release version", "Ignoring repositories", "(try to add")


@dataclass(frozen=True)
class Step:
    """One row of a simulation. `unused` is a dependency that goes because nobody needs it any more."""

    effect: Effect
    repository: str = ""
    unused: bool = False


def steps(output: str, *, native: str, installed: Mapping[str, str]) -> Tuple[Step, ...]:
    """What `dnf --assumeno` says it would do; `installed` tells the version that a change starts from.

    A package of another architecture than the target's is named `NAME:ARCHITECTURE`.
    """
    found: List[Step] = []
    action, unused = "", False
    for line in output.splitlines():
        section, row, replaced = _SECTION.match(line), _ROW.match(line), _REPLACED.match(line)
        if section:
            action, unused = _ACTIONS[section.group(1)], "unused" in (section.group(2) or "")
        elif not line.strip():
            action = ""
        elif replaced and action:
            found.append(Step(Effect("remove", named(replaced.group(1), replaced.group(2), native=native), old=replaced.group(3))))
        elif row and action:
            name, version = named(row.group(1), row.group(2), native=native), row.group(3)
            old = version if action == "remove" else installed.get(name, "") if action == "change" else ""
            found.append(Step(Effect(action, name, old=old, new="" if action == "remove" else version), row.group(4), unused))
    return tuple(found)


def named(name: str, architecture: str, *, native: str) -> str:
    """The name of a package as a declaration says it."""
    return name if architecture in (native, "noarch") else f"{name}:{architecture}"


def unknown(output: str) -> Tuple[str, ...]:
    """The arguments that dnf finds no package for."""
    return tuple(dict.fromkeys(word for told in _UNKNOWN.findall(output) for word in told.split()))


def complaint(output: str) -> str:
    """Why dnf refuses, in its own words."""
    lines = [line.strip() for line in output.splitlines()]
    begins = next((number for number, line in enumerate(lines) if line.startswith("Error:")), max(len(lines) - 3, 0))
    told = [line.lstrip("- ") for line in lines[begins:] if line and not line.startswith(_NOISE)]
    return "; ".join(line for line in told if line != "Error:")


MARK = "@@ "
FORMAT = f"{MARK}%{{name}} %{{evr}}\n@R\n%{{requires}}\n%{{recommends}}\n@P\n%{{provides}}\n"
"""What `dnf repoquery` is told to print of each package, for `records`."""


def records(output: str, *, to_be_had: bool) -> Tuple[Record, ...]:
    """What `dnf repoquery` printed in FORMAT: who needs and provides what, by name alone."""
    found = []
    for block in output.split(MARK)[1:]:
        head, _, rest = block.partition("\n")
        needs, _, provides = rest.partition("@P\n")
        name, _, version = head.strip().partition(" ")
        found.append(Record(name, version, _capabilities(needs), _capabilities(provides), to_be_had))
    return tuple(found)


def _capabilities(text: str) -> FrozenSet[str]:
    return frozenset(line.split()[0] for line in text.splitlines() if line.strip() and line != "@R")
