"""Reads the hosts of an OpenSSH configuration. What it says about each stays there: the client reads it at every connection."""

from __future__ import annotations

import re
import shlex

from vitrify.project.inventory.gathered import Gathered

GROUP = "ssh"
_WORD = re.compile(r"(\w+)\s*[=\s]\s*(.*)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def read(text: str, *, file: str) -> Gathered:
    """The hosts that this configuration names."""
    found = Gathered(file)
    for number, raw in enumerate(text.splitlines(), 1):
        match = _WORD.fullmatch(raw.strip())
        if match is None or raw.strip().startswith("#"):
            continue
        keyword = match[1].lower()
        if keyword == "host":
            _hosts(found, match[2], number)
        elif keyword == "include":
            found.remark(f"`Include {match[2]}` is not followed; import that file as well", line=number)
        elif keyword == "match":
            found.remark("`Match` names no host; ssh itself obeys it", line=number)
    if found.hosts:
        found.remark("ssh looks these names up in its own configuration, of which this file has to be a part")
    return found


def _hosts(found: Gathered, patterns: str, number: int) -> None:
    try:
        names = shlex.split(patterns, comments=True)
    except ValueError:
        names = patterns.split()
    for name in names:
        if any(sign in name for sign in "*?!"):
            found.remark(f"the pattern `{name}` is no host; ssh itself obeys it", line=number)
        elif not _NAME.fullmatch(name):
            found.remark(f"the name `{name}` cannot stand in an address; it is left out", line=number)
        else:
            found.host(name, GROUP, {})
