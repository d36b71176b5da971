"""What is to be run around the phases of an operation: hooks, and the two halves of a migration, which are hooks as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vitrify.core.digest import JSON, JSONObject, digest_of

CONTROL, HOST, NEXT = PLACES = ("control", "host", "next")
"""Where a hook runs: on this machine, on the host that the operation is about, or inside an instance of the release."""
EXPAND, CONTRACT = MIGRATION = ("expand", "contract")
STEPS: Final = ("launch", "gate", "switch", "probation", "drain")
"""The phases of an operation on a release, in order."""
BACK: Final = ("switch_back", "abort")
"""The phases of its way back."""
OPERATIONS: Final = ("release", "rollback", "replace")
"""The operations on a release: each is a phase as a whole, too."""
STORIES: Final = ("apply", "undo", "bake", "retire")
"""What else has hooks: an apply in place, its undo, a bake, a retirement."""
PHASES: Final = (*STEPS, *OPERATIONS, *STORIES, *BACK)


@dataclass(frozen=True)
class Hook:
    """One command, run before or after a phase. `timeout` in seconds; values of `env` may be `secret:NAME`."""

    phase: str
    command: tuple[str, ...]
    before: bool = True
    on: str = CONTROL
    timeout: float = 60.0
    stops: bool = True
    """Whether its failure stops what it was run for; else it is only told."""
    only: tuple[str, ...] = ()
    """The operations on a release that it is for; all of them where empty."""
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """In words: `before switch`."""
        return self.phase if self.phase in MIGRATION else f"{'before' if self.before else 'after'} {self.phase}"

    @property
    def digest(self) -> str:
        """Equal digests, equal hooks."""
        return digest_of(self.to_json())

    def to_json(self) -> JSONObject:
        """The form that is kept with a release; holds no secret."""
        return {
            "phase": self.phase,
            "before": self.before,
            "command": list(self.command),
            "on": self.on,
            "timeout_ms": round(self.timeout * 1000),
            "stops": self.stops,
            "only": list(self.only),
            "env": dict(self.env),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, JSON]) -> Hook:
        """Read what `to_json` wrote."""
        env, timeout = data.get("env"), data.get("timeout_ms")
        return cls(
            phase=str(data["phase"]),
            command=_texts(data.get("command")),
            before=data.get("before") is True,
            on=str(data.get("on", CONTROL)),
            timeout=timeout / 1000 if isinstance(timeout, int) else 60.0,
            stops=data.get("stops") is True,
            only=_texts(data.get("only")),
            env={name: str(value) for name, value in env.items()} if isinstance(env, dict) else {},
        )


def read(value: JSON) -> tuple[Hook, ...]:
    """The hooks that are kept with a release."""
    return tuple(Hook.from_json(one) for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


def _texts(value: JSON) -> tuple[str, ...]:
    return tuple(str(word) for word in value) if isinstance(value, list) else ()
