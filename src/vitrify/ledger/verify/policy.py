"""Whose word a verifier takes, and how many witnesses it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Policy:
    """Public keys in text form: of the `authors`, of former authors (`bounds`: each with the largest tree it may sign), of `witnesses`.

    A checkpoint counts where so many witnesses as the `quorum` says cosigned it.
    """

    authors: tuple[str, ...] = ()
    bounds: Mapping[str, int] = field(default_factory=dict)
    witnesses: tuple[str, ...] = ()
    quorum: int = 0
