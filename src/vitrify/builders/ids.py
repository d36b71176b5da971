"""What whoever bakes may give files to: as root to everybody, in a user namespace to subordinate ids, else to nobody but themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitrify.builders.ground import HOST, ROOTFS, Base
from vitrify.core.digest import JSON, JSONObject
from vitrify.ports import Session
from vitrify.project import subordinate


@dataclass(frozen=True)
class Ids:
    """How one bake stands. `many` where it is made in a user namespace; `tables` are the base's owners, a file for each of its folders."""

    many: bool = False
    tables: tuple[str, ...] = ()
    grant: JSONObject | None = None
    """Where it is not, and nobody is root: why not, and what would help."""

    def told(self, below: Sequence[str]) -> JSONObject:
        """What a bake is told; `below` are the tables of the layers that it is made upon, the upper first, which may be missing."""
        if self.many:
            tables: JSON = [table if Path(table).is_file() else "" for table in (*below, *self.tables)]
            return {"owners": tables}
        return {"grant": self.grant} if self.grant else {}

    def owners(self, answer: JSONObject) -> JSONObject:
        """What a bake made plain."""
        found = answer.get("owners")
        return found if self.many and isinstance(found, dict) else {}


class Wide:
    """The way to a payload that is root of a user namespace with many ids, where this machine has one.

    Nothing is tried before it is needed: `look` tells what is granted, `attempt` whether it works.
    """

    def __init__(
        self,
        session: Session,
        *,
        look: Callable[[], subordinate.Ids] = subordinate.here,
        attempt: Callable[[subordinate.Ids], subordinate.Ids] = subordinate.tried,
    ) -> None:
        self.session = session
        self._look, self._attempt = look, attempt
        self._found: subordinate.Ids | None = None
        self._tried = False

    @property
    def found(self) -> subordinate.Ids:
        """What there is, for all that is known by now."""
        if self._found is None:
            self._found = self._look()
        return self._found

    def settle(self) -> bool:
        """Know it for certain, which is needed before something is baked; whether it is otherwise than one could think."""
        if self._tried:
            return False
        thought = self.found.granted
        self._found, self._tried = self._attempt(self.found), True
        return thought is not self._found.granted

    def ids_upon(self, base: Base) -> Ids:
        """How a bake upon this base stands: whose files are not ours cannot be written over by subordinate ids."""
        found, strange = self.found, base.kind == HOST or (base.kind == ROOTFS and Path(base.folder).stat().st_uid != os.geteuid())
        if found.granted and not strange:
            return Ids(many=True, tables=(base.owners,) if base.folder else ())
        if found.granted:
            hint = "bake upon a copy of your own: `cp -r DIR COPY`" if base.kind == ROOTFS else "bake upon `debootstrap:SUITE`"
            return Ids(grant={"why": "the files of its base belong to somebody else", "hint": hint})
        return Ids(grant={"why": found.why, "hint": found.hint})


def write_owners(folder: Path, owners: JSONObject) -> None:
    """Put what was made plain beside a root that was made there; nothing where all of it was."""
    if owners:
        (folder / "owners.json").write_text(json.dumps(owners), encoding="utf-8")


ALONE = Ids()
"""One id, or all of them: what there is to be done is done either way."""
