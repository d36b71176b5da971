"""What a run says while it runs; rendered once, in `cli/render.py`, and read by the JSON output alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Callable, Dict, Mapping

from vitrify.core.digest import JSON, JSONObject


class Stage(Enum):
    """Where in its life the thing spoken of is."""

    STARTED = "started"
    PROGRESS = "progress"
    DONE = "done"
    FAILED = "failed"
    NOTICE = "notice"


@dataclass(frozen=True)
class Event:
    """One happening: `what` is a dotted name (`change`, `bake.layer`, `instance.launch`), `subject` what it is about."""

    what: str
    stage: Stage
    subject: str = ""
    detail: str = ""
    data: Mapping[str, JSON] = field(default_factory=dict)

    def to_json(self) -> JSONObject:
        """The form of the wire and of `-o ndjson`."""
        data: Dict[str, JSON] = dict(self.data)
        return {"what": self.what, "stage": self.stage.value, "subject": self.subject, "detail": self.detail, "data": data}

    @classmethod
    def from_json(cls, data: JSONObject) -> Event:
        """Read what `to_json` wrote."""
        more = data.get("data")
        return cls(
            what=str(data["what"]),
            stage=Stage(data["stage"]),
            subject=str(data.get("subject", "")),
            detail=str(data.get("detail", "")),
            data=more if isinstance(more, dict) else {},
        )


Emit = Callable[[Event], None]
"""Where events go. Never raises, never blocks for long."""


def silence(_: Event) -> None:
    """Say nothing."""
