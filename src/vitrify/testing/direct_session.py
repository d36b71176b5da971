"""A session without a channel: the payload's calls, made in this very process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vitrify.core.declaration import Content
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.core.event import Emit, silence
from vitrify.core.resource import Kinds
from vitrify.core.step import Reached, carry_on
from vitrify.onhost.context import Context

Call = Callable[[Context, JSONObject], JSONObject]


@dataclass(frozen=True)
class DirectSession:
    """A `Session` on this machine. Arguments and answers pass through JSON, as they would on the wire."""

    calls: Mapping[str, Call]
    clock: Callable[[], float]
    kinds: Kinds
    reached: Reached = carry_on

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        """Run the call in a thread, so that others may run beside it."""
        if name not in self.calls:
            raise TargetFailed(f"there is no call {name}")

        def blob(digest: str) -> bytes:
            content = (contents or {}).get(digest)
            if content is not None and content.path is not None:
                held = Path(content.path).read_bytes()
                return held[content.start : None if content.size is None else content.start + content.size]
            if content is None or content.data is None:
                raise TargetFailed(f"{digest} was not sent")
            return content.data

        context = Context(emit=emit, blob=blob, reached=self.reached, kinds=self.kinds, clock=self.clock)
        answer = await asyncio.to_thread(self.calls[name], context, json.loads(json.dumps(arguments)))
        found = json.loads(json.dumps(answer))
        return dict(found)

    async def close(self) -> None:
        """Nothing to end."""
