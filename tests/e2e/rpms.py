"""A host that dnf keeps: this machine's own files beneath a layer of memory, without dpkg and apt, and with a new database of rpm.

Its dnf, rpm and Python are the real ones. It is a mount and a process namespace of its own that ends with one process, and what is
written there is never seen outside.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from live_host import PROJECT, REPOSITORY, LiveHost
from packaged import Packaged

PROGRAMS = {"dnf": "dnf", "rpmbuild": "rpm", "createrepo_c": "createrepo-c", "gpg": "gnupg", "unshare": "util-linux"}
PLUGIN = Path("/etc/dnf/plugins/versionlock.conf")
OFFERED = "/srv/repository"
REPO = f"[shop]\nname=shop\nbaseurl=file://{OFFERED}\ngpgcheck=1\ngpgkey=file:///srv/key.asc\n"
KEEPER = r"""
set -e
place=$1; shift
mount -t tmpfs tmpfs "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$place/root"
for path in run tmp; do mount -t tmpfs tmpfs "$place/root/$path"; done
for path in "$@"; do mkdir -p "$place/root$path"; mount --rbind "$path" "$place/root$path"; done
cd "$place/root"
mount --rbind /dev dev
mount -t proc proc proc
rm -rf var/lib/dpkg usr/bin/apt-get root/.rpmdb var/lib/rpm/* var/cache/dnf var/lib/dnf var/lib/vitrify var/log/dnf*
mkdir -p before root/project var/lib/dnf etc/yum.repos.d srv/repository
sed -i 's/^enabled.*/enabled = false/' etc/dnf/plugins/local.conf
pivot_root . before
umount -l before
touch run/ready
exec sleep infinity
"""
SLOW = "if [ -e /srv/slow ]; then touch /srv/waiting; sleep 60; fi"


def lacking() -> str:
    """What this machine lacks for such a host, in words; empty where nothing is."""
    if os.geteuid() != 0:
        return "a host that dnf keeps is made by root alone"
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    missing += [] if PLUGIN.exists() else ["dnf-plugins-core"]
    return f"a host that dnf keeps needs the Debian packages {', '.join(missing)}" if missing else ""


@dataclass(frozen=True)
class Rpm:
    """One package: what its spec says beyond its name, its files, what it does once it is installed."""

    name: str
    version: str = "1.0"
    fields: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    post: str = ""

    def spec(self) -> str:
        """The spec file."""
        told = {"Name": self.name, "Version": self.version, "Release": "1", "Summary": "tiny", "License": "MIT", "BuildArch": "noarch"}
        lines = [*(f"{name}: {value}" for name, value in {**told, **self.fields}.items()), "%description", "tiny", "%install"]
        for path, content in self.files.items():
            lines += [f"mkdir -p %{{buildroot}}{Path(path).parent}", f"echo '{content}' > %{{buildroot}}{path}"]
        return "\n".join(
            [*lines, *(["%post", self.post] if self.post else []), "%files", *(f"%config(noreplace) {path}" for path in self.files), ""]
        )


SHELL = {"Provides": "/bin/sh"}
"""What rpm wants of whoever has a script: it knows nothing of this machine's own shell."""
FOO = {"Requires": "libfoo", "Recommends": "foo-doc"}
FOUND = (
    Rpm("libfoo"),
    Rpm("foo", "1.0", fields=FOO, files={"/etc/foo.conf": "size = 1"}),
    Rpm("foo", "2.0", fields=FOO, files={"/etc/foo.conf": "size = 2"}),
    Rpm("foo-doc"),
    Rpm("bar", fields={"Conflicts": "foo", "Provides": "mail-agent"}),
    Rpm("lone", fields={"Epoch": "2"}),
    Rpm("slow", "1.0", fields=SHELL, post=SLOW),
    Rpm("slow", "2.0", fields=SHELL, post=SLOW),
    Rpm("tool", "1.0", files={"/usr/share/tool/data": "one", "/usr/share/tool/kept": "kept"}),
    Rpm("tool", "2.0", files={"/usr/share/tool/data": "two", "/usr/share/tool/kept": "kept"}),
    Rpm("broken", fields={"Requires": "what-nobody-has"}),
)

