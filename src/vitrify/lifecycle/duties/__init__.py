"""What `vitrify serve` looks after: one duty, one file. A new one is added to `ALL`."""

from __future__ import annotations

from vitrify.lifecycle.duties import audit, contract, health, keep, respond, retention, watch
from vitrify.lifecycle.duty import Duty

ALL: tuple[Duty, ...] = (
    keep.Keep(),
    health.Health(),
    contract.Contract(),
    retention.Retention(),
    audit.Audits(),
    respond.Respond(),
    watch.Watching(),
)
"""Every duty, in the order in which those of one server have their turn at the beginning."""
