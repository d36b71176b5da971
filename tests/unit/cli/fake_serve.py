"""The part of an application that answers what a test wants which is about looking after servers."""

from __future__ import annotations

from tests.unit.cli.fake_leases import FakeLeases

from vitrify.core.served import Served
from vitrify.core.watched import Seen, Tell

UNIT = "/etc/systemd/system/vitrify-serve-shop-0123.service"


class FakeServe(FakeLeases):
    """Serves for no time at all, and notes what it was asked."""

    served_is = Served(())
    unit_is = UNIT
    watched: tuple[Seen, ...] = ()

    def serve(self, *, listen: str, once: bool) -> Served:
        self.calls.append(("serve", {"listen": listen, "once": once}))
        if found := self.fails_in.get("serve"):
            raise found
        return self.served_is

    def watch(self, names: tuple[str, ...], *, tell: Tell) -> None:
        self.calls.append(("watch", {"names": names}))
        if found := self.fails_in.get("watch"):
            raise found
        for seen in self.watched:
            tell(seen)

    def install_serve(self, *, listen: str) -> str:
        self.calls.append(("install_serve", {"listen": listen}))
        return self.unit_is

    def uninstall_serve(self) -> str:
        self.calls.append(("uninstall_serve", {}))
        return self.unit_is
