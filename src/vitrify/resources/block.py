"""The kind `block`: some lines in a file, between two lines that mark where they begin and end."""

from __future__ import annotations

from typing import List, Mapping, Optional, Tuple

from vitrify.core import insertion, part
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.core.schema import Field, Problem, Schema, Type

MARKER = "# {mark} vitrify: {name}"
NAME = "block"


def _block_rules(values: Mapping[str, JSON]) -> List[Problem]:
    found = [*part.problems(values), *insertion.problems(values)]
    if "vars" in values and "template" not in values:
        found.append(Problem(("vars",), "`vars` has no meaning without `template`"))
    broken = [name for name in ("marker", "name") if any(ord(character) < 32 for character in str(values.get(name, "")))]
    found += [Problem((name,), f"a {name} is one line") for name in broken]
    if "{mark}" not in str(values.get("marker", MARKER)):
        found.append(Problem(("marker",), "`marker` does not tell the beginning from the end", "write {mark}: it is BEGIN, then END"))
    return found


class Block(part.Part):
    """Some lines in a file, between two marks.

    What stands between the marks is replaced as a whole; all else stays as it is. Where the marks are not found, the block goes
    where `insert_after` or `insert_before` say, else to the end. Line endings are the file's. Absent, the block goes with its marks.
    """

    name = "block"
    schema = Schema(
        fields={
            "name": Field(Type.TEXT, f"tells this block from others in the file; `{NAME}` where not given"),
            "content": Field(Type.TEXT, "the lines", secret=True),
            "template": Field(Type.TEXT, "a Jinja template in the project that renders them", secret=True, control=True),
            "vars": Field(Type.ANY, "a map of values for the template", secret=True, control=True),
            "source": Field(Type.TEXT, "a file in the project that holds them", control=True),
            "marker": Field(
                Type.TEXT, f"the line before and after: {{mark}} is BEGIN or END, {{name}} the name; `{MARKER}` where not given"
            ),
            **insertion.FIELDS,
            **part.FIELDS,
        },
        one_of=(("content", "template", "source"), insertion.EXCLUSIVE),
        needs_one_of=(("content", "template", "source"),),
        rules=(_block_rules,),
    )

    def identity(self, fields: Mapping[str, JSON]) -> str:
        """The path and the block's name."""
        return f"{fields['path']}#{fields.get('name', NAME)}"

    def state(self, content: bytes, resource: Resource, named: part.Named) -> Optional[bool]:
        """Compares what is between the marks."""
        lines = content.split(b"\n")
        place = _between(lines, resource)
        if place is None:
            return None
        inner = b"".join((line[:-1] if line.endswith(b"\r") else line) + b"\n" for line in lines[place[0] + 1 : place[1]])
        wished = str(resource.fields.get("content", ""))
        return any(named(text, wished) for text in (inner, inner[:-1]))

    def edited(self, content: bytes, resource: Resource, blob: part.Blob) -> bytes:
        """The file with the block in it, or without."""
        lines = content.split(b"\n")
        complete = lines[-1] == b""
        if complete:
            lines.pop()
        place = _between(lines, resource)
        if place is not None:
            before, after = lines[: place[0]], lines[place[1] + 1 :]
        elif resource.absent:
            return content
        else:
            index = insertion.place(part.texts(lines), resource.fields)
            before, after = lines[:index], lines[index:]
        block = [] if resource.absent else _block(resource, blob, part.ending(content)[:-1])
        return _joined(before, block, after, complete=complete)


def _joined(before: List[bytes], block: List[bytes], after: List[bytes], *, complete: bool) -> bytes:
    """A file that lacked its last newline lacks it again, unless a block is the last thing in it."""
    lines = [*before, *block, *after]
    return b"\n".join(lines) + (b"\n" if lines and (complete or (block and not after)) else b"")


def _block(resource: Resource, blob: part.Blob, carriage: bytes) -> List[bytes]:
    content = blob(str(resource.fields["content"]))
    inner = (content[:-1] if content.endswith(b"\n") else content).split(b"\n") if content else []
    begin, end = (mark.encode("utf-8", "surrogateescape") for mark in _marks(resource))
    if begin in inner or end in inner:
        raise part.refused("the lines of the block hold its own marks", hint="declare another `name` or `marker`")
    return [line + carriage for line in (begin, *inner, end)]


def _marks(resource: Resource) -> Tuple[str, str]:
    marker, name = str(resource.fields.get("marker", MARKER)), str(resource.fields.get("name", NAME))
    begin, end = (marker.replace("{name}", name).replace("{mark}", mark) for mark in ("BEGIN", "END"))
    return begin, end


def _between(lines: List[bytes], resource: Resource) -> Optional[Tuple[int, int]]:
    """The indexes of the two marks."""
    found = part.texts(lines)
    begins, ends = ([index for index, text in enumerate(found) if text == mark] for mark in _marks(resource))
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        numbers = ", ".join(str(index + 1) for index in sorted([*begins, *ends]))
        raise part.refused(f"the marks of the block do not belong together (lines {numbers})", hint="mend them by hand")
    return begins[0], ends[0]
