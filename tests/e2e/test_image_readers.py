"""Programs that know nothing of vitrify read our images, and find in them what we put there."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from vitrify.builders.oci import Means, OciBuilder
from vitrify.core.declaration import Content
from vitrify.core.digest import PLAIN, JSONObject, digest_bytes
from vitrify.core.resource import Address, Resource
from vitrify.evidence import dsse, provenance, signature
from vitrify.evidence.oci import OciEvidence
from vitrify.ledger.checkpoint import Signer
from vitrify.onhost.layout import Attached, attached, read_blob
from vitrify.onhost.unpack import unpack
from vitrify.ports import BakeRequest, Image, Made
from vitrify.stores.layout import LayoutStore
from vitrify.testing.memory_session import MemorySession

pytestmark = pytest.mark.e2e

CODE = b"print('hello')\n"
SIGNER = Signer("ann@laptop", b"\1" * 32)
LONG = "a-rather-long-folder-name/" * 6 + "naïve.py"


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: `apt install {name}`)")
    return found


def rootfs(folder: Path) -> Path:
    root = folder / "rootfs"
    for path in ("etc/app", "usr/bin", "srv/old"):
        (root / path).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "etc" / "motd").write_text("from the base\n")
    (root / "srv" / "old" / "file").write_text("old\n")
    (root / "usr" / "bin" / "tool").write_text("#!/bin/sh\n")
    (root / "usr" / "bin" / "tool").chmod(0o755)
    return root


def wanted(folder: Path) -> BakeRequest:
    file: JSONObject = {"type": "file", "mode": "0640", "content": digest_bytes(CODE)}
    above = ["/".join(LONG.split("/")[:depth]) for depth in range(1, len(LONG.split("/")))]
    entries: JSONObject = {path: {"type": "directory", "mode": "0755"} for path in above}
    entries.update({LONG: file, "current": {"type": "link", "to": "/srv"}})
    resources = [
        Resource(Address("tree", "/srv/app"), {"to": "/srv/app", "entries": entries}),
        Resource(Address("file", "/etc/motd"), {"path": "/etc/motd"}, absent=True),
        Resource(Address("process", "web"), {"name": "web", "command": ["/usr/bin/tool"], "port": 8000, "env": {"KEY": "secret:key"}}),
    ]
    held = {digest_bytes(CODE): Content(data=CODE)}
    return BakeRequest("web", f"rootfs:{rootfs(folder)}", [one.to_json() for one in resources], held, {"project": "shop"})


def baked(folder: Path) -> tuple[LayoutStore, Image]:
    store = LayoutStore(folder / "store")
    builder = OciBuilder(MemorySession(), store, means=Means(machine="x86_64"))
    image = asyncio.run(builder.bake(wanted(folder)))
    evidence = OciEvidence(store, signer=lambda: SIGNER, trusted=lambda: [SIGNER.verifier])
    evidence.certify(image, Made("shop", "web", "sha256:" + "1" * 64, {}))
    return store, image


def tree(root: Path) -> Mapping[str, tuple[str, int, str]]:
    """Every path with its type, mode and content or target."""
    return {str(path.relative_to(root)): _looks(path) for path in root.rglob("*")}


def _looks(path: Path) -> tuple[str, int, str]:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return "link", 0, str(path.readlink())
    if stat.S_ISDIR(status.st_mode):
        return "folder", stat.S_IMODE(status.st_mode), ""
    return "file", stat.S_IMODE(status.st_mode), path.read_text()


def test_skopeo_inspects_the_image_under_its_digest(tmp_path: Path) -> None:
    skopeo = program("skopeo")
    store, image = baked(tmp_path)
    name = f"oci:{store.folder(image.digest)}:{image.digest.removeprefix(PLAIN)}"

    seen = json.loads(subprocess.run([skopeo, "inspect", name], check=True, capture_output=True).stdout)
    config = json.loads(subprocess.run([skopeo, "inspect", "--config", name], check=True, capture_output=True).stdout)

    assert seen["Digest"] == image.digest
    assert seen["Labels"]["dev.vitrify.secrets"] == "key"
    assert config["config"]["Entrypoint"] == ["/usr/bin/tool"]
    assert config["config"]["Env"] == ["PORT=8000"]


def test_skopeo_copies_every_blob_and_keeps_the_digest(tmp_path: Path) -> None:
    skopeo = program("skopeo")
    store, image = baked(tmp_path)
    name = f"oci:{store.folder(image.digest)}:{image.digest.removeprefix(PLAIN)}"

    subprocess.run([skopeo, "copy", "--quiet", "--preserve-digests", name, f"dir:{tmp_path}/copy"], check=True, capture_output=True)

    assert digest_bytes((tmp_path / "copy" / "manifest.json").read_bytes()) == image.digest


def test_umoci_unpacks_the_same_tree_as_we_do(tmp_path: Path) -> None:
    umoci = program("umoci")
    store, image = baked(tmp_path)
    layout = store.folder(image.digest)

    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    name = f"{layout}:{image.digest.removeprefix(PLAIN)}"
    subprocess.run([umoci, "unpack", *rootless, "--image", name, tmp_path / "umoci"], check=True, capture_output=True)
    ours = unpack(layout, image.digest, str(tmp_path / "ours"))
    for point in ("dev", "proc", "run", "sys", "tmp"):
        Path(ours.root, point).rmdir()

    assert tree(Path(ours.root)) == tree(tmp_path / "umoci" / "rootfs")
    assert "etc/motd" not in tree(Path(ours.root))


def test_openssl_accepts_the_signature_and_the_provenance_of_an_image(tmp_path: Path) -> None:
    openssl = program("openssl")
    store, image = baked(tmp_path)
    layout = store.folder(image.digest)
    known = {one.type: one for one in attached(layout, image.digest)}
    key = tmp_path / "key.pem"
    # RFC 8410: what stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo.
    info = bytes.fromhex("302a300506032b6570032100") + SIGNER.verifier.public
    key.write_text(f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(info).decode()}\n-----END PUBLIC KEY-----\n")

    def accepts(signed: bytes, made: str) -> bool:
        (tmp_path / "signed").write_bytes(signed)
        (tmp_path / "signature").write_bytes(base64.b64decode(made))
        words: list[str | Path] = [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", tmp_path / "signed"]
        return subprocess.run([*words, "-sigfile", tmp_path / "signature"], check=False, capture_output=True).returncode == 0

    def content(one: Attached) -> bytes:
        return read_blob(layout, one.layers[0])

    signed = known[signature.ARTIFACT_TYPE]
    envelope = json.loads(content(known[provenance.PAYLOAD_TYPE]))
    stated = dsse.preauthenticated(envelope["payloadType"], base64.b64decode(envelope["payload"]))
    assert accepts(content(signed), signed.annotations[signature.ANNOTATION])
    assert accepts(stated, envelope["signatures"][0]["sig"])
    assert not accepts(stated + b" ", envelope["signatures"][0]["sig"])
    assert image.digest.encode() in content(signed)
