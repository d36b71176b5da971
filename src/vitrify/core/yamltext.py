"""YAML of the plain kind as text that can be edited: block maps and lists, scalars on one line. What else there is, is passed over.

Only what lies on the way to a value is understood, and refused where it is written in another way: anchors, tags, flow collections
over several lines, several documents. Nothing is guessed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from vitrify.core import part
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON

_PLAIN_KEY = r"""(?:[^\s\-?:,\[\]{}#&*!|>'"%@`]|[?:-](?=\S))(?:[^:#]|:(?=\S)|(?<=\S)\#)*?"""
_KEY = re.compile(rf"""(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|{_PLAIN_KEY})[ \t]*:(?:[ \t]+(?P<rest>.*)|)""")
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')(?:[ \t]+(#.*))?""")
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*")
_WORDS = {"null", "~", "true", "false", "yes", "no", "on", "off", "y", "n"}
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_FRACTION = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+([eE][+-]?[0-9]+)?")
_NUMERIC = re.compile(r"[+-]?[0-9.][0-9_.:xobA-Fa-fTZtz+ -]*")
INDENT = 2


@dataclass(frozen=True)
class Odd:
    """A value that is written so that readers differ about it (`yes`, `0644`), or that is not understood: equal to nothing."""

    text: str


@dataclass(frozen=True)
class Entry:
    """One key of a map, or one item of a list, which has no name.

    Its lines are from `start` to before `end`, without blanks and comments that follow it. `indent` is how deep its key or dash is,
    `column` where what follows the dash begins.
    """

    name: Optional[str]
    start: int
    end: int
    indent: int
    column: int
    rest: str

    @property
    def item(self) -> bool:
        """Whether it is one of a list."""
        return self.name is None


def blank(line: str) -> bool:
    """Whether nothing but a comment is on this line."""
    bare = line.strip()
    return not bare or bare.startswith("#")


def depth(line: str) -> int:
    """How many spaces a line begins with."""
    return len(line) - len(line.lstrip(" "))


def wrong(index: int, why: str) -> Exception:
    """What is said of a line that is not understood."""
    return part.refused(f"line {index + 1}: {why}", hint="write it plainly, or declare the whole `file`")


def body(lines: List[str]) -> Tuple[int, int]:
    """The lines of the one document."""
    start = next((index + 1 for index, line in enumerate(lines) if line.rstrip() == "---"), 0)
    before = [index for index, line in enumerate(lines[: max(0, start - 1)]) if not blank(line)]
    if before:
        directive = lines[before[0]].startswith("%")
        raise wrong(
            *((before[0], "a directive is not understood") if directive else (start - 1, "there are several documents in this file"))
        )
    for index in range(start, len(lines)):
        if lines[index][:3] in ("---", "...") and lines[index][3:4] in ("", " "):
            raise wrong(index, "there are several documents in this file")
    return start, len(lines)


def entries(lines: List[str], span: Tuple[int, int], indent: int) -> List[Entry]:
    """The keys of a block map, or the items of a block list, at this depth; refused where something else stands there."""
    found: List[Entry] = []
    index, end = span
    while index < end:
        line = lines[index]
        if blank(line):
            index += 1
            continue
        if "\t" in line[: len(line) - len(line.lstrip())] or depth(line) != indent:
            raise wrong(index, "its depth is not understood")
        entry = _entry(lines, index, end, indent)
        if not entry.item and any(entry.name == other.name for other in found):
            raise wrong(index, "this key stands twice in its map")
        if found and entry.item is not found[0].item:
            raise wrong(index, "keys and list items stand beside each other")
        found.append(entry)
        index = entry.end
    return found


def _entry(lines: List[str], index: int, end: int, indent: int) -> Entry:
    line = lines[index].rstrip("\r")
    text = line[indent:]
    if text == "-" or text.startswith("- "):
        rest = text[1:].lstrip(" ")
        return Entry(
            None, index, _last(lines, index, end, indent, dash=False), indent, len(line) - len(rest) if rest else indent + INDENT, rest
        )
    found = _KEY.fullmatch(text)
    if not found:
        raise wrong(index, "this is not a key with its value")
    rest = (found.group("rest") or "").strip()
    rest = "" if rest.startswith("#") else rest
    name = unquoted(found.group("key").rstrip())
    entry = Entry(name, index, _last(lines, index, end, indent, dash=not rest), indent, 0, rest)
    _refuse_open(lines, entry)
    return entry


def _last(lines: List[str], index: int, end: int, indent: int, *, dash: bool) -> int:
    """The line behind an entry: all that is deeper is its own, and a list that is as deep as its key; blanks at the end are not."""
    last = index
    for here in range(index + 1, end):
        line = lines[here]
        if not line.strip():
            continue
        deeper = depth(line) > indent
        item = dash and depth(line) == indent and re.match(r"-( |\r?$)", line[indent:])
        if deeper or item:
            last = here
        elif not line.lstrip().startswith("#"):
            break
    while last > index and blank(lines[last]) and not _in_scalar(lines, index, indent):
        last -= 1
    return last + 1


def _in_scalar(lines: List[str], index: int, indent: int) -> bool:
    """Whether the entry is a block scalar, where a # is text."""
    return re.search(r"[:-][ \t]+[|>][0-9+-]*[ \t]*(#.*)?\r?$", lines[index][indent:]) is not None


def _refuse_open(lines: List[str], entry: Entry) -> None:
    """A flow collection or a quoted text that does not end where its lines do cannot be passed over safely."""
    closing = {"{": "}", "[": "]", '"': '"', "'": "'"}.get(entry.rest[:1])
    if closing is None or _one_line(entry.rest) is not None:
        return
    last = re.sub(r"[ \t]+#.*$", "", lines[entry.end - 1]).rstrip()
    if entry.end == entry.start + 1 or not last.endswith(closing):
        raise wrong(entry.start, "what begins here does not end before the next key")


def _one_line(rest: str) -> Optional[str]:
    """A quoted text or a flow collection that ends on its line, without the comment behind it."""
    quoted = _QUOTED.fullmatch(rest)
    if quoted:
        return quoted.group(1)
    bare = re.sub(r"[ \t]+#.*$", "", rest)
    return bare if rest[:1] in ("{", "[") and bare.endswith({"{": "}", "[": "]"}[rest[0]]) else None


def comment(rest: str) -> str:
    """The comment behind a value that stands on one line, with the spaces before it."""
    quoted = _QUOTED.fullmatch(rest)
    if quoted:
        return rest[len(quoted.group(1)) :]
    found = re.search(r"[ \t]+#.*$", rest)
    return found.group() if found else ""


def unquoted(text: str) -> str:
    """A key or a text as it is meant."""
    if text.startswith('"'):
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text[1:-1].replace("''", "'") if text.startswith("'") else text


def scalar(rest: str) -> object:
    """The value on one line; `Odd` where readers differ about it, or it is not understood."""
    quoted = _QUOTED.fullmatch(rest)
    if quoted:
        return _quoted(quoted.group(1))
    bare = re.sub(r"[ \t]+#.*$", "", rest).strip()
    if bare[:1] in ("{", "["):
        try:
            return json.loads(bare)
        except ValueError:
            return Odd(bare)
    return _plain(bare)


def _quoted(text: str) -> object:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    try:
        return json.loads(text)
    except ValueError:
        return Odd(text)


def _plain(bare: str) -> object:
    known: Dict[str, JSON] = {"null": None, "~": None, "": None, "true": True, "false": False}
    if bare in known:
        return known[bare]
    if _INTEGER.fullmatch(bare):
        return int(bare)
    if _FRACTION.fullmatch(bare):
        return float(bare)
    odd = bare.lower() in _WORDS or _NUMERIC.fullmatch(bare) or bare[:1] in tuple("&*!|>%@`\"'{}[],?#-.=<")
    return Odd(bare) if odd or ": " in bare else bare


def value(lines: List[str], entry: Entry) -> object:
    """What an entry holds; `Odd` where it is written in a way that is not understood."""
    inner = _inner(lines, entry)
    if entry.rest and inner is None:
        return scalar(entry.rest) if entry.end == entry.start + 1 else Odd(entry.rest)
    if inner is None:
        return None
    try:
        return collection(inner[0], inner[1], inner[2])
    except TargetFailed:
        return Odd("")


def _inner(lines: List[str], entry: Entry) -> Optional[Tuple[List[str], Tuple[int, int], int]]:
    """The lines of a block collection below an entry, and how deep it is. What follows a dash on its line is the first of them."""
    if entry.item and entry.rest and (_KEY.fullmatch(entry.rest) or entry.rest.startswith("- ")):
        first = " " * entry.column + entry.rest
        return [*lines[: entry.start], first, *lines[entry.start + 1 :]], (entry.start, entry.end), entry.column
    first_line = next((line for line in lines[entry.start + 1 : entry.end] if not blank(line)), None)
    if entry.rest or first_line is None:
        return None
    return lines, (entry.start + 1, entry.end), depth(first_line)


def below(lines: List[str], entry: Entry) -> Tuple[List[str], Tuple[int, int], int]:
    """Where the map or list that an entry holds stands, and how deep; refused where it is not a plain one.

    The lines are the same, but for the dash on the first line of a list's item, which is blank.
    """
    inner = _inner(lines, entry)
    if inner is None:
        reason = "an anchor, an alias or a tag" if entry.rest[:1] in ("&", "*", "!") else "no block of lines"
        raise wrong(entry.start, f"what {entry.name or 'this item'!r} holds is {reason}")
    return inner


def collection(lines: List[str], span: Tuple[int, int], indent: int) -> object:
    """The value of a block map or list."""
    found = entries(lines, span, indent)
    if found and found[0].item:
        return [value(lines, entry) for entry in found]
    return {str(entry.name): value(lines, entry) for entry in found}


def written(wished: JSON, indent: int) -> List[str]:
    """A value as lines: one for a scalar or something empty, which goes behind its key; else a block of lines at this depth."""
    margin = " " * indent
    if isinstance(wished, dict) and wished:
        return [line for name, inner in wished.items() for line in pair(spelled(name), inner, indent)]
    if isinstance(wished, list) and wished:
        lines: List[str] = []
        for inner in wished:
            block = written(inner, indent + INDENT)
            lines += [f"{margin}- {block[0].lstrip(' ')}", *block[1:]]
        return lines
    return [spelled(wished) if isinstance(wished, str) else json.dumps(wished, ensure_ascii=False)]


def pair(name: str, wished: JSON, indent: int) -> List[str]:
    """A key and its value, as lines."""
    margin = " " * indent
    if isinstance(wished, (dict, list)) and wished:
        return [f"{margin}{name}:", *written(wished, indent + INDENT)]
    return [f"{margin}{name}: {written(wished, indent)[0]}"]


def spelled(text: str) -> str:
    """A text so that every reader takes it for one: plain where nobody can be mistaken, else in double quotes."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS and not _NUMERIC.fullmatch(text)
    return text if plain else json.dumps(text, ensure_ascii=False)
