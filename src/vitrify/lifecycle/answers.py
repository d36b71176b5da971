"""What a host answered to a change in place, as values."""

from __future__ import annotations

from collections.abc import Iterable

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.report import Outcome

_MOST_TOLD = 500


def objects(answer: JSONObject, name: str) -> list[JSONObject]:
    """A list of objects in an answer; `TargetFailed` where it is not there."""
    items = answer.get(name)
    if not isinstance(items, list):
        raise TargetFailed(f"the host's answer lacks {name!r}", hint="the payload and this program differ; run the command again")
    return [item for item in items if isinstance(item, dict)]


def texts(value: JSON) -> tuple[str, ...]:
    """A list of texts; none where it is no list."""
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def ended(data: JSONObject) -> Outcome:
    """How one change ended."""
    return Outcome(str(data["address"]), str(data["outcome"]), str(data.get("error") or ""), texts(data.get("besides")))


def pairs(told: Iterable[tuple[str, str]]) -> list[JSON]:
    """For the ledger, whose entries hold 64 KiB at most: the first of them."""
    found: list[JSON] = [[first, second] for first, second in told]
    return found[:_MOST_TOLD]
