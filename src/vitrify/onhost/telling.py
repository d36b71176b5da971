"""The call `audit.path`: what a host knows of one path. Changes nothing."""

from __future__ import annotations

from typing import Dict, List

from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost.baseline import Baseline, sweeper
from vitrify.onhost.context import Context
from vitrify.onhost.copied import believed, sealed_in
from vitrify.onhost.editing import Editing
from vitrify.onhost.packaged import sum_of
from vitrify.onhost.packagers import packages_of
from vitrify.onhost.records import below
from vitrify.onhost.scope import Here


def tell(context: Context, arguments: JSONObject) -> JSONObject:
    """Its fingerprint in the baseline and now, the folder it is swept in, its packages, and for whom it is held."""
    here = Here.at(context, arguments)
    path = str(arguments.get("path", ""))
    baseline = believed(here, Baseline.remembered(here), sealed_in(arguments))
    folder = next((folder for folder in baseline.folders if below(folder, path)), "")
    before = Editing(baseline.tree, tops=baseline.folders).before(path) if folder and baseline.knows(path) else None
    now = sweeper(here).at([path]).get(path)
    return {
        "folder": folder,
        "before": before.print.to_json() if before else None,
        "now": now.print.to_json() if now else None,
        "owners": _owners(here, path),
    }


def _owners(here: Here, path: str) -> Dict[str, JSON]:
    packages = packages_of(here.system)
    if packages is None:
        return {}
    mine: List[str] = [name for name in packages.versions if path in packages.paths(name)]
    sums = {name: packages.sums(name).get(path, "") for name in mine}
    return {
        name: {"version": packages.versions[name], "sum": sums[name], "is": sum_of(here.system, path, like=sums[name])} for name in mine
    }


CALLS = {"audit.path": tell}
