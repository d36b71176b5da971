"""This machine's apt, used upon a system that does not exist yet: it says what a base is made of, and fetches that."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from vitrify.builders.sources import Source
from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, TargetFailed
from vitrify.core.simulation import Step, complaint, steps

MINIMAL = ("?essential", "?priority(required)", "apt")
"""A system that can install packages, and nothing that it can do without."""
_LONGEST = 1800.0


class HostApt:
    """One question to apt in a folder of its own: nothing of this machine's packages is looked at, nothing of it changes."""

    def __init__(self, work: Path, sources: Sequence[Source], architecture: str) -> None:
        if not shutil.which("apt-get"):
            why, hint = "there is no apt-get on this machine", "bake on a Debian or Ubuntu machine, or use another base: `rootfs:DIR`"
            raise DeclarationInvalid([Diagnostic("nobody here can say what a base of Debian packages is made of", why=why, hint=hint)])
        self._work = work
        self.debs = work / "debs"
        for name in ("state/lists/partial", "cache/archives/partial", "etc", "debs"):
            (work / name).mkdir(parents=True)
        (work / "state/status").touch()
        (work / "etc/sources.list").write_text("".join(f"{source}\n" for source in sources), encoding="utf-8")
        settings = "".join(f'{name} "{value}";\n' for name, value in self._settings(architecture).items())
        (work / "etc/apt.conf").write_text(f"#clear APT::Update;\n{settings}", encoding="utf-8")

    def _settings(self, architecture: str) -> dict[str, object]:
        """Everything that apt keeps, beneath the folder; what it needs to reach the network stays this machine's own."""
        work = self._work
        return {
            "Dir::State": work / "state",
            "Dir::State::status": work / "state/status",
            "Dir::Cache": work / "cache",
            "Dir::Etc::SourceList": work / "etc/sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "APT::Architecture": architecture,
            "APT::Architectures": architecture,
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
        }

    def renew(self) -> None:
        """Fetch the lists of what there is."""
        self._run("update")

    def would_install(self, *wanted: str) -> tuple[Step, ...]:
        """What these come to, each with its version and its origin."""
        return steps(self._run("install", "--simulate", "--yes", *wanted))

    def policy(self, names: Sequence[str]) -> str:
        """What apt knows of these packages: their candidates, and where each version comes from."""
        return self._run("policy", *names, program="apt-cache")

    def fetch(self, names: Sequence[str]) -> None:
        """Have these files (`NAME=VERSION`) in `debs`."""
        self._run("download", *names)

    def _run(self, verb: str, *words: str, program: str = "apt-get") -> str:
        command = [program, "--quiet", "-c", str(self._work / "etc/apt.conf"), verb, *words]
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        try:
            done = subprocess.run(
                command,
                cwd=self.debs,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_LONGEST,
            )
        except subprocess.TimeoutExpired as error:
            raise TargetFailed(f"{program} {verb} did not end within {_LONGEST:g} seconds") from error
        if done.returncode != 0:
            raise TargetFailed(
                f"{program} {verb} ended with {done.returncode}",
                why=_addressless(complaint(done.stderr)),
                hint="see that this machine's apt sources can be reached, or declare a `mirror`",
            )
        return done.stdout


def _addressless(text: str) -> str:
    """Without what a password may stand in."""
    return re.sub(r"//[^/\s@]+@", "//…@", text)
