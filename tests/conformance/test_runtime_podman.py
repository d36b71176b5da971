"""Podman keeps the promises of a runtime."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from listener import listening

from vitrify.core.declaration import Limits
from vitrify.core.instance import InstanceSpec
from vitrify.core.resource import Kinds
from vitrify.onhost import instances, keeping, reviving
from vitrify.ports import Runtime
from vitrify.runtimes.on_host import OnHostRuntime
from vitrify.runtimes.podman import podman
from vitrify.stores.carrying import NearbyCarrier
from vitrify.testing.direct_session import DirectSession
from vitrify.testing.podman_storage import Storage, podman_storage
from vitrify.testing.python_root import python_root
from vitrify.testing.runtime_suite import HEALTH, SEARCH, Died, RuntimeSuite, await_true, do, one
from vitrify.testing.this_machine import APPLICATION, kill
from vitrify.testing.tiny_image import Layout, TinyFile, tiny_image

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("podman")]

PRINT = ("/usr/bin/python3", "-I", "-c", "import os, sys, time; print(eval(sys.argv[1]), flush=True); time.sleep(3600)")
"""Shows the value of an expression, once, and stays."""


SEIZE = "import ctypes; m = ctypes.CDLL(None).mount(None, b'/', None, 4128, None); open('/inside', 'w').close()"
"""Makes the root of its mount namespace writable (a bind remount, as root of the machine can), and writes to it."""


@dataclass(frozen=True)
class Built:
    """What all tests share: the storage of the containers, and an image of the application."""

    storage: Storage
    layout: Layout
    image: str


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("podman")
    files = {"/srv/app/serve.py": APPLICATION, "/srv/count/.keep": "", "/etc/vitrify-test": "as baked\n"}
    texts = {path: TinyFile(content) for path, content in files.items()}
    image = tiny_image(folder / "store", texts, base="scratch", below=python_root(folder / "root-below"))
    with podman_storage() as storage:
        yield Built(storage, Layout(str(folder / "store")), image)


def dies(point: str) -> None:
    """Whoever is about to start an instance."""
    if point == "instance-start.intent":
        raise Died("killed")


@dataclass(frozen=True)
class PodmanBench:
    """Real containers on this machine."""

    built: Built
    home: str

    @property
    def session(self) -> DirectSession:
        return DirectSession(instances.CALLS, time.time, Kinds([]))

    @property
    def runtime(self) -> OnHostRuntime:
        means = {"podman": podman(str(self.built.storage.folder))}
        return OnHostRuntime(self.session, home=self.home, images=NearbyCarrier(self.built.layout), means=means)

    def spec(self, identity: str) -> InstanceSpec:
        argv = ("/usr/bin/python3", "-I", "/srv/app/serve.py")
        spec = InstanceSpec(identity, self.built.image, argv, {"server": "web"}, {"RELEASE": "one"}, writable=("/srv/count",), port=8000)
        return replace(spec, runtime="podman", workdir="/srv/app")

    def broken(self, identity: str) -> InstanceSpec:
        return replace(self.spec(identity), argv=("/no/such/program",))

    def now(self) -> float:
        return time.time()

    def let_pass(self, seconds: float) -> None:
        time.sleep(seconds)

    def crash(self, identity: str) -> None:
        kill(keeping.state(f"{self.home}/instances/{identity}").application)

    def searcher(self, identity: str) -> InstanceSpec:
        return replace(self.spec(identity), argv=("/usr/bin/python3", "-I", "-c", SEARCH), port=None)

    def dying(self) -> Runtime:
        return replace(self.runtime, session=replace(self.session, reached=dies))

    def within(self, entrance: tuple[str, ...]) -> str:
        return subprocess.run(entrance, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout

    def holds(self, limits: Limits) -> bool:
        for container in self.built.storage.containers():
            told = self.built.storage.inspect(container)["HostConfig"]
            assert isinstance(told, dict)
            assert (told["Memory"], told["NanoCpus"], told["PidsLimit"]) == (limits.memory, (limits.cpu or 0) * 1_000_000, limits.pids)
        return True

    def alter(self, identity: str, path: str) -> None:
        Path(f"{self.built.storage.upper(identity)}{path}").write_text("not in the image")

    def end(self) -> None:
        for folder in Path(self.home).glob("instances/*"):
            if (folder / "spec.json").is_file():
                keeping.stop(str(folder), grace=1)
        self.built.storage.podman.run("rm", "--all", "--force", "--time", "0")
        self.built.storage.podman.run("volume", "rm", "--all", "--force")


def wrote(bench: PodmanBench, identity: str) -> bool:
    return bool(do(bench.runtime.logs(identity, lines=1)))


@pytest.fixture
def bench(built: Built, tmp_path: Path) -> Iterator[PodmanBench]:
    found = PodmanBench(built, str(tmp_path / "home"))
    yield found
    found.end()


class TestPodman(RuntimeSuite):
    """Its bench is the one above."""


def test_podman_shows_no_secret_and_leaves_none(bench: PodmanBench) -> None:
    environment = {"RELEASE": "one", "TOKEN": "xyzzy \"'\nplugh", "HOME": "/srv"}
    spec = replace(
        bench.spec("web-1"), environment=environment, secrets=("TOKEN",), argv=(*PRINT, "os.environ['TOKEN'], os.environ['HOME']")
    )
    do(bench.runtime.launch(spec))
    await_true(bench, lambda: "plugh" in do(bench.runtime.logs("web-1", lines=10)))

    shown = bench.built.storage.inspect("web-1")
    # Podman 4.3 tells root the environment of what runs, and podman's own secrets with it; what it was told itself holds none.
    assert isinstance(shown["Config"], dict)
    shown["Config"].pop("Env")
    commands = {path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()}
    do(bench.runtime.stop("web-1", grace=1))
    do(bench.runtime.discard("web-1"))

    assert "xyzzy" not in json.dumps(shown)
    assert not any(b"xyzzy" in command for command in commands)
    left = [bench.built.storage.podman.run(kind, "ls", "--format", "{{.Name}}").decode().split() for kind in ("secret", "volume")]
    assert (left, bench.built.storage.containers()) == ([[], []], [])


def test_an_instance_whose_shim_was_killed_goes_on_and_is_adopted(bench: PodmanBench) -> None:
    folder = f"{bench.home}/instances/web-1"
    do(bench.runtime.launch(bench.spec("web-1")))
    before = keeping.state(folder)
    kill(before.shim)
    await_true(bench, lambda: one(bench, "web-1").state == "lost")

    again = do(bench.runtime.launch(bench.spec("web-1")))

    assert (again.state, keeping.state(folder).application) == ("running", before.application)


def test_what_should_run_is_started_when_the_machine_comes_up_and_nothing_else(bench: PodmanBench) -> None:
    for identity in ("web-1", "web-2"):
        do(bench.runtime.launch(bench.spec(identity)))
    do(bench.runtime.stop("web-2", grace=1))
    # A container's first process is there a moment before podman itself calls it running, and kills nothing else.
    await_true(bench, lambda: do(bench.runtime.healthy("web-1", HEALTH)) == "")
    kill(keeping.state(f"{bench.home}/instances/web-1").shim)
    bench.built.storage.podman.run("kill", "web-1")

    assert reviving.revive(bench.home) == 0

    assert {one.id: one.state for one in do(bench.runtime.instances({}))} == {"web-1": "running", "web-2": "stopped"}
    await_true(bench, lambda: do(bench.runtime.healthy("web-1", HEALTH)) == "")


def test_a_container_whose_folder_is_gone_is_listed_stopped_and_discarded(bench: PodmanBench) -> None:
    do(bench.runtime.launch(bench.spec("web-1")))
    kill(keeping.state(f"{bench.home}/instances/web-1").shim)
    shutil.rmtree(f"{bench.home}/instances/web-1")

    orphan = one(bench, "web-1")
    do(bench.runtime.stop("web-1", grace=2))
    ended = one(bench, "web-1")
    do(bench.runtime.discard("web-1"))

    assert (orphan.state, dict(orphan.labels), ended.state) == ("running", {"server": "web"}, "lost")
    assert do(bench.runtime.instances({})) == ()


def test_a_volume_outlives_instances_and_belongs_to_the_process(bench: PodmanBench) -> None:
    for identity in ("web-1", "web-2"):
        append = "open('/srv/kept/lines', 'a').write('x'), os.stat('/srv/kept').st_uid, open('/srv/kept/lines').read()"
        spec = replace(bench.spec(identity), argv=(*PRINT, append), user="1000:1000", volumes={"/srv/kept": "state"})
        do(bench.runtime.launch(spec))
        await_true(bench, partial(wrote, bench, identity))
        told = do(bench.runtime.logs(identity, lines=1))
        do(bench.runtime.stop(identity, grace=1))
        do(bench.runtime.discard(identity))

    assert told == "(1, 1000, 'xx')\n"


def test_who_writes_into_a_container_is_heard_with_its_instance_and_whence(bench: PodmanBench) -> None:
    do(bench.runtime.launch(bench.spec("web-1")))
    pid = keeping.state(f"{bench.home}/instances/web-1").application
    assert pid

    with listening(home=bench.home, labels={"server": "web"}) as heard:
        bench.alter("web-1", "/outside")
        outside = heard.of("/outside")
        seize = ["nsenter", "--target", str(pid.pid), "--mount", "/usr/bin/python3", "-Ic", SEIZE]
        seized = subprocess.run(seize, capture_output=True, check=False)
        inside = heard.of("/inside") if seized.returncode == 0 else {}
        do(bench.runtime.launch(bench.spec("web-2")))
        heard.until(lambda: bool(heard.gaps))

    assert outside["where"] == "web-1"
    if heard.rung == "audit":
        assert (outside["inside"], outside["pid"]) == ("host", os.getpid())
        assert (inside["where"], inside["inside"]) == ("web-1", "web-1"), seized.stderr
