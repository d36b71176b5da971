"""`policy`: who must agree before a plan is carried out, as it stands in a declaration."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from vitrify.core.noise import Noise
from vitrify.core.policy import Approvals
from vitrify.project.part import Part
from vitrify.project.values import Given, refuse
from vitrify.project.watching import NoisePart, noise

Approver = Annotated[str, Field(pattern=r"^[^\s+]+(\+[0-9a-f]{8})?$")]


def _each_once(keys: list[str]) -> list[str]:
    if len(set(keys)) < len(keys):
        refuse("a key is named twice, and counts once", "name others, or take it out")
    return keys


class ApprovalsPart(Part):
    """So many of these authors have to sign a saved plan before it is applied."""

    required: int = Field(ge=1, le=100, description="how many, as in `required: 2`")
    keys: Annotated[list[Approver], AfterValidator(_each_once)] = Field(
        min_length=1, description="who may, as in `keys: [anna@laptop, bert@desk+5b3b7a2c]`: authors of `vitrify.keys`"
    )

    @model_validator(mode="after")
    def _enough(self) -> ApprovalsPart:
        if self.required > len(self.keys):
            refuse(f"{self.required} approvals are required, and {len(self.keys)} can be given", "name more `keys`, or require fewer")
        return self


class PolicyPart(Part):
    """What must be so before anything is done, and what is no finding wherever it is found."""

    approvals: Annotated[ApprovalsPart | None, Given] = None
    ignore: list[NoisePart] = Field(default_factory=list)


def approvals(part: PolicyPart | None) -> Approvals | None:
    """Who must agree; None where nothing is said of it."""
    said = part.approvals if part else None
    return Approvals(said.required, tuple(said.keys)) if said else None


def ignored(part: PolicyPart | None) -> tuple[Noise, ...]:
    """The rules of noise that hold where the policy does."""
    return noise(part.ignore) if part else ()
