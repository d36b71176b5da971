"""The project keeps the baselines of its hosts: their digests in the ledger, which the author signs for, and a copy of each.

A host keeps its baseline as well, and whoever is root there can rewrite it, with what `lstat` is compared with. Such a baseline is
found out by its digest, and neither an audit nor the next apply believes it: both go by the copy.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vitrify.core.declaration import Content, Host
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.drift import BASELINE, Class, Finding
from vitrify.lifecycle import record
from vitrify.lifecycle.act import Act, carried_out
from vitrify.lifecycle.world import World
from vitrify.onhost.copied import stepped
from vitrify.onhost.records import below
from vitrify.ports import Session, StateStore

_MOVES = (
    "apply.intended",
    "apply.done",
    "apply.failed",
    "undo.intended",
    "undo.done",
    "undo.failed",
    "accept.intended",
    "accept.done",
    "host.forgotten",
)


class _Copies(Mapping[str, Content]):
    """The copies by seal, read when a host asks for one: most never do."""

    def __init__(self, state: StateStore, seals: Iterable[str]) -> None:
        self._state = state
        self._seals = tuple(seals)

    def __getitem__(self, seal: str) -> Content:
        content = self._state.baseline(seal) if seal in self._seals else None
        if content is None or digest_bytes(content) != seal:
            raise KeyError(seal)
        return Content(data=content)

    def __iter__(self) -> Iterator[str]:
        return iter(self._seals)

    def __len__(self) -> int:
        return len(self._seals)


@dataclass(frozen=True)
class Sealed:
    """What the newest entry about a host says of its baseline: folder -> seal. Empty where nobody can know."""

    folders: Mapping[str, str] = field(default_factory=dict)
    entry: int | None = None
    copied: Mapping[str, str] = field(default_factory=dict)
    """Those of the folders of which there is a copy here."""
    contents: Mapping[str, Content] = field(default_factory=dict)

    @property
    def arguments(self) -> JSONObject:
        """What a call is told of it."""
        return {"sealed": dict(self.copied)}

    def beside(self, contents: Mapping[str, Content]) -> Mapping[str, Content]:
        """These contents, and the copies."""
        return ChainMap(contents, self.contents)  # type: ignore[arg-type]  # which are only read


def sealed(host: Host, world: World, *, but: str = "") -> Sealed:
    """What the baseline of a host has to be; nothing is known of one that a run may have moved on without having told.

    `but` is an operation that has only just been announced.
    """
    newest = record.last(world.ledger, server=None, host=host.name, kinds=_MOVES, but=but)
    if newest is None or "unconfirmed" in newest.body:
        return Sealed()
    folders, kept = _seals(newest.body), world.state.baselines(host.name)
    copied = {folder: seal for folder, seal in folders.items() if kept.get(folder) == seal}
    return Sealed(folders, newest.sequence, copied, _Copies(world.state, copied.values()))


async def with_seals(act: Act, host: Host, session: Session, world: World, *, fresh: bool) -> JSONObject:
    """Have a host act from the baseline that is sealed, and keep a copy of the one it leaves; the answer has what `said` says.

    `fresh` is whether nobody has begun this before: else nobody knows what the baseline was moved on to.
    """
    before = sealed(host, world, but=act.operation if fresh else "")
    act = replace(act, arguments={**act.arguments, **before.arguments}, contents=before.beside(act.contents))
    answer = await carried_out(act, host, session, world)
    if not isinstance(answer.get("seals"), dict):
        return answer
    _keep(host, answer, world)
    found, now = _seals(answer, "found"), _seals(answer)
    broken = {folder: seal for folder, seal in before.folders.items() if found.get(folder) != seal}
    seals: dict[str, JSON] = {**now, **broken}
    return {**answer, _SAID: {"baseline": str(answer.get("baseline", "")), "seals": seals}}


def said(answer: JSONObject) -> JSONObject:
    """What an entry says of the baseline that a run left.

    Of a folder that did not begin from the sealed one, because there was no copy of that, it still says that seal.
    """
    found = answer.get(_SAID)
    return found if isinstance(found, dict) else {}


_SAID = "said"


def _keep(host: Host, answer: JSONObject, world: World) -> None:
    """A copy of each folder; one that does not come out as the host says is not kept: the next run sends all of it."""
    steps, now = answer.get("copies"), _seals(answer)
    for folder, step in steps.items() if isinstance(steps, dict) else ():
        if not isinstance(step, dict):
            continue
        base = str(step.get("base", ""))
        content = stepped((world.state.baseline(base) if base else None) or b"", step)
        if digest_bytes(content) == now.get(folder):
            world.state.keep_baseline(host.name, folder, seal=now[folder], content=content)


def findings(server: str, host: Host, folders: Sequence[str], answer: JSONObject, known: Sealed) -> Iterable[Finding]:
    """One for each of these folders whose baseline on the host is not the one that was sealed."""
    now = _seals(answer)
    for folder, seal in sorted(known.folders.items()):
        if now.get(folder) == seal or not any(below(folder, one) or below(one, folder) for one in folders):
            continue
        copy = folder in known.copied
        yield Finding(
            server=server,
            where=host.name,
            path=folder,
            change="changed" if folder in now else "removed",
            details=(_REWRITTEN, _BY_COPY if copy else _BLIND),
            classed=Class.UNAUTHORISED,
            evidence=BASELINE,
            entry=known.entry,
            answer="re-converge" if copy else "",
        )


_REWRITTEN = "the fingerprints that the host keeps of it are not those that were sealed"
_BY_COPY = "compared with the project's copy of them instead"
_BLIND = "there is no copy of them here: whatever was changed may be hidden"


def _seals(data: JSONObject, name: str = "seals") -> dict[str, str]:
    found = data.get(name)
    return {folder: str(seal) for folder, seal in found.items()} if isinstance(found, dict) else {}
