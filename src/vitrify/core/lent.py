"""What a fingerprint says of the rights that a file gives to whoever runs it. Pure; it travels."""

from __future__ import annotations

from typing import FrozenSet, Mapping, Optional

from vitrify.core.digest import JSON

Entry = Mapping[str, JSON]
"""One fingerprint, as it is told: type, mode, uid, gid, size and what is in it."""


def lent(entry: Optional[Entry]) -> FrozenSet[str]:
    """By what a file lends its owner's rights to whoever runs it: setuid, setgid, capabilities."""
    if entry is None or entry.get("type") != "file":
        return frozenset()
    bits, xattrs = mode(entry), entry.get("xattrs")
    found = {name for bit, name in ((0o4000, "setuid"), (0o2000, "setgid")) if bits & bit}
    return frozenset(found | ({"capabilities"} if isinstance(xattrs, dict) and "security.capability" in xattrs else set()))


def runs(entry: Optional[Entry]) -> bool:
    """Whether it is a file that somebody may run."""
    return entry is not None and entry.get("type") == "file" and bool(mode(entry) & 0o111)


def mode(entry: Entry) -> int:
    """Its mode."""
    return int(str(entry.get("mode", "0")), 8)
