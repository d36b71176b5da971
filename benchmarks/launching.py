"""Launch to healthy: bubblewrap, podman, and `podman run` by hand beside them; the same image, in turn.

    .venv/bin/python benchmarks/launching.py [ROUNDS]

Each round launches one instance with each, asks for `/` until the answer is 200, and ends it. What is measured is from the call to that
answer; images are unpacked and loaded beforehand, in a round that does not count.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from vitrify.core.instance import InstanceSpec
from vitrify.core.resource import Kinds
from vitrify.onhost import instances
from vitrify.onhost.podman import limits_here
from vitrify.runtimes.bubblewrap import bubblewrap
from vitrify.runtimes.on_host import OnHostRuntime
from vitrify.runtimes.podman import podman
from vitrify.stores.carrying import NearbyCarrier
from vitrify.testing.direct_session import DirectSession
from vitrify.testing.podman_storage import Storage, podman_storage
from vitrify.testing.python_root import python_root
from vitrify.testing.runtime_suite import do
from vitrify.testing.this_machine import APPLICATION, free_port
from vitrify.testing.tiny_image import Layout, TinyFile, tiny_image

ARGV = ("/usr/bin/python3", "-I", "/srv/app/serve.py")


def answered(port: int) -> None:
    """Until the answer is 200."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.005)
        finally:
            connection.close()
    raise TimeoutError(f"nothing answers on {port}")


def kept(runtime: OnHostRuntime, image: str, name: str) -> Callable[[int], float]:
    """A round with one of our runtimes."""

    def once(number: int) -> float:
        spec = InstanceSpec(f"{name}-{number}", image, ARGV, {}, {}, "/srv/app", "", ("/srv/count",), 8000, runtime=name)
        started = time.monotonic()
        port = do(runtime.launch(spec)).port
        answered(port or 0)
        seconds = time.monotonic() - started
        do(runtime.stop(spec.id, grace=2))
        do(runtime.discard(spec.id))
        return seconds

    return once


def bare(storage: Storage) -> Callable[[int], float]:
    """A round with `podman run`, as somebody would type it."""
    image = storage.podman.run("images", "--quiet").decode().split()[0]

    def once(number: int) -> float:
        port, name = free_port(), f"bare-{number}"
        mapped = ("--publish", f"127.0.0.1:{port}:8000", "--env", "PORT=8000", "--env", "ADDRESS=0.0.0.0", *limits_here())
        words = ("run", "--detach", "--read-only", "--volume", f"{name}:/srv/count", *mapped, "--name", name, image, *ARGV)
        started = time.monotonic()
        storage.podman.run(*words)
        answered(port)
        seconds = time.monotonic() - started
        storage.podman.run("rm", "--force", "--time", "0", name)
        return seconds

    return once


def main(rounds: int) -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as place, podman_storage() as storage:
        folder = Path(place)
        files = {"/srv/app/serve.py": TinyFile(APPLICATION), "/srv/count/.keep": TinyFile("")}
        image = tiny_image(folder / "store", files, base="scratch", below=python_root(folder / "root"))
        session = DirectSession(instances.CALLS, time.time, Kinds([]))
        means = {"bubblewrap": bubblewrap(), "podman": podman(str(storage.folder))}
        runtime = OnHostRuntime(session, home=str(folder / "home"), images=NearbyCarrier(Layout(str(folder / "store"))), means=means)
        ways = {name: kept(runtime, image, name) for name in means}
        first = {name: way(0) for name, way in ways.items()}
        ways["podman run"] = bare(storage)
        ways["podman run"](0)
        taken = {name: [] for name in ways}
        for number in range(1, rounds + 1):
            for name, way in ways.items():
                taken[name].append(way(number))
    version = subprocess.run(["podman", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"{rounds} rounds, {version}; the first launch, image and all: " + ", ".join(f"{name} {first[name]:.1f} s" for name in first))
    for name, seconds in taken.items():
        print(f"{name:12} median {statistics.median(seconds):.3f} s, least {min(seconds):.3f} s, most {max(seconds):.3f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
