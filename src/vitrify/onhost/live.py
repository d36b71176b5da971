"""The running host as a system: the root is `/`, accounts are the host's, programs run directly, systemd may be there."""

from __future__ import annotations

import os
from typing import Callable

from vitrify.core.digest import JSONObject
from vitrify.core.system import Target
from vitrify.onhost.accounts import HostAccounts
from vitrify.onhost.beneath import Beneath
from vitrify.onhost.facts import facts_of
from vitrify.onhost.programs import Direct
from vitrify.onhost.rooted import Rooted, Surroundings


def live_system(*, blob: Callable[[str], bytes], key: bytes) -> Rooted:
    """The host that this program runs on."""
    beneath, accounts = Beneath(["/"]), HostAccounts()

    def facts() -> JSONObject:
        return facts_of(beneath, hostname=os.uname().nodename)

    return Rooted(
        beneath,
        Surroundings(
            target=Target.HOST,
            accounts=accounts,
            programs=Direct(accounts),
            sidecar=None,
            blob=blob,
            key=key,
            facts=facts,
            service_manager=lambda: os.path.isdir("/run/systemd/system"),
        ),
    )
