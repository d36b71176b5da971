"""Images go to Debian's registry and come back, whoever is killed on the way; podman, containerd, skopeo and umoci read them there."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from authorities import Authority
from registries import Served, lacking, registry
from vitrify.builders.oci import Means, OciBuilder
from vitrify.core.diagnostic import Denied
from vitrify.core.digest import canonical, digest_bytes
from vitrify.core.event import Event
from vitrify.core.reference import Reference
from vitrify.onhost.unpack import unpack
from vitrify.stores.archive import Archives
from vitrify.stores.layout import LayoutStore
from vitrify.stores.registry.client import Manner, RegistryClient
from vitrify.stores.registry.credentials import Credentials
from vitrify.stores.registry.pace import Pace
from vitrify.stores.registry.squeezed import Limit
from vitrify.testing.image_suite import a_request
from vitrify.testing.memory_session import MemorySession
from vitrify.testing.tiny_image import TinyFile, tiny_image

pytestmark = pytest.mark.e2e

SOURCE = Path(__file__).parents[2] / "src"
CHUNK = 256 << 10
HTPASSWD = "ann:$2b$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8.\n"
"""ann may come in with the password hunter2."""
TAGS = count(1)

DIES = """
import os, signal, sys
from pathlib import Path
from vitrify.core.reference import Reference
from vitrify.stores.layout import LayoutStore
from vitrify.stores.registry.client import Manner, RegistryClient
from vitrify.stores.registry.credentials import Credentials

how, folder, to, image, left, where = sys.argv[1:]
folder, to, left = Path(folder), Reference.parse(to), int(left)
def dies(event, arguments):
    global left
    steps = ("os.rename", "open") if where else ("os.rename", "os.remove", "fcntl.flock", "socket.connect")
    if event in steps and where in str(arguments):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
store = LayoutStore(folder)
client = RegistryClient(store, folder, Credentials({"HOME": str(folder)}), architecture="amd64", manner=Manner(chunk=256 << 10))
if left:
    sys.addaudithook(dies)
