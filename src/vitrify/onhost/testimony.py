"""What this host keeps of a project's ledger: the newest checkpoint that it saw, and the entries that concern it.

So a ledger that was shortened or rewritten is contradicted by the hosts, and one that was lost is found with them. A host cannot check
signatures (it has the standard library alone); that what it is shown continues what it saw, it can.
"""

from __future__ import annotations

import base64
import binascii
import os
from contextlib import suppress
from typing import List, Optional, Tuple

from vitrify.core.diagnostic import Busy
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.growth import grown
from vitrify.onhost.context import Context
from vitrify.onhost.faults import told
from vitrify.onhost.files import write
from vitrify.onhost.memory import Holder
from vitrify.onhost.record import sync_folder
from vitrify.onhost.scope import Here

FOLDER = "ledger"
_CHECKPOINT, _ENTRIES, _HOME = "checkpoint", "entries", "home"

Tree = Tuple[int, bytes]


def seen(here: Here) -> JSONObject:
    """The newest checkpoint that this host saw, and where the ledger lived then; empty where it never saw one. Changes nothing."""
    if not here.memory.there():
        return {}
    note = here.memory.content(FOLDER, here.scope.project, _CHECKPOINT)
    home = here.memory.content(FOLDER, here.scope.project, _HOME)
    return {} if note is None else {"checkpoint": note.decode("utf-8", "replace"), "home": (home or b"").decode("utf-8", "replace")}


def keep(here: Here, arguments: JSONObject) -> None:
    """Keep what a call brings of the ledger, durably, before anything is done by it; Busy where it contradicts what was seen here.

    What was seen here after the call was made ready is not gone back from: then nothing is kept, and the next call brings it.
    """
    news = arguments.get("ledger")
    if not isinstance(news, dict):
        return
    note, home, known = str(news.get("checkpoint", "")), str(news.get("home", "")), seen(here)
    new, last = tree_of(note), tree_of(str(known.get("checkpoint", ""))) or (0, b"")
    if new is None:
        return
    if new[0] == last[0] and new[1] != last[1]:
        raise _elsewhere(str(known.get("home", "")))
    if news.get("since") != last[0] or new[0] <= last[0]:
        return
    if not grown(last, new, _hashes(news.get("proof"))):
        raise _elsewhere(str(known.get("home", "")))
    _store(here, note, home, news.get("entries"))


def held(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `ledger.held`: all that this host keeps of a project's ledger, or without the entries where they are not wanted."""
    here = Here.at(context, arguments)
    there = here.memory.there() and arguments.get("entries") is not False
    content = here.memory.content(FOLDER, here.scope.project, _ENTRIES) if there else None
    lines: List[JSON] = [line for line in (content or b"").decode("utf-8", "replace").split("\n") if line]
    return {**seen(here), "entries": lines}


def kept(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `ledger.keep`: keep what it brings, by itself; for a host on which instances run and nothing is changed in place."""
    here = Here.at(context, arguments)
    here.memory.prepare()
    with here.memory.held(Holder(str(arguments.get("by", "")), "ledger"), context.clock):
        keep(here, arguments)
    return seen(here)


def tree_of(note: str) -> Optional[Tree]:
    """Size and root that a checkpoint says, unproved; None where it says none."""
    lines = note.split("\n")
    if len(lines) < 4 or not (lines[1].isascii() and lines[1].isdigit()):
        return None
    try:
        return int(lines[1]), base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError):
        return None


def _hashes(proof: JSON) -> List[bytes]:
    found: List[bytes] = []
    for part in proof if isinstance(proof, list) else []:
        with suppress(ValueError):
            found.append(bytes.fromhex(str(part)))
    return found


def _store(here: Here, note: str, home: str, entries: JSON) -> None:
    """Entries first: a checkpoint promises that what it covers is here."""
    memory, project = here.memory, here.scope.project
    for names in ((FOLDER,), (FOLDER, project)):
        with told(f"{memory.path(*names)} cannot be created"), suppress(FileExistsError):
            os.mkdir(memory.path(*names), 0o700)
            sync_folder(os.path.dirname(memory.path(*names)))
    text = "".join(f"{entry}\n" for entry in entries if isinstance(entry, str)) if isinstance(entries, list) else ""
    path = memory.path(FOLDER, project, _ENTRIES)
    with told(f"{path} cannot be written"):
        # A line that a power cut left unfinished is ended: whoever reads takes whole entries only, each by its own number.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            write(descriptor, f"\n{text}".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    memory.put((FOLDER, project, _HOME), lambda descriptor: write(descriptor, home.encode()))
    memory.put((FOLDER, project, _CHECKPOINT), lambda descriptor: write(descriptor, note.encode()))


def _elsewhere(home: str) -> Busy:
    return Busy(
        f"the ledger of this project lives at {home or 'another machine'}",
        why="this host saw another one than is here: neither continues the other",
        hint="work there; if that machine is lost, `vitrify ledger recover --from-hosts` rebuilds its ledger from the hosts",
    )


CALLS = {"ledger.held": held, "ledger.keep": kept}