ADVISORIES = """<?xml version="1.0"?>
<updates><update from="test@shop.example" status="final" type="security" version="1"><id>SHOP-2026:1</id><title>tiny</title>
<severity>Important</severity><issued date="2026-01-02 03:04:05"/><description>tiny</description><pkglist><collection><name>shop</name>
<package name="tool" version="2.0" release="1" epoch="0" arch="noarch" src="tool-2.0-1.src.rpm"><filename>tool-2.0.rpm</filename></package>
</collection></pkglist></update></updates>
"""
"""What a distribution says of its patches."""


@dataclass(frozen=True)
class Offer:
    """Signed packages in a folder that createrepo_c indexed, and the key that signed them."""

    folder: Path
    key: str

    @classmethod
    def make(cls, folder: Path) -> Offer:
        """All of FOUND."""
        home, offered = folder / "keys", folder / "repository"
        home.mkdir(mode=0o700)
        gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
        _run(*gpg, "--quick-generate-key", "A Test <test@shop.example>", "rsa2048", "sign", "never")
        for rpm in FOUND:
            spec = folder / f"{rpm.name}.spec"
            spec.write_text(rpm.spec())
            defined = {"_topdir": folder / "build", "_rpmdir": offered, "_rpmfilename": "%{NAME}-%{VERSION}.rpm", "_dbpath": folder / "db"}
            _run(
                "rpmbuild",
                "-bb",
                "--quiet",
                *(word for name, value in defined.items() for word in ("--define", f"{name} {value}")),
                str(spec),
            )
        paths = [str(path) for path in sorted(offered.glob("*.rpm"))]
        signer = {"_gpg_name": "test@shop.example", "_gpg_path": home, "__gpg": shutil.which("gpg")}
        _run("rpmsign", *_defines(signer), "--addsign", *paths)
        _run("createrepo_c", "--quiet", str(offered))
        (folder / "updateinfo.xml").write_text(ADVISORIES)
        _run("modifyrepo_c", "--mdtype=updateinfo", str(folder / "updateinfo.xml"), str(offered / "repodata"))
        key = _run(*gpg, "--armor", "--export")
        _run("gpgconf", "--homedir", str(home), "--kill", "all")
        return cls(offered, key)


@dataclass
class DnfSite(Packaged):
    """Such a host, with a project on it."""

    def version(self, name: str) -> str:
        """The installed version; empty where there is none."""
        told = self.host.run("rpm", "-q", "--queryformat", "%{VERSION}", name, expect=None)
        return told.stdout if told.returncode == 0 else ""

    def transactions(self) -> int:
        """How many dnf made so far."""
        return len(self.host.run("dnf", "--quiet", "history", "list").stdout.splitlines()[2:])


@contextmanager
def kept_by_dnf(folder: Path, offer: Offer, *, known: bool = True) -> Iterator[DnfSite]:
    """A new one, which knows the repository already unless told otherwise; afterwards nothing of it is left."""
    place = folder / "dnf-host"
    place.mkdir(parents=True)
    lent = dict.fromkeys((str(REPOSITORY), sys.prefix, *((sys.base_prefix,) if sys.base_prefix != "/usr" else ())))
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", KEEPER, "keeper", str(place), *lent]
    with (folder / "console").open("wb") as said, subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said) as keeper:
        try:
            host = LiveHost(keeper, folder / "console", _started(keeper, folder / "console"))
            shutil.copytree(offer.folder, host.path(OFFERED), dirs_exist_ok=True)
            host.path(PROJECT).mkdir(exist_ok=True)
            if known:
                host.path("/srv/key.asc").write_text(offer.key)
                host.path("/etc/yum.repos.d/shop.repo").write_text(REPO)
                host.run("dnf", "--quiet", "makecache")
            yield DnfSite(host)
        finally:
            keeper.kill()


def _started(keeper: subprocess.Popen[bytes], console: Path) -> int:
    children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and keeper.poll() is None:
        pids = children.read_text().split()
        if pids and Path(f"/proc/{pids[0]}/root/run/ready").exists():
            return int(pids[0])
        time.sleep(0.01)
    raise RuntimeError(f"the host did not start: {console.read_text(errors='replace')}")


def _defines(macros: Mapping[str, object]) -> list[str]:
    return [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
