"""The lines of a file system table: found by the place they mount at, and edited without touching any other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Optional

from vitrify.core import place
from vitrify.core.system import Attributes, System

FSTAB = "/etc/fstab"
_ESCAPES = {"\\": "\\134", " ": "\\040", "\t": "\\011", "\n": "\\012"}
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Line:
    """One file system: what, where, of which type, with which options, and the two numbers."""

    source: str
    path: str
    fstype: str
    options: str = "defaults"
    dump: int = 0
    check: int = 0

    @property
    def text(self) -> str:
        """As it stands in the table."""
        return f"{_escaped(self.source)} {_escaped(self.path)} {self.fstype} {self.options} {self.dump} {self.check}"


def _escaped(word: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in word)


def _word(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), text)


def parsed(text: str) -> Optional[Line]:
    """The line; None for a comment, and for what is none."""
    words = text.split()
    if len(words) < 3 or words[0].startswith("#"):
        return None
    numbers = [int(word) if word.isdigit() else 0 for word in (*words[4:6], "0", "0")]
    return Line(_word(words[0]), _word(words[1]), words[2], words[3] if len(words) > 3 else "defaults", numbers[0], numbers[1])


def _is(text: str, wanted: Line) -> bool:
    """Whether a line is about the same place; swap has none and is known by what it is."""
    line = parsed(text)
    if line is None:
        return False
    return line.source == wanted.source if wanted.path == "none" else line.path == wanted.path


def state(content: str, wanted: Line) -> str:
    """`as wished`, `other` or `missing`: what the table says of this place."""
    found = [parsed(text) for text in content.splitlines() if _is(text, wanted)]
    if not found:
        return "missing"
    return "as wished" if found == [wanted] else "other"


def edited(content: str, wanted: Line, *, absent: bool) -> str:
    """The table with this line in the place of any other about the same place, or without; all else stays as it is."""
    lines = content.splitlines()
    places = [index for index, text in enumerate(lines) if _is(text, wanted)]
    kept: List[str] = [text for index, text in enumerate(lines) if index not in places]
    if not absent:
        kept.insert(places[0] if places else len(kept), wanted.text)
    return "".join(f"{text}\n" for text in kept)


def read(path: str, system: System) -> str:
    """The text of a table; nothing where there is none."""
    stat = system.stat(path)
    return system.read(path).decode("utf-8", "surrogateescape") if stat is not None and stat.type == "file" else ""


def put(wanted: Line, system: System, *, absent: bool) -> None:
    """Write the table anew with this line in it, or without."""
    before = read(FSTAB, system)
    after = edited(before, wanted, absent=absent)
    if after != before:
        place.need_parent(FSTAB, system)
        system.write(FSTAB, after.encode("utf-8", "surrogateescape"), attributes=Attributes())


def mounted(path: str, system: System) -> Optional[Line]:
    """What is mounted at this place now, the topmost."""
    found = [line for line in map(parsed, read("/proc/self/mounts", system).splitlines()) if line is not None and line.path == path]
    return found[-1] if found else None
