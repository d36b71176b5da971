"""One declaration on a live host, in a folder and baked into an image: what it owns is the same thing three times."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from live_host import PROJECT, LiveHost, tree
from vitrify.core.digest import JSON, digest_bytes, digest_of
from vitrify.core.resource import Phase
from vitrify.onhost.unpack import ATTRIBUTES, unpack
from vitrify.project.load import load
from vitrify.resources.registry import all_kinds

pytestmark = pytest.mark.e2e

Owned = dict[str, JSON]
"""Path -> type, mode, uid, gid, and the digest of a file's content or where a link leads."""
Note = Callable[[str, object], None]

DECLARATION = """
version: 1
project: shop
servers:
  web:
    lifecycle: LIFECYCLE
    hosts: ["HOST"]
    base: "BASE"
    resources:
      - directory: {path: /srv/shop, owner: www-data, group: adm, mode: "0750"}
      - directory: {path: /srv/shop/open, mode: "1777"}
      - directory: /srv/shop/plain
      - directory: {path: /etc/old.d, mode: "0700"}
      - file: {path: /srv/shop/content, content: "grüße\\n", mode: "0600"}
      - file: /srv/shop/plain/empty
      - file: {path: /srv/shop/template, template: ./template.j2, vars: {name: shop}, owner: www-data}
      - file: {path: /srv/shop/source, source: ./pages/run, group: adm, mode: "4755"}
      - file: {path: /srv/shop/checked, content: "good\\n", validate: [/usr/bin/test, -s, "%s"]}
      - file: {path: /etc/adopted.conf, content: "new\\n"}
      - file: {path: /etc/kept.conf, mode: "0604"}
      - file: {path: /etc/outdated.conf, absent: true}
      - link: {path: /srv/current, to: shop}
      - link: {path: /etc/adopted.link, to: /nowhere/at all}
      - tree: {from: ./pages, to: /srv/shop/pages, owner: www-data}
      - tree: {from: ./pages, to: /srv/plain}
      - line: {path: /etc/adopted.lines, match: "^size =", line: "size = 7"}
      - line: {path: /srv/shop/lines, line: "one", create: true}
      - script: {name: scripted, content: "#!/bin/sh\\n: > /srv/shop/scripted\\n", creates: /srv/shop/scripted}
      - block: {path: /srv/shop/parts, content: "one\\ntwo\\n", create: true}
      - replace: {path: /etc/adopted.parts, match: "colour = (.*)", to: 'paint = \\1'}
      - ini: {path: /srv/shop/settings.ini, section: a, option: b, value: "3", create: true, mode: "0600"}
      - json: {path: /srv/shop/settings.json, key: a.b, value: [1, true, x], create: true}
      - yaml: {path: /srv/shop/settings.yaml, key: a.b, value: {c: "yes"}, create: true}
      - toml: {path: /srv/shop/settings.toml, key: a.b, value: 7, create: true, owner: www-data}
      - download: {path: /srv/shop/fetched, url: "file:///srv/shop/content", checksum: "CHECKSUM", mode: "0640"}
      - archive: {path: /srv/shop/unpacked, source: ./archive.tar, strip_components: 1, owner: www-data}
      - repository: {name: shop, uris: ["file:/srv/debs"], suites: [stable], components: [main], key: "KEY", enabled: false}
      - package: {name: no-such-package, absent: true}
      - debconf: {question: shop/port, package: shop, absent: true}
      - alternative: {name: no-such-name, path: /usr/bin/touch, absent: true}
      - divert: {path: /usr/bin/test, absent: true}
      - command: {name: made, run: [/usr/bin/touch, /srv/shop/made], creates: /srv/shop/made}
      - process:
          name: web
          command: [/usr/bin/python3, -m, http.server, "${instance.port}"]
          workdir: /srv/shop
          user: www-data
          port: 8000
          env: {GREETING: "two words"}
      - file: {path: /etc/systemd/system/shop.service, source: ./shop.service}
      - service: {name: shop, enabled: true}
      - service: {name: telnet.socket, masked: true}
      - unit: {name: shop, drop_in: limits, sections: {Service: {LimitNOFILE: 1024}}}
      - timer: {name: poll, command: [/usr/bin/true], on_calendar: ["Mon 03:00"], user: www-data}
      - directory: /etc/cron.d
      - sysctl: {name: net.ipv4.ip_forward, value: 1}
      - kernel_module: {name: dm_mod, options: {dm_numa_node: "0"}}
      - directory: {path: /srv/scratch, mode: "1777"}
      - mount: {path: /srv/scratch, source: tmpfs, fstype: tmpfs, options: "mode=1777,size=1m"}
      - firewall: {name: shop, source: ./rules}
      - cron: {name: poll, job: /usr/bin/true, minute: "*/5", user: www-data}
"""
LINKS = {
    "service": {"/etc/systemd/system/multi-user.target.wants/shop.service", "/etc/systemd/system/telnet.socket"},
}
"""Kind -> paths that it makes, but that its unit decides and not its declaration."""
PROGRAMS = ("/usr/bin/test", "/usr/bin/touch", "/bin/sh")
NOT_COMPARED = {
    "git": "the times of its index differ each time; it is tried with the real git",
    "npm": "npm notes the time; it is tried with the real npm",
    "venv": "what is compiled differs each time; it is tried with the real Python",
}
"""Kinds whose paths are not the same twice even on one host, each with its reason."""


