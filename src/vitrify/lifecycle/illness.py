"""What the ledger says of instances that run and do not pass their health check."""

from __future__ import annotations

from typing import Final

FAILED: Final = "health.failed"
"""These were judged ill, and are replaced."""
LEFT: Final = "health.left"
"""They are left to a person."""
PASSED: Final = "health.passed"
"""All pass again, of themselves."""
ILL: Final = (FAILED, LEFT, "replace.failed")
OVER: Final = (PASSED, "replace.done", "release.done", "rollback.done", "join.done")
"""What makes an end of it: other instances serve, or the same do again."""
