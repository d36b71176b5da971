"""A base out of a registry: its tag is resolved once, its own layers are kept, its removals count, and nobody is asked a second time."""

from __future__ import annotations

import gzip
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from registries import Served, lacking, registry
from vitrify.core.digest import canonical, digest_bytes
from vitrify.core.locked import architecture
from vitrify.onhost.unpack import unpack

pytestmark = pytest.mark.e2e

HERE = architecture(platform.machine())
ELSEWHERE = "s390x"
OCI = "application/vnd.oci.image"

DECLARATION = """\
version: 1
project: shop
vars: {{greeting: hello}}
servers:
  web:
    lifecycle: immutable
    hosts: [local]
    base: {base}
    resources:
      - file: {{path: /etc/motd, content: "${{var.greeting}}\\n"}}
      - file: {{path: /etc/replaced, content: "ours\\n"}}
      - process: {{name: web, command: [/bin/tool], port: 8000}}
"""


def layer(*entries: tuple[str, str, str]) -> bytes:
    """Name, type (`` is a file) and content or target."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, kind, more in entries:
            entry = tarfile.TarInfo(name)
            entry.type = {"/": tarfile.DIRTYPE, "->": tarfile.SYMTYPE, "=>": tarfile.LNKTYPE}.get(kind, tarfile.REGTYPE)
            content = b"" if kind else more.encode()
            entry.linkname, entry.mode, entry.size = more if kind in ("->", "=>") else "", 0o755, len(content)
            archive.addfile(entry, io.BytesIO(content))
    return held.getvalue()


@dataclass(frozen=True)
class Upstream:
    """Whoever publishes the base, over plain HTTP."""

    served: Served
    repository: str = "library/base"

    def put(self, path: str, content: bytes, kind: str) -> None:
        httpx2.put(f"{self.served.url}{path}", content=content, headers={"Content-Type": kind}).raise_for_status()

    def blob(self, content: bytes, kind: str) -> dict[str, Any]:
        begun = httpx2.post(f"{self.served.url}/v2/{self.repository}/blobs/uploads/")
        place = begun.headers["Location"].removeprefix(self.served.url)
        digest = digest_bytes(content)
        self.put(f"{place}&digest={digest}", content, "application/octet-stream")
        return {"mediaType": f"{OCI}.{kind}", "digest": digest, "size": len(content)}

    def image(self, architecture: str, *layers: bytes) -> dict[str, Any]:
        """Publish an image for one machine under the machine's name."""
        rows = [self.blob(gzip.compress(content, mtime=0), "layer.v1.tar+gzip") for content in layers]
        rootfs = {"type": "layers", "diff_ids": [digest_bytes(content) for content in layers]}
        config = canonical({"architecture": architecture, "os": "linux", "config": {"Env": ["A=b"]}, "rootfs": rootfs})
        kind = f"{OCI}.manifest.v1+json"
        manifest = canonical({"schemaVersion": 2, "mediaType": kind, "config": self.blob(config, "config.v1+json"), "layers": rows})
        self.put(f"/v2/{self.repository}/manifests/{architecture}", manifest, kind)
        platform = {"architecture": architecture, "os": "linux"}
        return {"mediaType": kind, "digest": digest_bytes(manifest), "size": len(manifest), "platform": platform}

    def publish(self, text: str) -> str:
        """The base with this text in it, for two machines, under the tag `stable`; the digest of the index."""
        lower = layer(
            ("bin", "->", "usr/bin"),
            ("usr/bin/tool", "", "#!/bin/sh\n"),
            ("usr/bin/again", "=>", "usr/bin/tool"),
            ("etc/replaced", "", "theirs\n"),
            ("etc/gone", "", ""),
            ("opt/old/x", "", ""),
            ("opt/noise", "", "".join(digest_bytes(b"%d" % number) for number in range(1000))),
        )
        upper = layer(("etc/.wh.gone", "", ""), ("opt/old/.wh..wh..opq", "", ""), ("opt/old/y", "", ""), ("etc/base", "", text))
        rows = [self.image(ELSEWHERE, layer(("a", "", ""))), self.image(HERE, lower, upper)]
        index = canonical({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": rows})
        self.put(f"/v2/{self.repository}/manifests/stable", index, f"{OCI}.index.v1+json")
        return digest_bytes(index)


@dataclass(frozen=True)
class Project:
    """A project that stands on that base."""

    folder: Path

    def vitrify(self, *words: str, home: str = "home", expect: int = 0) -> Any:  # noqa: ANN401  a document
        """One command; its document."""
        environment = {**os.environ, "VITRIFY_HOME": str(self.folder / home), "HOME": str(self.folder)}
        command = [sys.executable, "-P", "-m", "vitrify", *words, "-q", "-o", "json"]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == expect, f"{words}: {done.stdout}\n{done.stderr}"
        return json.loads(done.stdout or done.stderr)

    def bake(self, *words: str, home: str = "home") -> str:
        return str(self.vitrify("bake", "web", *words, home=home)["image"])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    if reason := lacking():
        pytest.skip(reason)
    with registry(tmp_path / "registry") as found:
        yield found


def test_a_base_of_a_registry_is_pinned_kept_and_moved_by_update_alone(served: Served, tmp_path: Path) -> None:
    upstream, folder = Upstream(served), tmp_path / "shop"
    folder.mkdir()
    first = upstream.publish("one\n")
    base = f"{served.address}/{upstream.repository}:stable"
    (folder / "vitrify.yaml").write_text(DECLARATION.format(base=base))
    project = Project(folder)

    image = project.bake()
    assert f'"{base}":\n    digest: "{first}"' in (folder / "vitrify.lock").read_text()
    done = unpack(str(folder / "home/store/oci"), image, str(tmp_path / "image"))
    found = {str(path.relative_to(done.root)): path for path in Path(done.root).rglob("*") if path.is_file()}
    ours = {"etc/motd", "etc/replaced", "etc/systemd/system/web.service"}
    assert {"usr/bin/tool", "usr/bin/again", "opt/old/y", "opt/noise", "etc/base", *ours} == set(found)
    assert (found["etc/base"].read_text(), found["etc/replaced"].read_text()) == ("one\n", "ours\n")
    assert found["usr/bin/tool"].stat().st_ino == found["usr/bin/again"].stat().st_ino
    pushed = project.vitrify("push", "web", f"{served.address}/{upstream.repository}-web:1")
    assert pushed["bytes"] < 3000, "the base's layers are taken over in the form that the registry has"

    served.kill()
    assert project.bake() == image
    assert project.bake("--var", "greeting=hi") != image, "what is here needs no registry"
    served.start()
    assert project.bake(home="another") == image, "the same on every machine"

    second = upstream.publish("two\n")
    assert project.bake(home="third") == image, "a tag that moved moves nothing"
    moves = project.vitrify("update", "--dry-run")["moves"]
    assert [(move["name"], move["old"], move["new"]) for move in moves] == [("digest", first, second)]
    assert project.bake() == image
    project.vitrify("update")
    assert project.bake() != image


def test_a_base_that_cannot_be_used_is_told_with_the_reason(served: Served, tmp_path: Path) -> None:
    upstream, folder = Upstream(served), tmp_path / "shop"
    folder.mkdir()
    upstream.publish("one\n")
    project = Project(folder)
    told = {}
    for tag, code in ((ELSEWHERE, 5), ("absent", 3)):
        (folder / "vitrify.lock").unlink(missing_ok=True)
        (folder / "vitrify.yaml").write_text(DECLARATION.format(base=f"{served.address}/{upstream.repository}:{tag}"))
        told[tag] = project.vitrify("bake", "web", expect=code)["diagnostics"][0]["summary"]

    assert f"is for linux/{ELSEWHERE}" in told[ELSEWHERE]
    assert "not there" in told["absent"]
