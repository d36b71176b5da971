"""The key `respond` of a server: what `vitrify serve` does about a finding by itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

from vitrify.core.response import AT_MOST, GIVE_UP, Do, Response
from vitrify.core.severity import Severity
from vitrify.project.part import Part
from vitrify.project.values import one_of, refuse


def _about(value: str) -> str:
    if not value.startswith(("/", "**")) and ":" not in value:
        refuse("this is no path of a host", "as in /etc/**, where `*` is anything in a name; or an address, as in service:nginx")
    return value


class ResponsePart(Part):
    """What is done about findings of one sort; of several rules that fit, the first counts."""

    do: Annotated[str, one_of(*(each.value for each in Do))] = Field(description="what is done, as in `do: re-converge`")
    path: Annotated[str, AfterValidator(_about)] = "**"
    severity: Annotated[str, one_of(*(each.value for each in Severity))] = Severity.LOW.value
    at_most: int = Field(default=AT_MOST, ge=1, le=60)
    give_up: int = Field(default=GIVE_UP, ge=1, le=100)


def responses(parts: Iterable[ResponsePart]) -> tuple[Response, ...]:
    """The rules of a list, in its order."""
    return tuple(Response(Do(part.do), part.path, Severity(part.severity), part.at_most, part.give_up) for part in parts)