def project(folder: Path, *, lifecycle: str, host: str, base: str) -> Path:
    """The declaration and what it names, in this folder."""
    pages = folder / "pages"
    (pages / "deep" / "empty").mkdir(parents=True)
    (pages / "index.html").write_text("<h1>open</h1>\n")
    (pages / "run").write_text("#!/bin/sh\n")
    (pages / "run").chmod(0o755)
    (pages / "deep" / "link").symlink_to("../index.html")
    (folder / "shop.service").write_text("[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
    (folder / "rules").write_text("chain input { type filter hook input priority filter; policy accept; }\n")
    (folder / "template.j2").write_text("name = {{ name }}\n")
    with tarfile.open(folder / "archive.tar", "w") as archive:
        archive.add(pages, "top", filter=undated)
    checksum = digest_bytes("grüße\n".encode())
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\\n\\nmDME\\n-----END PGP PUBLIC KEY BLOCK-----"
    words = {"CHECKSUM": checksum, "KEY": key, "LIFECYCLE": lifecycle, "HOST": host, "BASE": base}
    text = DECLARATION
    for word, value in words.items():
        text = text.replace(word, value)
    (folder / "vitrify.yaml").write_text(text)
    return folder


def undated(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The same archive, whenever and by whomever it is made."""
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
    return entry


def found_before(root: Path) -> None:
    """What every target has before: things that will be adopted, changed, kept or removed."""
    for name in ("adopted.conf", "kept.conf", "outdated.conf", "adopted.lines", "adopted.parts"):
        (root / "etc" / name).write_text("size = 3\ncolour = blue\n")
        (root / "etc" / name).chmod(0o640)
    (root / "etc/fstab").write_text("# nothing so far\n")
    (root / "etc/old.d").mkdir(mode=0o755)
    (root / "etc/adopted.link").symlink_to("elsewhere")
    (root / "srv").mkdir(exist_ok=True)
    if os.geteuid() == 0:
        os.chown(root / "etc/adopted.conf", 33, 4)
        os.chown(root / "etc/kept.conf", 0, 33)
    (root / "etc/adopted.conf").chmod(0o660)


def small_root(system: Path, into: Path) -> Path:
    """The accounts of a system and a few of its programs with their libraries, so that commands run in it."""
    (into / "etc").mkdir(parents=True)
    for name in ("passwd", "group"):
        shutil.copy(system / "etc" / name, into / "etc" / name)
    for name in ("bin", "lib", "lib64"):
        if (system / name).is_symlink():
            (into / name).symlink_to((system / name).readlink())
    for path in (*PROGRAMS, *libraries(PROGRAMS)):
        real = Path(path).parent.resolve() / Path(path).name
        target = into / str(real).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(real, target)
    found_before(into)
    return into


def libraries(programs: Iterable[str]) -> set[str]:
    told = subprocess.run(["ldd", *programs], check=True, capture_output=True, text=True).stdout
    return {word for line in told.splitlines() for word in line.split() if word.startswith("/") and not word.endswith(":")}


def vitrify(folder: Path, *words: str) -> str:
    environment = {**os.environ, "VITRIFY_HOME": str(folder.parent / "home"), "VITRIFY_YES": "1"}
    command = [sys.executable, "-m", "vitrify", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Target:
    """A tree that the declaration was applied to; `table` has modes and owners that its filesystem could not hold."""

    root: Path
    table: Mapping[str, Mapping[str, JSON]]

    def owned(self, paths: Iterable[str]) -> Owned:
        """What these paths are."""
        return {path: self._entry(path) for path in sorted(paths)}

    def _entry(self, path: str) -> JSON:
        at = self.root / path.lstrip("/")
        try:
            status = at.lstat()
        except FileNotFoundError:
            return "nothing"
        if stat.S_ISLNK(status.st_mode):
            return ["link", *self._ids(path, status), str(at.readlink())]
        mode = str(self.table.get(path, {}).get("mode", f"{stat.S_IMODE(status.st_mode):04o}"))
        content = digest_of(at.read_bytes().hex()) if stat.S_ISREG(status.st_mode) else ""
        return [f"{stat.S_IFMT(status.st_mode):o}", mode, *self._ids(path, status), content]

    def _ids(self, path: str, status: os.stat_result) -> tuple[JSON, JSON]:
        """Where we are not root, whoever we are stands for root: what nobody is declared to own is ours in a folder, root's in an image."""
        row = self.table.get(path, {})
        uid, gid = row.get("uid", status.st_uid), row.get("gid", status.st_gid)
        return 0 if uid == os.geteuid() else uid, 0 if gid == os.getegid() else gid


def owned_paths(folder: Path) -> dict[str, set[str]]:
    """Kind -> the paths that belong to its resources, and those that they say are made or gone."""
    kinds, found = all_kinds(), dict[str, set[str]]()
    for resource in load(str(folder), environ={}, overrides={}, kinds=kinds, key=b"").servers[0].resources:
        named = {str(resource.fields[name]) for name in ("creates", "path") if name in resource.fields}
        found.setdefault(resource.address.kind, set()).update(kinds[resource.address.kind].owned_paths(resource), named)
        found[resource.address.kind].update(LINKS.get(resource.address.kind, ()))
    baked = {name for name in kinds.names() if Phase.BAKE in kinds[name].phases}
    assert set(found) == baked - {*NOT_COMPARED}, "a kind is not compared"
    return found


def on_a_live_host(host: LiveHost) -> Target:
    found_before(host.path("/"))
    project(host.path(PROJECT), lifecycle="mutable", host="local", base="scratch")
    host.vitrify("apply")
    host.vitrify("plan", "--detailed-exitcode")
    return Target(host.path("/"), {})


def in_a_folder(place: Path, system: Path) -> Target:
    root = small_root(system, place / "root")
    folder = project(place / "project", lifecycle="mutable", host=f"root:{root}", base="scratch")
    vitrify(folder, "apply")
    vitrify(folder, "plan", "--detailed-exitcode")
    table = root / "var/lib/vitrify" / ATTRIBUTES
    return Target(root, json.loads(table.read_text()).get("paths", {}) if table.exists() else {})


def in_an_image(place: Path, system: Path) -> Target:
    base = small_root(system, place / "base")
    folder = project(place / "project", lifecycle="immutable", host="local", base=f"rootfs:{base}")
    digest = json.loads(vitrify(folder, "bake", "web", "-o", "json"))["image"]
    (layout,) = (place / "home").rglob("oci-layout")
    image = Path(unpack(str(layout.parent), digest, str(place / "image")).folder)
    table = image / ATTRIBUTES
    return Target(image / "root", json.loads(table.read_text()) if table.exists() else {})


def compare(targets: Mapping[str, Target], folder: Path, note: Note) -> None:
    """Kind by kind; on a difference the paths that differ are shown."""
    for kind, paths in sorted(owned_paths(folder).items()):
        seen = {name: target.owned(paths) for name, target in targets.items()}
        assert {path for owned in seen.values() for path, entry in owned.items() if entry == "nothing"} <= {"/etc/outdated.conf"}
        digests = {name: digest_of(dict(owned)) for name, owned in seen.items()}
        first = next(iter(seen.values()))
        assert all(owned == first for owned in seen.values()), {
            path: {name: owned[path] for name, owned in seen.items()}
            for path in paths
            if len({str(owned[path]) for owned in seen.values()}) > 1
        }
        (digest,) = set(digests.values())
        note("note", f"parity of {kind}: {len(paths)} paths, {digest[:19]} {', '.join(digests)}")


@pytest.mark.root
def test_a_live_host_a_folder_and_an_image_own_the_same_things(live_host: LiveHost, tmp_path: Path, record_property: Note) -> None:
    targets = {
        "on a live host": on_a_live_host(live_host),
        "in a folder": in_a_folder(tmp_path / "folder", tree()),
        "in an image": in_an_image(tmp_path / "image", tree()),
    }

    compare(targets, tmp_path / "folder/project", record_property)


def test_a_folder_and_an_image_own_the_same_things_whoever_we_are(tmp_path: Path, record_property: Note) -> None:
    targets = {
        "in a folder": in_a_folder(tmp_path / "folder", Path("/")),
        "in an image": in_an_image(tmp_path / "image", Path("/")),
    }

    compare(targets, tmp_path / "folder/project", record_property)
