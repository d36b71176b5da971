"""Metrics as text, in the exposition format that Prometheus and all that speak like it read: spelt by Prometheus' own library.

It takes as long to import as a command has to begin: nothing but `serve` imports this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from vitrify.core.readable import whole
from vitrify.lifecycle.serve_metrics import Metric

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


@dataclass(frozen=True)
class _Found(Collector):
    """What was found, as the library asks for it."""

    families: tuple[Metric, ...]

    def collect(self) -> Iterator[Family]:
        """Each family with its samples. A path that is not UTF-8 must not keep everything else from being read."""
        for metric in self.families:
            # The library adds what the names of counters end with by itself.
            family = Family(metric.name.removesuffix("_total"), metric.meaning, metric.kind)
            for suffix, labels, value in metric.samples:
                family.add_sample(f"{metric.name}{suffix}", {name: whole(text) for name, text in labels}, value)
            yield family


def exposition(found: Iterable[Metric]) -> str:
    """The text; of a family without samples nothing but what it means."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found(tuple(found)))
    return generate_latest(registry).decode()
