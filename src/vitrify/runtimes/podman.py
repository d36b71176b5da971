"""Podman as a runtime: the host's own, found there. What it is told: where its containers are stored, if not where podman itself wants."""

from __future__ import annotations

from vitrify.core.digest import JSONObject
from vitrify.runtimes.on_host import Means


def podman(storage: str = "") -> Means:
    """`storage` is a folder on the host that holds images and containers; "" is podman's own."""

    async def means() -> JSONObject:
        return {"storage": storage}

    return means
