"""Metrics as text, in the exposition format that Prometheus and all that speak like it read (version 0.0.4). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vitrify.core.readable import whole
from vitrify.lifecycle.serve_metrics import Labels, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(found: Iterable[Metric]) -> str:
    """The text; of a family without samples nothing but what it means."""
    return "".join(f"{line}\n" for metric in found for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {_escaped(metric.meaning)}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for suffix, labels, value in metric.samples:
        yield f"{metric.name}{suffix}{_labels(labels)} {_number(value)}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    spelt = (f'{name}="{_escaped(value).replace(chr(34), chr(92) + chr(34))}"' for name, value in labels)
    return "{" + ",".join(spelt) + "}"


def _escaped(text: str) -> str:
    # A path that is not UTF-8 must not keep everything else from being read.
    return whole(text).replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
