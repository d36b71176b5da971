"""What the application of these tests answers about single paths of an audit."""

from __future__ import annotations

from datetime import date

from vitrify.core.digest import JSONObject
from vitrify.core.drift import Accepted, Known
from vitrify.core.noise import Noise

SHA = "sha256:" + "ab12" * 16


class AuditAnswers:
    """Answers that depend on nothing but the question."""

    def accept(self, paths: tuple[str, ...], *, server: str, host: str, reason: str) -> tuple[Accepted, ...]:
        return (Accepted("web", "local", paths, (), reason, 7),)

    def known_of(self, path: str, *, server: str, host: str) -> tuple[Known, ...]:
        now: JSONObject = {"type": "file", "mode": "0666", "uid": 0, "gid": 0, "size": 7, "sha256": SHA}
        rule = Noise("/etc/**", "a rule", date(2027, 1, 31))
        entries = ((3, "2026-01-01T00:00:00Z", "finding: changed"),)
        return (Known("web", "local", path, "a finding", None, now, "/etc", "app 1.0: gone", ("file:/etc/motd",), entries, (rule,), None),)
