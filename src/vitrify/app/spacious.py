"""Who bakes: with a payload on this machine, and with one that has more than one id to give files to, for whoever is not root."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vitrify.app.warehouse import Warehouse
from vitrify.builders.ids import Wide
from vitrify.builders.oci import Means, OciBuilder
from vitrify.core.declaration import Host
from vitrify.ports import Session
from vitrify.project import subordinate
from vitrify.transports.local import LocalTransport


@asynccontextmanager
async def spacious(transport: LocalTransport) -> AsyncIterator[Session]:
    """A session as root of a user namespace; asked for only where there is one."""
    session = await transport.connect(Host("local"), within=subordinate.here().argv)
    try:
        yield session
    finally:
        await session.close()


def builder(session: Session, wide: Session, warehouse: Warehouse, *, payload: str, bwrap: str) -> OciBuilder:
    """The builder of images of this machine's store; `payload` is the digest of what the sessions run."""
    means = Means(payload=payload, bwrap=bwrap)
    return OciBuilder(session, warehouse.store, means=means, sources=warehouse.sources(), wide=Wide(wide))
