"""Which part of a declaration a plan is about."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vitrify.core.asked import Scope
from vitrify.core.digest import JSON, JSONObject


@dataclass(frozen=True)
class Selection:
    """Which part of a declaration a plan is about, and in which environment; empty means all, and none."""

    limit: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    environment: str = ""

    @classmethod
    def of(cls, scope: Scope) -> Selection:
        """The part that these flags mean."""
        return cls(scope.limit, scope.exclude, scope.tags, scope.environment)

    def within(self, scope: Scope) -> Scope:
        """The same flags, about this part."""
        return replace(scope, limit=self.limit, exclude=self.exclude, tags=self.tags, environment=self.environment)

    def to_json(self) -> JSONObject:
        """The form that is kept with a plan."""
        lists: JSONObject = {"limit": [*self.limit], "exclude": [*self.exclude], "tags": [*self.tags]}
        return {**lists, "environment": self.environment}

    @classmethod
    def from_json(cls, data: JSON) -> Selection:
        """Read what `to_json` wrote; what is missing is empty."""
        found = data if isinstance(data, dict) else {}
        lists = {name: value for name, value in found.items() if isinstance(value, list)}
        limit, exclude, tags = (tuple(str(word) for word in lists.get(name, [])) for name in ("limit", "exclude", "tags"))
        return cls(limit, exclude, tags, str(found.get("environment", "")))
