"""The small values of a rollout's strategy."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator

from vitrify.core.batch import Share
from vitrify.core.shares import STEP, is_share
from vitrify.core.strategy import Weight
from vitrify.project.values import host_name, listen_address, refuse


def _weight(value: Any) -> Weight:  # noqa: ANN401  what stands in a file can be anything
    found = Weight.parse(value) if isinstance(value, str) else None
    if found is None:
        refuse("this is not a step of a canary", "a share of the requests and how long, as in `5% for 10m`; or `25%`, until it is promoted")
    if not is_share(found.percent):
        hint = f"a multiple of {STEP}%, from {STEP}% to {100 - STEP}%"
        refuse(f"{found.percent}% of the requests cannot be sent beside the others", hint)
    return found


WeightText: TypeAlias = Annotated[Weight, BeforeValidator(_weight)]
"""One step of a canary, written as `5% for 10m` or `25%`."""


@dataclass(frozen=True)
class Part100:
    """A share of 1."""

    share: float


_PART: Final = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,4}))?%")


def _part(value: Any) -> Part100:  # noqa: ANN401  what stands in a file can be anything
    match = _PART.fullmatch(value) if isinstance(value, str) else None
    found = float(value.removesuffix("%")) if match and isinstance(value, str) else math.inf
    if found > 100:
        refuse("this is not a share of the answers", 'as in 1% or "0.5%"')
    return Part100(found / 100)


Percentage: TypeAlias = Annotated[Part100, BeforeValidator(_part)]
"""A share of the answers, written as `1%` or `0.5%`."""


def _instances(value: Any) -> Share:  # noqa: ANN401  what stands in a file can be anything
    found = Share.parse(str(value)) if isinstance(value, (int, str)) and not isinstance(value, bool) else None
    if found is None:
        refuse("this is not a number of instances", "a whole number or a share of all, as in 1 or 25%")
    return found


InstanceShare: TypeAlias = Annotated[Share, BeforeValidator(_instances)]
"""So many instances, written as `1` or `25%`."""


def _is_address(value: str) -> bool:
    """Whether it is a whole address of a machine: numbers alone are no host name, and with several colons the last is no port's."""
    try:
        ip_address(value.strip("[]"))
    except ValueError:
        return False
    return True


def _bracketed(value: str) -> str:
    return f"[{value.strip('[]')}]" if ":" in value else value


def _preview(value: str) -> str:
    if _is_address(value):
        refuse(f"{value!r} is an address without a port", f'give one, as in "{_bracketed(value)}:8080", or a host name')
    return listen_address(value) if ":" in value else host_name(value)


Preview: TypeAlias = Annotated[str, AfterValidator(_preview)]
"""A host name, or an address to listen on."""


def refuse_unordered(steps: Iterable[Weight]) -> None:
    """Say that the steps of a canary do not grow."""
    shares = [step.percent for step in steps]
    if any(after <= before for before, after in pairwise(shares)):
        refuse("a canary's steps grow", "each one a larger share than the one before it; behind the last one all get what is new")
