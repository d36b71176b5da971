"""Caddy as a router: its configuration is JSON that it takes over a socket, and a switch needs none of it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import ContextManager, Dict, List, Optional, Sequence, Tuple

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.onhost import keeping
from vitrify.onhost.admin import Admin
from vitrify.onhost.caddy import LOG, TLS, config
from vitrify.onhost.engine import Act
from vitrify.onhost.record import read_record, write_record
from vitrify.onhost.routes import HostedRouter
from vitrify.onhost.slots import Leading


class Caddy:
    """An `Engine`. It reads where requests go from the servers' folders, for each request anew."""

    told = False
    tls: Tuple[str, ...] = TLS

    def write(self, folder: str, router: HostedRouter) -> None:
        """Write `config.json`."""
        write_record(f"{folder}/config.json", config(router))

    def written(self, folder: str, router: HostedRouter) -> bool:
        """Whether `config.json` is that."""
        return read_record(f"{folder}/config.json") == config(router)

    def keep(self, folder: str, program: str) -> JSONObject:
        """Run it with the configuration on disk; all that it keeps stays in its folder."""
        environment: JSONObject = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": folder,
            "XDG_DATA_HOME": f"{folder}/data",
            "XDG_CONFIG_HOME": f"{folder}/config",
        }
        return {"argv": [program, "run", "--config", "config.json"], "environment": environment}

    def serves(self, folder: str) -> bool:
        """Whether its admin endpoint answers."""
        return Admin(folder).answers()

    def load(self, folder: str, router: HostedRouter) -> bool:
        """Replace its configuration, unless somebody else did so meanwhile."""
        admin, wanted = Admin(folder), config(router)
        while keeping.state(folder).kept:
            running = admin.get("/config/")
            if running.body == wanted:
                return False
            answer = admin.replace("/config/", wanted, etag=running.etag)
            if answer.status == 200:
                return True
            if answer.status != 412:
                why = str(answer.body.get("error")) if isinstance(answer.body, dict) else str(answer.body)
                raise TargetFailed("the router refused its new configuration", why=why, hint="it runs on with the old one")
        return False

    def ready(self, folder: str, server: str, leading: Leading) -> ContextManager[Act]:
        """The server's folder has it all, and the rename does it."""
        return nullcontext(_nothing)

    def settle(self, folder: str, server: str) -> None:
        """And is all there is to keep."""

    def led(self, folder: str, server: str) -> Optional[str]:
        """The server's folder tells."""
        return None

    def kept(self, folder: str, server: str) -> List[str]:
        """It knows none but the current one."""
        return []

    def in_flight(self, folder: str, addresses: Sequence[str]) -> int:
        """What it lists, those among it that are no upstreams any more."""
        found, wanted = Admin(folder).get("/reverse_proxy/upstreams").body, set(addresses)
        listed: List[Dict[str, JSON]] = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
        counts = [entry.get("num_requests") for entry in listed if entry.get("address") in wanted]
        return sum(count for count in counts if isinstance(count, int))

    def logs(self, folder: str) -> List[str]:
        """The file, and those before it, whose names tell when each was closed."""
        stem, _, ending = LOG.partition(".")
        return [str(path) for path in sorted(Path(folder).glob(f"{stem}-*.{ending}"))] + [f"{folder}/{LOG}"]


def _nothing() -> None:
    """What is left to say."""


ENGINE = Caddy()
