"""The key `audit` of a server, and `ignore` of a policy: what audits look at, and which differences they expect."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from vitrify.core.audit_policy import ANY, DECLARED, UPGRADES, AuditPolicy
from vitrify.core.noise import Extent, Noise
from vitrify.project.part import Part
from vitrify.project.values import Absolute, Given, one_of, refuse


def _glob(value: str) -> str:
    if not value.startswith(("/", "**")):
        refuse("this is no path of a host", "as in /var/lib/app/**, where `*` is anything in a name and `**` anything below a folder")
    if value.rstrip("*/") == "":
        refuse("this would cover everything", "name the folders that are noisy")
    return value


def _day(value: Any) -> Any:  # noqa: ANN401  what stands in a file can be anything
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        refuse(f"{value!r} is not a day", "as in until: 2027-01-31")


Glob: TypeAlias = Annotated[str, AfterValidator(_glob)]
Day: TypeAlias = Annotated[date, BeforeValidator(_day)]


class NoisePart(Part):
    """Differences that are to be expected."""

    path: Glob = Field(description="where, as in `path: /var/lib/app/**`")
    reason: str = Field(min_length=1, description="why that is no finding, as in `reason: the application writes its cache there`")
    until: Annotated[Day | None, Given] = None
    changes: Annotated[str, one_of(*(extent.value for extent in Extent))] = Extent.ANY.value


class AuditPart(Part):
    """What an audit of this server looks at and expects."""

    folders: list[Absolute] = Field(default_factory=list)
    ignore: list[NoisePart] = Field(default_factory=list)
    packages: Annotated[str, one_of(ANY, UPGRADES, DECLARED)] = ANY
    profile: Annotated[str, one_of("debian", "none")] = "debian"


def policy(part: AuditPart, *, over: tuple[Noise, ...]) -> AuditPolicy:
    """What a server says, its own noise first."""
    return AuditPolicy(tuple(part.folders), (*noise(part.ignore), *over), part.packages, profile=part.profile != "none")


def noise(parts: Iterable[NoisePart]) -> tuple[Noise, ...]:
    """The rules of a list, in its order."""
    return tuple(Noise(part.path, part.reason, part.until, Extent(part.changes)) for part in parts)