print(client.push(image, to).manifest if how == "push" else client.pull(to).image.digest)
"""


@dataclass
class Machine:
    """A store and a way to registries."""

    folder: Path
    store: LayoutStore
    client: RegistryClient

    def die(self, how: str, to: Reference, image: str, *, at: int, where: str = "") -> subprocess.CompletedProcess[str]:
        """Push or pull in a process of its own, which kills itself at its n-th step; of all steps, or of those that are about `where`."""
        command = [sys.executable, "-P", "-c", DIES, how, str(self.folder), str(to), image, str(at), where]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env={"PYTHONPATH": str(SOURCE)})


def machine(folder: Path, *, home: Path | None = None, pace: Pace | None = None) -> Machine:
    store, credentials = LayoutStore(folder), Credentials({"HOME": str(home or folder)})
    manner = Manner(chunk=CHUNK, pace=pace or Pace())
    return Machine(folder, store, RegistryClient(store, folder, credentials, architecture="amd64", manner=manner))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if reason := lacking():
        pytest.skip(reason)
    with registry(tmp_path_factory.mktemp("registry")) as found:
        yield found


def fresh(served: Served) -> Reference:
    return Reference(served.address, f"team/shop{next(TAGS)}", "1")


def noisy(folder: Path, seed: int, *, size: int = 1_600_000) -> str:
    """An image that no compressor makes much smaller."""
    content = b"".join(digest_bytes(b"%d %d" % (seed, number))[7:].encode() for number in range(size // 64)).decode()
    return tiny_image(folder / "oci", {"/noise": TinyFile(content)}, base="scratch")


def moved(event: Event) -> int:
    """How many bytes of all an event tells of."""
    return int(str(event.data.get("bytes", 0)))


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: `apt install {name}`)")
    return found


def run(*command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_push_killed_anywhere_goes_on_and_ends_whole(served: Served, tmp_path: Path) -> None:
    image, moment, killed = noisy(tmp_path / "mine", 1), 1, 0
    while True:
        mine, to = machine(tmp_path / "mine"), fresh(served)
        ended = mine.die("push", to, image, at=moment)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
        killed += 1
        again = mine.die("push", to, image, at=0)
        assert again.returncode == 0, again.stderr
        assert machine(tmp_path / f"theirs{moment}").client.pull(to).image.digest == image
        assert not list(mine.folder.glob("transfers/*.json")) + list(mine.folder.glob("work/*"))
        shutil.rmtree(mine.folder / "compressed", ignore_errors=True)
        moment += 3
    assert killed >= 3


def test_a_push_goes_on_with_the_chunk_that_was_to_come(served: Served, tmp_path: Path) -> None:
    mine, to = machine(tmp_path / "mine"), fresh(served)
    image = noisy(mine.folder, 2)
    uploads = served.folder / "data/docker/registry/v2/repositories" / to.repository / "_uploads"

    # It notes where an upload goes on before each chunk, by three steps in its folder: dead at the end of the third note, it had sent two.
    assert mine.die("push", to, image, at=2 + 3 * 3, where="/transfers").returncode == -signal.SIGKILL
    begun = list(uploads.glob("*/data"))
    assert [path.stat().st_size for path in begun] == [2 * CHUNK]
    mine.client.push(image, to)

    assert not list(uploads.glob("*/data")), "the upload that was begun is the one that was ended, and there was no other"
    assert machine(tmp_path / "theirs").client.pull(to).image.digest == image


def test_a_pull_killed_anywhere_goes_on_and_ends_whole(served: Served, tmp_path: Path) -> None:
    mine, to = machine(tmp_path / "mine"), fresh(served)
    image, moment, killed = noisy(mine.folder, 3), 1, 0
    mine.client.push(image, to)
    while True:
        theirs = machine(tmp_path / f"theirs{moment}")
        ended = theirs.die("pull", to, "", at=moment)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
        killed += 1
        assert set(theirs.store.images()) <= {image}
        again = theirs.die("pull", to, "", at=0)
        assert again.stdout.strip() == image, again.stderr
        assert not list(theirs.folder.glob("transfers/*.part")) + list(theirs.folder.glob("work/*"))
        moment += 6
    assert killed >= 3


def test_what_a_killed_pull_fetched_is_not_fetched_again(served: Served, tmp_path: Path) -> None:
    mine, to = machine(tmp_path / "mine"), fresh(served)
    image = noisy(mine.folder, 4, size=12_000_000)
    mine.client.push(image, to)
    clock, lock = count(), threading.Lock()

    def monotonic() -> float:
        with lock:
            return float(next(clock))

    pace = Pace(monotonic=monotonic, slowest=0)
    theirs = tmp_path / "theirs"
    pid = os.fork()
    if pid == 0:
        machine(theirs, pace=pace).client.pull(to, emit=lambda event: os._exit(9) if moved(event) > 3 << 20 else None)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    there = max(part.stat().st_size for part in theirs.glob("transfers/*.part"))
    told: list[int] = []

    pulled = machine(theirs, pace=pace).client.pull(to, emit=lambda event: told.append(moved(event)))

    assert pulled.image.digest == image
    assert there > 2 << 20
    assert min(byte for byte in told if byte > 1000) >= there


@pytest.mark.parametrize("how", ["push", "pull"])
def test_a_registry_that_is_killed_and_comes_back_ends_neither(tmp_path: Path, how: str) -> None:
    if reason := lacking():
        pytest.skip(reason)
    ticks = count()
    pace = Pace(tries=8, slowest=0, monotonic=lambda: float(next(ticks)))
    with registry(tmp_path / "registry") as served:
        mine, to, died = machine(tmp_path / "mine", pace=pace), fresh(served), threading.Event()
        image = noisy(mine.folder, 5, size=6_000_000)

        def kill_once(event: Event) -> None:
            if moved(event) > 1 << 20 and not died.is_set():
                died.set()
                served.kill()
                served.start()

        mine.client.push(image, to, emit=kill_once if how == "push" else lambda _: None)
        theirs = machine(tmp_path / "theirs", pace=pace)
        pulled = theirs.client.pull(to, emit=kill_once if how == "pull" else lambda _: None)

    assert died.is_set()
    assert pulled.image.digest == image


def test_a_registry_with_logins_lets_in_whom_it_knows(tmp_path: Path) -> None:
    if reason := lacking():
        pytest.skip(reason)
    users = tmp_path / "htpasswd"
    users.write_text(HTPASSWD)
    homes = {name: tmp_path / name for name in ("ann", "eve", "nobody")}
    with registry(tmp_path / "registry", auth=f"auth: {{htpasswd: {{realm: shop, path: {users}}}}}\n") as served:
        for name, password in (("ann", "hunter2"), ("eve", "wrong")):
            text = {"auths": {served.address: {"username": name, "password": password}}}
            (homes[name] / ".docker").mkdir(parents=True)
            (homes[name] / ".docker" / "config.json").write_text(json.dumps(text))
        to = fresh(served)
        image = noisy(tmp_path / "mine", 6, size=1000)

        assert machine(tmp_path / "mine", home=homes["ann"]).client.push(image, to).sent_blobs == 1
        assert machine(tmp_path / "theirs", home=homes["ann"]).client.pull(to).image.digest == image
        with pytest.raises(Denied, match="does not accept the login of eve") as told:
            machine(tmp_path / "mine", home=homes["eve"]).client.push(image, to)
        assert "wrong" not in str(told.value)
        with pytest.raises(Denied, match="wants a login"):
            machine(tmp_path / "others", home=homes["nobody"]).client.pull(to)


def test_a_registry_with_encryption_is_pushed_to_by_the_authority_that_is_named_for_it(tmp_path: Path) -> None:
    if reason := lacking():
        pytest.skip(reason)
    authority = Authority.make(tmp_path / "authority")
    with registry(tmp_path / "registry", tls=authority.sign("registry")) as served:
        place = tmp_path / "home/.config/containers/certs.d" / served.address
        place.mkdir(parents=True)
        shutil.copy(authority.folder / "ca.crt", place)
        to, image = fresh(served), noisy(tmp_path / "mine", 8, size=1000)

        machine(tmp_path / "mine", home=tmp_path / "home").client.push(image, to)

        assert machine(tmp_path / "theirs", home=tmp_path / "home").client.pull(to).image.digest == image
        told = run(program("skopeo"), "inspect", f"--cert-dir={place}", f"docker://{to}")
        assert json.loads(told)["Digest"]


def test_strangers_read_what_was_pushed_and_exported(served: Served, tmp_path: Path) -> None:
    skopeo, umoci, podman = program("skopeo"), program("umoci"), program("podman")
    mine, to = machine(tmp_path / "mine"), fresh(served)
    image = asyncio.run(OciBuilder(MemorySession(), mine.store, means=Means(machine="x86_64")).bake(a_request())).digest
    pushed = mine.client.push(image, to)
    carried = tmp_path / "carried.tar"
    Archives(mine.store, mine.client.platform, Limit()).export(image, str(carried), name=Reference.parse("localhost/web:1"), evidence=False)

    seen = json.loads(run(skopeo, "inspect", "--tls-verify=false", f"docker://{to}"))
    run(skopeo, "copy", "--quiet", "--src-tls-verify=false", f"docker://{to}", f"oci:{tmp_path}/copied:1")
    run(umoci, "unpack", *([] if os.geteuid() == 0 else ["--rootless"]), "--image", f"{tmp_path}/copied:1", tmp_path / "unpacked")
    with tempfile.TemporaryDirectory(prefix="vt") as short:  # its paths may not be long
        own = (podman, "--root", f"{short}/root", "--runroot", f"{short}/run", "--storage-driver", "vfs")
        run(*own, "pull", "--quiet", "--tls-verify=false", str(to))
        run(*own, "load", "--quiet", "-i", carried)
        listed = json.loads(run(*own, "images", "--format", "json"))

    assert seen["Digest"] == pushed.manifest
    assert (tmp_path / "unpacked/rootfs/a").read_bytes() == b"one\n"
    assert {name for one in listed for name in one["Names"]} == {str(to), "localhost/web:1"}
    assert json.loads(run(skopeo, "inspect", f"oci-archive:{carried}"))["Digest"] == image


@contextmanager
def containerd(folder: Path) -> Iterator[str]:
    """Containerd with a socket and a memory of its own."""
    folder.mkdir()
    settings = folder / "config.toml"
    settings.write_text(
        f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{folder}/sock"\n'
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program("containerd"), "-c", str(settings)], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 20
        while not (folder / "sock").exists() and time.monotonic() < until:
            time.sleep(0.05)
        yield str(folder / "sock")
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.root
def test_containerd_imports_and_pulls_it(served: Served, tmp_path: Path) -> None:
    ctr = program("ctr")
    mine, to = machine(tmp_path / "mine"), fresh(served)
    image = noisy(mine.folder, 7, size=1000)
    pushed = mine.client.push(image, to)
    carried, archives = tmp_path / "carried.tar", Archives(mine.store, mine.client.platform, Limit())
    archives.export(image, str(carried), name=Reference.parse("localhost/web:1"), evidence=False)

    with containerd(tmp_path / "containerd") as sock:
        run(ctr, "-a", sock, "images", "import", "--no-unpack", carried)
        run(ctr, "-a", sock, "content", "fetch", "--plain-http", str(to))
        rows = [line.split() for line in run(ctr, "-a", sock, "images", "ls").splitlines()[1:]]

    assert {(row[0], row[2]) for row in rows} == {("localhost/web:1", image), (str(to), pushed.manifest)}


def foreign_image(folder: Path) -> None:
    """An image as others make it, in an OCI layout: a compressed layer with hard links, links on the way, devices, and long names."""
    root = folder / "root"
    for path in ("usr/bin", "usr/lib", "etc", "dev", "deep/" + "folder/" * 24):
        (root / path).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "usr/bin/tool").write_text("#!/bin/sh\n")
    (root / "usr/bin/tool").chmod(0o4755)
    os.link(root / "usr/bin/tool", root / "usr/bin/again")
    (root / ("deep/" + "folder/" * 24) / "naïve").write_text("found\n")
    run("tar", "--format=gnu", "--numeric-owner", "-C", root, "-cf", folder / "layer.tar", ".")
    run("gzip", "-k", folder / "layer.tar")
    layer, squeezed = (folder / "layer.tar").read_bytes(), (folder / "layer.tar.gz").read_bytes()
    rootfs = {"type": "layers", "diff_ids": [digest_bytes(layer)]}
    config = canonical({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs})
    blobs = folder / "layout/blobs/sha256"
    blobs.mkdir(parents=True)
    kinds = {"config": "config.v1+json", "layer": "layer.v1.tar+gzip"}
    rows = {}
    for name, content in (("config", config), ("layer", squeezed)):
        rows[name] = {"mediaType": f"application/vnd.oci.image.{kinds[name]}", "digest": digest_bytes(content), "size": len(content)}
        (blobs / digest_bytes(content)[7:]).write_bytes(content)
    manifest = canonical({"schemaVersion": 2, "config": rows["config"], "layers": [rows["layer"]]})
    (blobs / digest_bytes(manifest)[7:]).write_bytes(manifest)
    row = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest_bytes(manifest), "size": len(manifest)}
    named = {**row, "annotations": {"org.opencontainers.image.ref.name": "1"}}
    (folder / "layout/index.json").write_bytes(canonical({"schemaVersion": 2, "manifests": [named]}))
    (folder / "layout/oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_what_others_pushed_is_pulled_and_unpacked(served: Served, tmp_path: Path, form: str) -> None:
    skopeo, to, mine = program("skopeo"), fresh(served), machine(tmp_path / "mine")
    foreign_image(tmp_path)
    run(skopeo, "copy", "--quiet", "--dest-tls-verify=false", "--format", form, f"oci:{tmp_path}/layout:1", f"docker://{to}")

    image = mine.client.pull(to).image
    done = unpack(mine.store.folder(image.digest), image.digest, str(tmp_path / "images" / "one"))

    tool, again = (Path(done.root, "bin", name) for name in ("tool", "again"))
    assert tool.stat().st_ino == again.stat().st_ino
    assert tool.stat().st_mode & 0o7777 == (0o4755 if os.geteuid() == 0 else 0o755)
    assert Path(done.root, "deep/" + "folder/" * 24, "naïve").read_text() == "found\n"
    assert mine.client.push(image.digest, Reference(to.registry, to.repository, "again")).sent_blobs == 0
