"""What a bake installs: fetched and kept while it is chosen, looked for again where it is pinned and not here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vitrify.builders.supplies import Supplies
from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic
from vitrify.core.digest import JSONObject
from vitrify.core.locked import Deb, Inputs, Wheel
from vitrify.ports import BakeRequest, Chosen


def of_the_lock(inputs: Inputs, supplies: Supplies) -> JSONObject:
    """The argument of a bake that installs from these files alone."""
    return {"supplies": {"folder": str(supplies.files), **inputs.to_json()}}


def to_choose(known: Inputs, supplies: Supplies, reach: dict[str, str], *, keep: bool) -> JSONObject:
    """The argument of a bake that chooses; with `keep`, what is known is chosen again wherever it can still be had."""
    told: JSONObject = {"folder": str(supplies.files), "choose": True, "keep": keep, "reach": dict(reach)}
    return {"supplies": {**told, **known.to_json()}}


def kept(answer: JSONObject, request: BakeRequest, supplies: Supplies) -> Chosen:
    """Keep every file that a bake chose."""
    told = answer.get("chosen")
    chosen = told if isinstance(told, dict) else {}
    debs, wheels = list(_rows(chosen, "debs")), list(_rows(chosen, "wheels"))
    for row in (*debs, *wheels):
        supplies.take(Path(str(row["path"])), sha256=str(row["sha256"]))
    inputs = Inputs.of(request.base, tuple(Deb.from_json(row) for row in debs), tuple(_wheel(row) for row in wheels))
    return Chosen(inputs, frozenset((str(row["name"]), str(row["version"])) for row in debs if row.get("security") is True))


def _rows(chosen: JSONObject, name: str) -> Iterator[JSONObject]:
    rows = chosen.get(name)
    yield from (row for row in (rows if isinstance(rows, list) else ()) if isinstance(row, dict))


def _wheel(row: JSONObject) -> Wheel:
    file = str(row["file"])
    name, version, *_ = file.split("-")
    return Wheel(name, version, file, str(row["sha256"]), int(str(row["size"])))


def refuse_lacking(inputs: Inputs, supplies: Supplies, *, subject: str) -> None:
    """DeclarationInvalid where a file that is pinned could not be had."""
    lacking = supplies.lacking(inputs)
    if lacking:
        named = ", ".join(f"{one.name} {one.version}" for one in lacking[:3])
        more = f" and {len(lacking) - 3} more" if lacking[3:] else ""
        raise DeclarationInvalid(
            [
                Diagnostic(
                    f"what vitrify.lock pins for {subject} cannot be had any more: {named}{more}",
                    why="it is not in the image store, and no source offers exactly that file now",
                    hint=f"`vitrify update {subject}` chooses anew, and shows what moves; or bring the store of a machine that has it",
                )
            ]
        )


def refuse_another_base(request: BakeRequest) -> None:
    """DeclarationInvalid where what is pinned was chosen upon another base."""
    if request.inputs is not None and request.inputs.base not in ("", request.base):
        raise DeclarationInvalid(
            [
                Diagnostic(
                    f"vitrify.lock holds what {request.server} installs upon {request.inputs.base}, and its base is {request.base}",
                    hint=f"`vitrify update {request.server}` chooses for the new base",
                )
            ]
        )
