"""Who made an image from what: an in-toto statement (v1) with SLSA provenance (v1)."""

from __future__ import annotations

import json
from typing import Final

from vitrify import __version__
from vitrify.core.digest import JSON, PLAIN, JSONObject, canonical
from vitrify.evidence.inventory import Part
from vitrify.ports import Made

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "https://vitrify.dev/bake/v1"
BUILDER: Final = "https://vitrify.dev/bake"


def statement(image: str, made: Made, parts: tuple[Part, ...], *, base: str, fingerprint: str) -> bytes:
    """The statement about an image.

    It holds no time and no name of a machine: the author's signature around it says who, and the ledger says when.
    `fingerprint` names the base; where that is a packed layer, it is its digest.
    """
    outer: JSONObject = {
        "project": made.project,
        "server": made.server,
        "base": base,
        "declaration": made.declaration,
        "resources": dict(made.resources),
    }
    if made.allowed_secrets:
        outer["allowedSecrets"] = [dict(vars(one)) for one in made.allowed_secrets]
    packages: list[JSON] = [{"uri": part.url.to_string()} for part in parts]
    materials: list[JSON] = [*_base(base, fingerprint), *packages]
    predicate: JSONObject = {
        "buildDefinition": {"buildType": BUILD_TYPE, "externalParameters": outer, "resolvedDependencies": materials},
        "runDetails": {"builder": {"id": BUILDER, "version": {"vitrify": __version__}}},
    }
    subject: JSONObject = {"name": f"{made.project}/{made.server}", "digest": _sha256(image)}
    return canonical({"_type": STATEMENT, "subject": [subject], "predicateType": PREDICATE, "predicate": predicate})


def _base(base: str, fingerprint: str) -> list[JSON]:
    if not fingerprint:
        return []
    if base == "host":  # a look at a running system: it names it, and is no digest of its files
        return [{"name": "base", "uri": "urn:vitrify:base:host", "annotations": {"fingerprint": fingerprint}}]
    return [{"name": "base", "uri": f"urn:vitrify:base:{base}", "digest": _sha256(fingerprint)}]


def _sha256(digest: str) -> JSONObject:
    return {"sha256": digest.removeprefix(PLAIN)}


def problem(payload: bytes, *, image: str) -> str:
    """Nothing where this payload is provenance of this image; else what is wrong with it."""
    try:
        data = json.loads(payload)
        subjects = [one["digest"].get("sha256") for one in data["subject"]]
        kinds = (data["_type"], data["predicateType"])
        build = data["predicate"]["buildDefinition"]["buildType"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "it is not an in-toto statement with SLSA provenance"
    if kinds != (STATEMENT, PREDICATE):
        return f"it is a statement of another kind: {kinds[1]}"
    if image.removeprefix(PLAIN) not in subjects:
        return "it is about another image"
    return "" if build == BUILD_TYPE else f"it was built in a way that is not known here: {build}"
