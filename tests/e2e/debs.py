"""A repository of tiny Debian packages, made for one test: built with dpkg-deb, indexed by hand, signed with a key of its own."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

PROGRAMS = {"dpkg-deb": "dpkg", "gpg": "gnupg"}


def lacking() -> str:
    """What this machine lacks to make a repository, in words; empty where nothing is."""
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})
    return f"a repository of packages needs the Debian packages {', '.join(missing)}" if missing else ""


@dataclass(frozen=True)
class Deb:
    """One package: what its control file says beyond its name, its scripts, its files (those below /etc are its configuration)."""

    name: str
    version: str = "1.0"
    fields: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    templates: str = ""
    """The questions that it asks."""

    def build(self, folder: Path) -> Path:
        """The package file, in this folder."""
        tree = folder / f".{self.name}-{self.version}"
        (tree / "DEBIAN").mkdir(parents=True)
        for path, content in {**self.files, f"/usr/share/{self.name}/version": f"{self.version}\n"}.items():
            (tree / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (tree / path.lstrip("/")).write_text(content)
        (tree / "DEBIAN/control").write_text(self.control())
        settings = [path for path in self.files if path.startswith("/etc/")]
        if settings:
            (tree / "DEBIAN/conffiles").write_text("".join(f"{path}\n" for path in settings))
        if self.templates:
            (tree / "DEBIAN/templates").write_text(self.templates)
        for script, text in self.scripts.items():
            (tree / "DEBIAN" / script).write_text(f"#!/bin/sh\nset -e\n{text}\n")
            (tree / "DEBIAN" / script).chmod(0o755)
        deb = folder / f"{self.name}_{self.version}_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(deb)], check=True, capture_output=True)
        shutil.rmtree(tree)
        return deb

    def control(self) -> str:
        """The control file."""
        told = {"Package": self.name, "Version": self.version, "Architecture": "all", "Maintainer": "A Test <test@shop.example>"}
        told |= {"Description": f"a tiny package called {self.name}", **self.fields}
        return "".join(f"{name}: {value}\n" for name, value in told.items())


@dataclass
class Archive:
    """A repository in a folder, as an apt of this machine or of another one reads it from `file:` addresses."""

    folder: Path
    home: Path
    suite: str = "stable"
    label: str = "Shop"

    @classmethod
    def make(cls, folder: Path, keys: Path, *debs: Deb, suite: str = "stable", label: str = "Shop") -> Archive:
        """A new one, with these packages; its key lives in `keys`, which several may share."""
        archive = cls(folder, keys, suite, label)
        (folder / "pool").mkdir(parents=True)
        if not keys.exists():
            keys.mkdir(mode=0o700)
            archive._gpg("--quick-generate-key", "A Test <test@shop.example>", "rsa2048", "sign", "never")
        archive.publish(*debs)
        return archive

    def publish(self, *debs: Deb, age: float = 0.0) -> None:
        """Add packages, and write and sign the indices anew, as if `age` seconds ago."""
        for deb in debs:
            deb.build(self.folder / "pool")
        self.index(age=age)

    def withdraw(self, name: str) -> None:
        """Take away every file of this name (NAME or NAME_VERSION)."""
        for path in (self.folder / "pool").glob(f"{name}_*.deb"):
            path.unlink()
        self.index()

    def index(self, *, age: float = 0.0) -> None:
        """Write the indices of what is there, and sign them."""
        place = self.folder / "dists" / self.suite
        binary = place / "main" / "binary-all"
        binary.mkdir(parents=True, exist_ok=True)
        text = "\n".join(self._entry(path) for path in sorted((self.folder / "pool").glob("*.deb")))
        sums = []
        for architecture in ("all", "amd64", "arm64"):
            index = place / "main" / f"binary-{architecture}" / "Packages"
            index.parent.mkdir(exist_ok=True)
            index.write_text(text if architecture == "all" else "")
            content = index.read_bytes()
            sums.append(f" {hashlib.sha256(content).hexdigest()} {len(content)} main/binary-{architecture}/Packages\n")
        date = formatdate(time.time() - age, usegmt=True)
        told = {"Origin": self.label, "Label": self.label, "Suite": self.suite, "Codename": self.suite, "Date": date}
        told |= {"Architectures": "all amd64 arm64", "Components": "main"}
        release = "".join(f"{name}: {value}\n" for name, value in told.items()) + "SHA256:\n" + "".join(sums)
        (place / "Release").write_text(release)
        self._gpg("--yes", "--clearsign", "--digest-algo", "SHA256", "-o", str(place / "InRelease"), str(place / "Release"))

    def key(self) -> str:
        """The public key, in ASCII armour."""
        return self._gpg("--armor", "--export").decode()

    def binary_key(self) -> bytes:
        """The public key as it is in a keyring."""
        return self._gpg("--export")

    def _entry(self, path: Path) -> str:
        content = path.read_bytes()
        control = subprocess.run(["dpkg-deb", "--field", str(path)], check=True, capture_output=True, text=True).stdout
        digest = hashlib.sha256(content).hexdigest()
        return f"{control}Filename: pool/{path.name}\nSize: {len(content)}\nSHA256: {digest}\n"

    def _gpg(self, *words: str) -> bytes:
        # Without an agent left behind: a test leaves nothing running.
        command = ["gpg", "--homedir", str(self.home), "--batch", "--pinentry-mode", "loopback", "--passphrase", "", "--quiet", *words]
        done = subprocess.run(command, check=True, capture_output=True)
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=True, capture_output=True)
        return done.stdout
