"""The call `accept`: what is there now is what the next audit compares with, at these paths, of these packages, and nowhere else."""

from __future__ import annotations

from typing import List, Optional, Set

from vitrify.core import place
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.onhost.baseline import Baseline, sweeper
from vitrify.onhost.context import Context
from vitrify.onhost.copied import believed, sealed_in
from vitrify.onhost.explaining import Told, explained
from vitrify.onhost.journal import all_runs
from vitrify.onhost.keeper import Keeper, folders_of
from vitrify.onhost.memory import Holder
from vitrify.onhost.ownership import Ownership
from vitrify.onhost.packages_kept import Followed
from vitrify.onhost.records import differing
from vitrify.onhost.scope import Here, texts

PACKAGE = "package:"


def accept(context: Context, arguments: JSONObject) -> JSONObject:
    """Move the baseline on at the `paths`: a path, `package:NAME` for all that it explains, or a folder that was not recorded yet.

    Done twice, it is done once. UsageInvalid where a path lies in no folder that is audited.
    """
    here = Here.at(context, arguments)
    from vitrify.onhost.leasing import leased  # a look needs none of it

    operation, by = (str(arguments.get(name, "")) for name in ("operation", "by"))
    with leased(here, arguments, reason="accept", operation=operation) as lease, here.memory.held(Holder(by, operation), context.clock):
        return {**_Acceptance(here, arguments).go(), "token": lease.token}


class _Acceptance:
    """One of them, under the lock of the memory."""

    def __init__(self, here: Here, arguments: JSONObject) -> None:
        self._here = here
        self._sealed = sealed_in(arguments)
        self._audited = texts(arguments.get("audited"))
        self._named = texts(arguments.get("paths"))
        self._baseline = believed(here, Baseline.remembered(here), self._sealed)

    def go(self) -> JSONObject:
        """What differed there, and what is told of a baseline after a run."""
        folders = tuple(folder for folder in self._audited if not self._baseline.covers(folder) and folder in self._named)
        packages = {name[len(PACKAGE) :] for name in self._named if name.startswith(PACKAGE)}
        wanted = [path for path in self._named if not path.startswith(PACKAGE) and path not in folders]
        self._refuse_unaudited(wanted)
        told = self._told() if wanted or packages else []
        paths = {path for path, _, _ in told if any(path == one or place.inside(path, one) for one in wanted)}
        paths |= self._of(packages, told)
        followed, keeper = Followed(self._here, self._audited), Keeper(self._here, self._sealed)
        keeper.touched(paths)
        holdings = tuple(Ownership.remembered(self._here.memory, all_runs(self._here.memory)))
        mine = (*folders_of(self._here.scope.project, holdings), *self._audited)
        moved = keeper.move_on(folders, (holding.resource for holding in holdings), of=mine)
        self._here.context.reached("accept.act")
        followed.move_on(accepted=packages)
        differed = {path for path, before, now in told if _lasting(before) != _lasting(now)}
        return {"accepted": [*sorted(paths & differed)], "recorded": [*folders], **moved}

    def _refuse_unaudited(self, paths: List[str]) -> None:
        for path in paths:
            if not self._baseline.covers(path):
                known = ", ".join(self._baseline.folders) or "none yet"
                raise UsageInvalid(f"{path} is in no folder that is audited", hint=f"folders with a baseline: {known}")

    def _told(self) -> List[Told]:
        tree = self._baseline.within(self._baseline.folders)
        swept = sweeper(self._here).over(self._baseline.folders, known=tree)
        return [(path, before and before.to_json(), now and now.to_json()) for path, (before, now) in differing(tree, swept.tree).items()]

    def _of(self, packages: Set[str], told: List[Told]) -> Set[str]:
        if not packages:
            return set()
        found = explained(self._here, told)["explained"]
        rows = found.items() if isinstance(found, dict) else ()
        return {path for path, row in rows if isinstance(row, list) and row[0] in packages and row[1] is True}


def _lasting(entry: Optional[JSONObject]) -> JSONObject:
    """Without what tells only that somebody touched it."""
    return {name: value for name, value in (entry or {}).items() if name not in ("mtime_ns", "nlink")}


CALLS = {"accept": accept}
