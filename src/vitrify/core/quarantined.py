"""What is kept out of the way as evidence. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from vitrify.core.digest import JSONObject


@dataclass(frozen=True)
class Quarantined:
    """One path of a host, or one instance; `path` is "" for the latter."""

    server: str
    host: str
    id: str
    path: str
    what: str
    """file, directory, link, other; or instance."""
    why: str
    at: int
    """When it was taken out of the way: seconds since the epoch by the target's clock."""
    entry: int
    """The finding in the ledger."""
    sha256: str = ""

    def to_json(self) -> JSONObject:
        """The form of `quarantine -o json`."""
        return {
            "server": self.server,
            "host": self.host,
            "id": self.id,
            "path": self.path,
            "what": self.what,
            "why": self.why,
            "at": self.at,
            "entry": self.entry,
            "sha256": self.sha256,
        }
