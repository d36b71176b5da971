"""The memory twin of the runtimes keeps the same promises."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace

import pytest

from vitrify.core.declaration import Limits
from vitrify.core.instance import InstanceSpec
from vitrify.testing.memory_runtime import MemoryRuntime
from vitrify.testing.runtime_suite import ENTER, Died, RuntimeBench, RuntimeSuite

IMAGE = "sha256:" + "0" * 64


@dataclass
class Clock:
    """Time that passes when told to."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class MemoryBench:
    """The twin and its hooks."""

    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.runtime = MemoryRuntime(self.clock, broken=("/no/such/program",), searching=("/bin/search",))

    def spec(self, identity: str) -> InstanceSpec:
        return InstanceSpec(identity, IMAGE, ("/bin/web",), {}, {}, port=8000)

    def broken(self, identity: str) -> InstanceSpec:
        return InstanceSpec(identity, IMAGE, ("/no/such/program",), {}, {}, port=8000)

    def now(self) -> float:
        return self.clock.now

    def let_pass(self, seconds: float) -> None:
        self.clock.now += seconds

    def crash(self, identity: str) -> None:
        self.runtime.crash(identity)

    def searcher(self, identity: str) -> InstanceSpec:
        return replace(self.spec(identity), argv=("/bin/search",), writable=("/srv/count",))

    def dying(self) -> MemoryRuntime:
        twin = copy(self.runtime)
        twin.dies_before_start = Died("killed")
        return twin

    def within(self, entrance: tuple[str, ...]) -> str:
        word, instance, *argv = entrance
        assert (word, instance, tuple(argv)) == ("inside", "web-1", ENTER)
        return "as baked\n"

    def holds(self, limits: Limits) -> bool:
        return limits == Limits(memory=64 << 20, cpu=500, pids=50)

    def alter(self, identity: str, path: str) -> None:
        self.runtime.alter(identity, path)

    def copy_up(self, identity: str, path: str) -> None:
        """In memory nothing is copied."""


class TestMemoryRuntime(RuntimeSuite):
    @pytest.fixture
    def bench(self) -> RuntimeBench:
        return MemoryBench()
