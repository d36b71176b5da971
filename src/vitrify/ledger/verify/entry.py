"""What the stranger's verifier asks of the bytes of one entry; like all of it, without a line of the writer's code."""

from __future__ import annotations

import json
import re
from datetime import datetime

_ACTED = "actor"
_FIELDS = ("at", "author", "body", "kind", "schema", "sequence")
_SCHEMA = "vitrify.dev/entry/v1"
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z", re.ASCII)
_KIND = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*", re.ASCII)
_LARGEST_NUMBER = 2**53 - 1


def entry_problem(data: bytes, number: int) -> str:
    """What is wrong with entry `number`; empty where nothing is."""
    try:
        entry = _READER.decode(data.decode("utf-8"))
        again = _WRITER.encode(entry).encode("utf-8")
    except (ValueError, RecursionError) as error:
        return f"not canonical JSON ({ascii(str(error))[1:-1][:120]})"
    if again != data:
        return "not in canonical form"
    if not isinstance(entry, dict) or tuple(name for name in entry if name != _ACTED) != _FIELDS:
        return f"its fields are not {', '.join(_FIELDS)}"
    return _field_problem(entry, number)


def _field_problem(entry: dict[str, object], number: int) -> str:
    sequence, at, author, kind = entry["sequence"], entry["at"], entry["author"], entry["kind"]
    checks = (
        (entry["schema"] == _SCHEMA, f"its schema is not {_SCHEMA}"),
        (type(sequence) is int and sequence == number, f"it says that it is number {ascii(sequence)[:40]}"),
        (isinstance(at, str) and _is_time(at), "its time is not RFC 3339 in UTC with milliseconds"),
        (isinstance(author, str) and author != "", "it names no author"),
        (isinstance(kind, str) and _KIND.fullmatch(kind) is not None, "its kind is not lower-case words joined by dots"),
        (isinstance(entry["body"], dict), "its body is not an object"),
        (_ACTED not in entry or (isinstance(entry[_ACTED], dict) and bool(entry[_ACTED])), "its actor is not an object that says who"),
    )
    return next((problem for holds, problem in checks if not holds), "")


def _is_time(text: str) -> bool:
    try:
        return _AT.fullmatch(text) is not None and datetime.fromisoformat(text) is not None
    except ValueError:
        return False


def _in_order(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """RFC 8785 sorts names by UTF-16 units; strictly rising order rules out duplicates as well."""
    found = dict(pairs)
    names = list(found)
    ordered = sorted(names) if "".join(names).isascii() else sorted(names, key=_utf16)
    if len(names) != len(pairs) or names != ordered:
        raise ValueError("names out of order or twice")
    return found


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _whole(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > _LARGEST_NUMBER:
        raise ValueError("a number beyond 2**53 - 1")
    return int(text)


def _no_fraction(_: str) -> float:
    raise ValueError("a number that is not whole")


_READER = json.JSONDecoder(object_pairs_hook=_in_order, parse_int=_whole, parse_float=_no_fraction, parse_constant=_no_fraction)
_WRITER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
