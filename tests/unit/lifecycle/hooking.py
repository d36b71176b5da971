"""What runs hooks in these tests: it notes them, and ends as it is told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vitrify.core.digest import JSONObject
from vitrify.onhost.context import Context


@dataclass
class Hooking:
    """The payload's `hook.run`, in memory."""

    hooks: list[JSONObject] = field(default_factory=list)
    """What was run as a hook, in order."""
    hook_ends: dict[str, int | None] = field(default_factory=dict)
    """Program -> its exit code; 0 for the others."""
    happens_in: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What happens while this program runs as a hook."""

    def hook(self, context: Context, arguments: JSONObject) -> JSONObject:
        self.hooks.append(arguments)
        program = self.ran[-1]
        self.happens_in.get(program, lambda: None)()
        return {"code": self.hook_ends.get(program, 0), "said": [f"{program} said so"]}

    @property
    def ran(self) -> list[str]:
        """The programs that were run as hooks, in order."""
        return [str(argv[0]) for one in self.hooks if isinstance(argv := one["argv"], list)]
