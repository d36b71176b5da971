"""Kinds that are not ours, on a target: made from a source whose digest was checked, never from a file that merely lies there."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from hmac import compare_digest
from types import ModuleType
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from vitrify.core.diagnostic import Denied, IntegrityFailed, TargetFailed, UsageInvalid
from vitrify.core.digest import JSON, PLAIN, JSONObject, digest_bytes
from vitrify.core.resource import Kind
from vitrify.core.stranger import Reference, Stranger
from vitrify.onhost.files import write
from vitrify.onhost.memory import Memory

FOLDER, TABLE = "kinds", "kinds.json"


def made(stranger: Stranger) -> Kind:
    """The kind, from its source. Both sides make it here, so that neither knows another one than the other."""
    name = f"vitrify_kind_{stranger.reference.digest[len(PLAIN) :]}"
    module = sys.modules.get(name) or _module(name, stranger)
    cls = getattr(module, stranger.cls, None)
    if not (isinstance(cls, type) and issubclass(cls, Kind)):
        raise UsageInvalid(f"the kind `{stranger.name}` is no kind", why=f"its module has no class {stranger.cls} that is a `Kind`")
    if getattr(cls, "name", None) != stranger.name:
        raise UsageInvalid(
            f"the kind `{stranger.name}` calls itself otherwise",
            why=f"{stranger.cls}.name is {getattr(cls, 'name', None)!r}",
            hint="the name of the entry point and that of the class must be the same",
        )
    try:
        return cls()
    except Exception as error:  # noqa: BLE001  somebody else's code can fail in every way there is
        raise _broken(stranger, error) from None


def _module(name: str, stranger: Stranger) -> ModuleType:
    module = ModuleType(name)
    sys.modules[name] = module  # where a dataclass of Python 3.9 looks for the names of its annotations
    try:
        code = compile(stranger.source, f"<kind {stranger.name}>", "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102  running it is what it came for
    except Exception as error:  # noqa: BLE001  the same
        del sys.modules[name]
        raise _broken(stranger, error) from None
    return module


def _broken(stranger: Stranger, error: Exception) -> TargetFailed:
    why = f"{type(error).__name__}: {error}"
    return TargetFailed(f"the kind `{stranger.name}` cannot be used", why=why, hint="it is not vitrify's own: tell whoever wrote it")


def references(arguments: JSONObject) -> Tuple[Reference, ...]:
    """The kinds that came along with a call."""
    given = arguments.get("kinds")
    return tuple(Reference.from_json(item) for item in given if isinstance(item, dict)) if isinstance(given, list) else ()


def checked(reference: Reference, source: bytes) -> Stranger:
    """The kind of this reference; IntegrityFailed where this is not its source."""
    if digest_bytes(source) != reference.digest:
        raise IntegrityFailed(
            f"the source of the kind `{reference.name}` is not the one that was announced",
            why=f"{reference.digest} was, and this is {digest_bytes(source)}",
            hint="plan again; where it happens again, something between here and there changes what is sent",
        )
    return Stranger(reference.name, reference.cls, source)


@dataclass(frozen=True)
class Guests:
    """The kinds that one call may use beside ours: those that came along, else those that the target remembers.

    What a host remembers is as much to be believed as the host. A folder's memory may have come with the folder: there, a kind
    counts only if its voucher shows that we were sent it by whoever has the digest key.
    """

    memory: Optional[Memory]
    """None for an image, which remembers nothing."""
    blob: Callable[[str], bytes]
    key: bytes
    believed: bool
    sent: Tuple[Reference, ...] = ()
    server: Tuple[str, str] = ("", "")
    _made: Dict[str, Kind] = field(default_factory=dict)

    def of(self, run: Sequence[Reference]) -> Guests:
        """The same, for what is done about a run: with the kinds that it was made with."""
        known = {reference.name: reference.digest for reference in self.sent}
        again = {reference.name: reference for reference in run if known.get(reference.name) != reference.digest}
        return replace(self, sent=tuple({**{one.name: one for one in self.sent}, **again}.values()), _made={})

    def names(self) -> Tuple[str, ...]:
        """All that came along or are remembered."""
        return tuple(dict.fromkeys(reference.name for reference in (*self.sent, *self._remembered())))

    def kind(self, name: str) -> Kind:
        """The kind of this name."""
        if name not in self._made:
            self._made[name] = made(self._stranger(next(one for one in (*self.sent, *self._remembered()) if one.name == name)))
        return self._made[name]

    def _stranger(self, reference: Reference) -> Stranger:
        kept = self.kept(reference)
        if reference.voucher:  # from the memory: nobody may be there to ask, and what is there must be whole
            self._refuse_unvouched(reference)
            if kept is None:
                why = f"{FOLDER}/{_file(reference)} is missing from the memory, or was changed"
                raise TargetFailed(f"the source of the kind `{reference.name}` is not remembered any more", why=why)
            return kept
        return kept or checked(reference, self.blob(reference.digest))

    def _refuse_unvouched(self, reference: Reference) -> None:
        if not self.believed and not compare_digest(reference.voucher, reference.vouched(self.key)):
            raise Denied(
                f"the kind `{reference.name}` that this folder remembers is not believed",
                why="nothing shows that it was sent there from here",
                hint="install the package that offers this kind, in the version that was used, and run the same command again",
            )

    def kept(self, reference: Reference) -> Optional[Stranger]:
        """A kind whose source lies in the memory, whole; None where it does not."""
        source = self.memory.content(FOLDER, _file(reference)) if self.memory and self.memory.there() else None
        if source is None or digest_bytes(source) != reference.digest:
            return None
        return Stranger(reference.name, reference.cls, source)

    def _remembered(self) -> Tuple[Reference, ...]:
        return remembered(self.memory).get(self.server, ()) if self.memory else ()

    def keep(self) -> Tuple[Reference, ...]:
        """Remember what came along, durably, for whoever takes this back when nobody has it any more; returns what to write down."""
        if not self.sent or self.memory is None:
            return ()
        folder = self.memory.path(FOLDER)
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        for reference in self.sent:
            if self.kept(reference) is None:
                self.memory.put((FOLDER, _file(reference)), partial(_fill, source=self._stranger(reference).source))
        noted = tuple(replace(one, voucher=one.vouched(self.key)) for one in self.sent)
        table = remembered(self.memory)
        table[self.server] = tuple({one.name: one for one in (*table.get(self.server, ()), *noted)}.values())
        _write(self.memory, table)
        return noted


def _fill(descriptor: int, *, source: bytes) -> None:
    write(descriptor, source)


def _file(reference: Reference) -> str:
    plain = reference.digest[len(PLAIN) :]
    if not reference.digest.startswith(PLAIN) or len(plain) != 64 or not plain.isalnum():
        raise UsageInvalid(f"{reference.digest!r} is not a digest")
    return plain


Table = Dict[Tuple[str, str], Tuple[Reference, ...]]
"""Project and server -> the kinds that what they hold was last applied with."""


def remembered(memory: Memory) -> Table:
    """What the memory tells."""
    data = memory.read(TABLE) if memory.there() else None
    rows = data.get("kinds") if data else None
    found: Table = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            found[str(row["project"]), str(row["server"])] = references(row)
    return found


def _write(memory: Memory, table: Table) -> None:
    rows: List[JSON] = [
        {"project": project, "server": server, "kinds": [one.to_json() for one in kinds]} for (project, server), kinds in table.items()
    ]
    memory.write(TABLE, {"kinds": rows})


def forget_unused(memory: Memory, *, held: Iterable[Tuple[str, str, str]], runs: Iterable[Sequence[Reference]]) -> None:
    """Drop the sources that neither a run that can be undone nor anything held (project, server, kind) needs."""
    sources = tuple(_sources(memory))
    if not sources:
        return
    table = remembered(memory)
    wanted = set(held)
    left: Table = {}
    for server, kinds in table.items():
        still = tuple(one for one in kinds if (*server, one.name) in wanted)
        if still:
            left[server] = still
    if left != table:
        _write(memory, left)
    needed = {_file(one) for kinds in (*left.values(), *runs) for one in kinds}
    for name in sources:
        if name not in needed:
            with suppress(FileNotFoundError):
                os.unlink(memory.path(FOLDER, name))


def _sources(memory: Memory) -> Iterator[str]:
    with suppress(FileNotFoundError):
        yield from os.listdir(memory.path(FOLDER))


def refuse_ours(kinds: Iterable[Reference], ours: Callable[[str], bool]) -> None:
    """Nobody else's kind may take the name of one of ours."""
    for reference in kinds:
        if ours(reference.name):
            raise UsageInvalid(f"the kind `{reference.name}` is vitrify's own, and cannot be sent along")
