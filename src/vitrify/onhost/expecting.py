"""Whether an answer over HTTP is the one that a health check waits for: its status, what its body holds, its headers."""

from __future__ import annotations

from typing import Mapping, Tuple

from vitrify.core.digest import JSONObject


def differs(health: JSONObject, *, status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Why it is not, in words; "" where it is. Names of `headers` are in lower case."""
    wanted = health.get("status")
    if isinstance(wanted, int) and status != wanted:
        return f"status {status}, not {wanted}"
    text = str(health.get("body") or "")
    if text and text.encode() not in body:
        return f"the body does not hold {text!r}"
    asked = health.get("header")
    for name, value in asked.items() if isinstance(asked, dict) else ():
        found = headers.get(name.lower())
        if found != str(value):
            return f"there is no header {name}" if found is None else f"the header {name} is {found[:200]!r}, not {str(value)!r}"
    return ""


def parsed(answer: bytes) -> Tuple[int, Mapping[str, str], bytes]:
    """Status, headers by their names in lower case, and body of an answer; ValueError where it is not HTTP."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/") or not parts[1].isdigit():
        raise ValueError(first[:200])
    pairs = [line.partition(":") for line in lines]
    return int(parts[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}, body
