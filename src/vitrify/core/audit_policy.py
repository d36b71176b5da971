"""What a server's audits look at, and which differences they expect. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Tuple

from vitrify.core.noise import DEBIAN, Noise
from vitrify.core.place import inside

ANY, UPGRADES, DECLARED = "any", "upgrades", "declared"


@dataclass(frozen=True)
class PackageChange:
    """What became of a package since the baseline; an empty version is none."""

    name: str
    before: str
    now: str

    @property
    def told(self) -> str:
        """What became of it, in words."""
        if not self.before:
            return f"installed {self.now}"
        return f"{self.before} -> {self.now}" if self.now else f"removed {self.before}"

    @property
    def change(self) -> str:
        """added, changed or removed."""
        return "changed" if self.before and self.now else "added" if self.now else "removed"


@dataclass(frozen=True)
class AuditPolicy:
    """Folders beside those that are declared, noise in the order of the declaration, and whose packages may change by other hands."""

    folders: Tuple[str, ...] = ()
    noise: Tuple[Noise, ...] = ()
    packages: str = ANY
    """`any`; `upgrades` of what is installed; `declared`: those that the declaration names."""
    profile: bool = True
    """Whether the rules that come along for Debian hold in `folders`."""

    def rules(self, path: str) -> Tuple[Noise, ...]:
        """All rules that may hold at a path; the user's own come first."""
        swept = self.profile and any(path == folder or inside(path, folder) for folder in self.folders)
        return (*self.noise, *DEBIAN) if swept else self.noise

    def allows(self, change: PackageChange, declared: Iterable[str]) -> str:
        """By what such a change of a package is allowed; nothing where it is not."""
        plain = change.name.partition(":")[0]
        if plain in declared:
            return "the declaration names it" if change.now else ""
        if self.packages == ANY:
            return "the policy allows any package"
        upgraded = self.packages == UPGRADES and change.before and change.now
        return "the policy allows upgrades" if upgraded else ""
