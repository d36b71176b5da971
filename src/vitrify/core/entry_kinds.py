"""Every kind of entry that vitrify writes into a ledger: what a notice can be asked for by name. A `*` stands for a number."""

from __future__ import annotations

from typing import Final

_ENDS = ("intended", "done", "failed")


def _each(*stories: str) -> tuple[str, ...]:
    """Intent, outcome and failure of these."""
    return tuple(f"{story}.{end}" for story in stories for end in _ENDS)


KINDS: Final = (
    *("plan", "plan.approved"),
    *_each("apply", "undo", "bootstrap", "release", "join", "replace", "rollback", "retire", "contract", "hook"),
    *("batch.intended", "batch.passed", "batch.failed", "batch.undone"),
    *("waves.intended", "waves.passed", "waves.failed", "waves.promoted", "waves.ended"),
    *("switch.intended", "switch.done", "switch.back", "canary.*", "promote.*", "release.timed"),
    *("expand.intended", "expand.done", "contract.skipped"),
    *("pause.intended", "pause.done", "resume.done"),
    *("health.failed", "health.left", "health.passed"),
    *("respond.intended", "respond.done", "respond.failed", "respond.left", "respond.held", "adopt.intended", "adopt.done"),
    *("quarantine.intended", "quarantine.back", "quarantine.discarded"),
    *("finding", "audit.done", "accept.intended", "accept.done"),
    *("exec.intended", "exec.done", "lease.release.intended", "lease.released", "host.forgotten"),
    *("bake.done", "lock.moved", "disk.written"),
    *("image.push.intended", "image.pushed", "image.push.failed", "image.pulled", "image.exported", "image.loaded"),
    *("image.pinned", "image.unpinned", "store.collect.intended", "store.collected", "store.repair.intended", "store.repaired"),
    *("key.rotated", "key.revoked", "ledger.recovered"),
)
