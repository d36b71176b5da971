"""Podman keeps the promises of a runtime."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from vitrify.core.resource import Kinds
from vitrify.onhost import instances, keeping
from vitrify.ports import InstanceSpec, Runtime
from vitrify.runtimes.on_host import OnHostRuntime
from vitrify.runtimes.podman import podman
from vitrify.testing.direct_session import DirectSession
from vitrify.testing.podman_storage import Storage, podman_storage
from vitrify.testing.python_root import python_root
from vitrify.testing.runtime_suite import RuntimeBench, RuntimeSuite
from vitrify.testing.this_machine import APPLICATION, kill
from vitrify.testing.tiny_image import TinyFile, tiny_image

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Layout:
    """The one layout there is."""

    path: str

    def folder(self, image: str) -> str:
        return self.path

    def has(self, image: str) -> bool:
        return True


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


@dataclass(frozen=True)
class PodmanBench:
    """Real containers on this machine."""

    built: Built
    home: str

    @property
    def session(self) -> DirectSession:
        return DirectSession(instances.CALLS, time.time, Kinds([]))

    @property
    def runtime(self) -> Runtime:
        means = {"podman": podman(str(self.built.storage.folder))}
        return OnHostRuntime(self.session, home=self.home, images=self.built.layout, means=means)

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

    def alter(self, identity: str, path: str) -> None:
        Path(f"{self.built.storage.upper(identity)}{path}").write_text("not in the image")

    def end(self) -> None:
        for folder in Path(self.home).glob("instances/*"):
            if (folder / "spec.json").is_file():
                keeping.stop(str(folder), grace=1)
        self.built.storage.podman.run("rm", "--all", "--force", "--time", "0")


class TestPodman(RuntimeSuite):
    @pytest.fixture
    def bench(self, built: Built, tmp_path: Path) -> Iterator[RuntimeBench]:
        found = PodmanBench(built, str(tmp_path / "home"))
        yield found
        found.end()
