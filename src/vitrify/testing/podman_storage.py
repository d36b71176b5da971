"""A storage of podman's own for tests, beside nobody else's containers, and an end to it that leaves nothing."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vitrify.core.digest import JSONObject
from vitrify.onhost.podman import Podman, known, settle

FORWARDS = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True)
class Storage:
    """Images and containers below `folder`; `home` is where the way to call podman is kept."""

    folder: Path

    @property
    def podman(self) -> Podman:
        """The podman that uses it."""
        home = str(self.folder)
        return known(home) or settle(home, home)

    def inspect(self, container: str) -> JSONObject:
        """What podman tells of a container."""
        found = self.podman.look("container", "inspect", container)
        if found is None:
            raise LookupError(f"podman has no container {container}")
        return found

    def upper(self, container: str) -> Path:
        """The folder that takes what is written to a container's root."""
        return Path(json.loads(json.dumps(self.inspect(container)))["GraphDriver"]["Data"]["UpperDir"])

    def containers(self) -> list[str]:
        """The names of all containers, running or not."""
        return self.podman.run("ps", "--all", "--format", "{{.Names}}").decode().split()


@contextmanager
def podman_storage() -> Iterator[Storage]:
    """A storage in a folder of its own, whose name is as short as podman wants it, and the only one on this machine meanwhile.

    What still runs there in the end is ended, and whether this machine forwards packets is as it was before podman wanted it to.
    """
    with _alone():
        folder = Path(tempfile.mkdtemp(prefix="podman-"))
        forwards = FORWARDS.read_text()
        storage = Storage(folder)
        try:
            yield storage
        finally:
            for words in (("rm", "--all", "--force", "--time", "0"), ("volume", "rm", "--all", "--force")):
                storage.podman.ask(*words)
            # Podman keeps its folder mounted upon itself for as long as the machine runs.
            subprocess.run(["umount", "--lazy", str(folder / "root" / "overlay")], capture_output=True, check=False)
            shutil.rmtree(folder)
            if FORWARDS.read_text() != forwards:
                FORWARDS.write_text(forwards)


@contextmanager
def _alone() -> Iterator[None]:
    """Two storages know nothing of each other, and give the same addresses on the one bridge that podman has: one at a time."""
    with (Path(tempfile.gettempdir()) / "vitrify-tests-podman.lock").open("a") as known:
        fcntl.flock(known, fcntl.LOCK_EX)
        yield
