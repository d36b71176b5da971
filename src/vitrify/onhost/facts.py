"""What a target is: read from its own files, so that a folder tells of the system in it and not of the one around it."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import suppress
from typing import Dict, Optional

from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost.beneath import Beneath
from vitrify.onhost.files import open_file

_LARGEST = 1 << 20


def content_of(beneath: Beneath, path: str) -> Optional[bytes]:
    """The beginning of a small file, links followed; None where there is none that can be read."""
    with suppress(OSError), beneath.at(path, follow=True) as spot:
        entry = spot.entry()
        if entry is not None:
            descriptor = open_file(spot, entry)
            try:
                return os.read(descriptor, _LARGEST)
            finally:
                os.close(descriptor)
    return None


def facts_of(beneath: Beneath, *, hostname: str) -> JSONObject:
    """os, arch, hostname, python."""
    release = _release(content_of(beneath, "/etc/os-release") or b"")
    known: Dict[str, JSON] = {"id": release.get("ID", ""), "version": release.get("VERSION_ID", ""), "name": release.get("PRETTY_NAME", "")}
    return {"os": known, "arch": os.uname().machine, "hostname": hostname, "python": sys.version.split()[0]}


def _release(content: bytes) -> Dict[str, str]:
    found: Dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        name, equals, value = line.partition("=")
        if equals and not name.startswith("#"):
            with suppress(ValueError):
                found[name.strip()] = "".join(shlex.split(value))
    return found
