"""Reads YAML into nodes that know their place, without trusting it.

Built on the events of libyaml: its own composer recurses in C and ends the process on deep nesting. Scalars follow
the YAML 1.2 core schema (`yes` is text, `0644` is a number), duplicate keys are errors, aliases cannot explode.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, Location
from vitrify.project.node import Entry, Node, Scalar, spoken
from vitrify.project.problems import Problems

if TYPE_CHECKING:
    from yaml.events import AliasEvent, CollectionStartEvent, Event, ScalarEvent

DEEPEST = 100
"""Levels of nesting that are read; a declaration needs about ten."""

COPIES = 200_000
"""Values that aliases may add to those that are written."""

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_CORE = "tag:yaml.org,2002:"
_MERGE = "<<"
_BRACES = "a value that begins with `{` is a map; put `{{ … }}` in quotes"


def parse(content: bytes, *, file: str, problems: Problems) -> Node:
    """The document in these bytes. What can be read past is noted in `problems`; DeclarationInvalid is raised for the rest."""
    text = _decode(content, file)
    return _Reading(text, file, problems).document()


def _fail(summary: str, at: Location, *, why: str = "", hint: str = "") -> NoReturn:
    raise DeclarationInvalid([Diagnostic(summary, at, why, hint)])


def _decode(content: bytes, file: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig")
        _fail("this is not UTF-8", _end_of(before, file), hint="save the file as UTF-8")
    odd = _UNPRINTABLE.search(text)
    if odd:
        code = f"\\u{ord(odd.group()):04x}"
        at = _end_of(text[: odd.start()], file)
        _fail(f"the character U+{ord(odd.group()):04X} cannot stand in a declaration", at, hint=f'write "{code}" in double quotes')
    return text


def _end_of(text: str, file: str) -> Location:
    """The place just behind this text."""
    lines = re.split("\r\n|\r|\n", text)
    return Location(file, len(lines), len(lines[-1]) + 1)


class _Anchored(NamedTuple):
    """A finished value, how many values it holds and how deep it is."""

    node: Node
    size: int = 1
    height: int = 0


class _Open:
    """A map or a list whose end has not been read yet."""

    def __init__(self, *, at: Location, anchor: str | None, mapping: bool) -> None:
        self.at = at
        self.anchor = anchor
        self.mapping = mapping
        self.entries: dict[str, Entry] = {}
        self.merged: list[Node] = []
        self.items: list[Node] = []
        self.key: tuple[str, Location] | None = None
        self.size = 1
        self.height = 1

    def node(self) -> Node:
        if not self.mapping:
            return Node(tuple(self.items), self.at)
        for other in self.merged:
            for key, entry in other.entries.items():
                self.entries.setdefault(key, entry)
        return Node(self.entries, self.at)


class _Reading:
    """One pass over the events of one document, with a stack instead of recursion."""

    def __init__(self, text: str, file: str, problems: Problems) -> None:
        self._text = text
        self._file = file
        self._problems = problems
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._copied = 0
        self._root: Node | None = None
        self._documents = 0

    def document(self) -> Node:
        """The root node."""
        import yaml
        from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs leave it out

        steps: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._open_map,
            yaml.SequenceStartEvent: self._open_list,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._begin,
        }
        parser = CParser(self._text)
        try:
            while parser.check_event():
                event = parser.get_event()
                step = steps.get(type(event))
                if step:
                    step(event)
        except yaml.MarkedYAMLError as error:
            self._syntax(error)
        except yaml.reader.ReaderError as error:
            _fail("this cannot be read as YAML", Location(self._file, 1, 1), why=error.reason)
        if self._root is None:
            _fail("the declaration is empty", Location(self._file, 1, 1), hint="`vitrify init` writes one to start from")
        return self._root

    def _syntax(self, error: object) -> NoReturn:
        mark, context_mark = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
        marks = [Location(self._file, mark.line + 1, mark.column + 1) for mark in (mark, context_mark) if mark]
        end = _end_of(self._text, self._file)
        # Something is never closed: the place where it was opened says more than the end of the file.
        inside = [at for at in marks if (at.line, at.column) < (end.line, end.column)]
        at = [*inside, *(level.at for level in reversed(self._stack)), Location(self._file, 1, 1)][0]
        parts = (getattr(error, "context", None), getattr(error, "problem", None))
        tab = "\t" in self._line(at.line)[: at.column]
        hint = "indent with spaces; YAML refuses tabs" if tab else "look for a missing quote, bracket, colon or indentation"
        _fail("this is not YAML", at, why=", ".join(part for part in parts if part), hint=hint)

    def _line(self, number: int) -> str:
        lines = re.split("\r\n|\r|\n", self._text)
        return lines[number - 1] if number <= len(lines) else ""

    def _at(self, event: Event) -> Location:
        mark = event.start_mark
        return Location(self._file, mark.line + 1, mark.column + 1) if mark else Location(self._file, 1, 1)

    def _begin(self, event: Event) -> None:
        self._documents += 1
        if self._documents > 1:
            _fail("a declaration is one document", self._at(event), hint="take out the `---`")

    def _open_map(self, event: CollectionStartEvent) -> None:
        self._open(event, "map")

    def _open_list(self, event: CollectionStartEvent) -> None:
        self._open(event, "list")

    def _open(self, event: CollectionStartEvent, what: str) -> None:
        at = self._at(event)
        if len(self._stack) >= DEEPEST:
            _fail(f"this is nested more than {DEEPEST} levels deep", at)
        if self._expects_key():
            _fail(f"a key is text, not a {what}", at, hint=_BRACES if what == "map" else "")
        if event.tag not in (None, "!", _CORE + ("map" if what == "map" else "seq")):
            self._problems.add(f"the tag {event.tag!r} has no meaning here", at)
        self._stack.append(_Open(at=at, anchor=event.anchor, mapping=what == "map"))
        if event.anchor:
            # Until it is closed an anchor may not be used: it would hold itself.
            self._anchors.pop(event.anchor, None)

    def _close(self, event: Event) -> None:
        done = self._stack.pop()
        self._place(_Anchored(done.node(), done.size, done.height), anchor=done.anchor)

    def _expects_key(self) -> bool:
        return bool(self._stack) and self._stack[-1].mapping and self._stack[-1].key is None

    def _alias(self, event: AliasEvent) -> None:
        at = self._at(event)
        if any(level.anchor == event.anchor for level in self._stack):
            _fail(f"`*{event.anchor}` holds itself", at)
        if event.anchor not in self._anchors:
            _fail(f"there is no anchor `&{event.anchor}` above", at)
        anchored = self._anchors[event.anchor]
        self._copied += anchored.size
        if self._copied > COPIES:
            _fail(f"aliases make more than {COPIES} values out of this file", at)
        if len(self._stack) + anchored.height > DEEPEST:
            _fail(f"aliases nest this more than {DEEPEST} levels deep", at)
        self._place(anchored, at=at)

    def _scalar(self, event: ScalarEvent) -> None:
        at = self._at(event)
        bare = event.implicit[0] and not event.style
        value: Scalar = event.value
        if self._expects_key():
            if bare and not isinstance(self._resolve(event.value, at), str):
                self._problems.add("a key is text", at, hint=f'put it in quotes: "{event.value}"')
        elif bare:
            value = self._resolve(event.value, at)
        elif event.tag is not None:
            value = self._tagged(event, at)
        self._place(_Anchored(Node(value, at)), anchor=event.anchor)

    def _resolve(self, text: str, at: Location) -> Scalar:
        """A bare scalar, read by the YAML 1.2 core schema."""
        if text in _WORDS:
            return _WORDS[text]
        if not (text[0].isdigit() or text[0] in "+-."):
            return text
        if _INTEGER.fullmatch(text):
            if len(text) <= 18:
                return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
            self._problems.add("this number is too large", at, hint="if it is a name, put it in quotes")
        elif _FLOAT.fullmatch(text):
            # A fraction has no one spelling (1.10 would become 1.1), so it could not be compared by digest.
            shown = text if len(text) <= 40 else text[:40] + "…"
            self._problems.add(f"{shown} is a number with a fraction", at, hint=f'put it in quotes: "{shown}"')
        return text

    def _tagged(self, event: ScalarEvent, at: Location) -> Scalar:
        if event.tag in ("!", _CORE + "str"):
            return event.value
        kinds: dict[str, type] = {_CORE + "int": int, _CORE + "bool": bool, _CORE + "null": type(None)}
        kind = kinds.get(str(event.tag))
        value = self._resolve(event.value, at)
        if kind is None:
            self._problems.add(f"the tag {event.tag!r} has no meaning here", at)
        elif type(value) is not kind:
            self._problems.add(f"{event.value!r} does not fit its tag", at)
        return value

    def _place(self, value: _Anchored, *, anchor: str | None = None, at: Location | None = None) -> None:
        """Put a finished value where it belongs; `at` is where an alias stands."""
        node = value.node
        if anchor:
            self._anchors[anchor] = value
        if not self._stack:
            self._root = node
            return
        level = self._stack[-1]
        level.size += value.size
        level.height = max(level.height, value.height + 1)
        if not level.mapping:
            level.items.append(node)
        elif level.key is None:
            level.key = self._key(level, node, at or node.at)
        else:
            (name, key_at), level.key = level.key, None
            if name == _MERGE:
                level.merged += self._sources(node, at or node.at)
            else:
                level.entries.setdefault(name, Entry(key_at, node))

    def _key(self, level: _Open, node: Node, at: Location) -> tuple[str, Location]:
        if not isinstance(node.value, str):
            _fail(f"a key is text, not {spoken(node)}", at)  # an alias of something else
        twice = level.entries.get(node.value)
        if twice:
            self._problems.add(f"the key `{node.value}` stands here twice", at, hint=f"the first one is in line {twice.at.line}")
        return node.value, at

    def _sources(self, node: Node, at: Location) -> list[Node]:
        sources = list(node.items) if isinstance(node.value, tuple) else [node]
        if not all(isinstance(source.value, dict) for source in sources):
            self._problems.add("`<<` takes a map, or a list of maps", at, hint="as in `<<: *defaults`")
        return sources
