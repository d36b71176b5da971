"""Has systemd keep `vitrify serve` running: of the machine where root asks, of the user otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vitrify.core import unit
from vitrify.core.asked import Scope
from vitrify.core.diagnostic import TargetFailed, UsageInvalid
from vitrify.onhost.record import write_whole

_KEPT = ("HOME", "PATH", "VITRIFY_HOME", "VITRIFY_PODMAN_STORAGE", "PYTHONPATH", "SSL_CERT_FILE", "XDG_DATA_HOME")
"""What of the environment goes along; secrets have no place in a unit file."""
_TEXT = """\
{head}
[Unit]
Description={description}
Documentation=man:systemd.service(5)
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
# It says that it is alive with each look at what is due, every few seconds: one that hangs is ended and started again.
WatchdogSec=180
WorkingDirectory={folder}
{environment}
ExecStart={words}
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=64
SuccessExitStatus=143
# What it started outlives it: instances and routers have keepers of their own, and are not ended with it, whatever ends it.
KillMode=process
OOMPolicy=continue
TasksMax=infinity

[Install]
WantedBy={target}
"""


@dataclass(frozen=True)
class Unit:
    """What the unit is about: a project by name and id, its folder, flags of `serve`, and the environment that it is made from."""

    project: str
    project_id: str
    folder: str
    flags: tuple[str, ...]
    environ: Mapping[str, str] = field(repr=False)
    system: bool = field(default_factory=lambda: os.geteuid() == 0)
    """Whether it is the machine's, and not the user's own."""

    @property
    def name(self) -> str:
        """As `systemctl` takes it: one for each project."""
        return f"vitrify-serve-{self.project}-{self.project_id[:8]}.service"

    @property
    def path(self) -> Path:
        """Where its file is."""
        if self.system:
            return Path("/etc/systemd/system", self.name)
        config = self.environ.get("XDG_CONFIG_HOME") or f"{self.environ.get('HOME', '~')}/.config"
        return Path(config, "systemd", "user", self.name)

    @property
    def text(self) -> str:
        """The file; `VitrifyError` where a path or a value cannot be written so that systemd reads it back."""
        words = (sys.executable, "-P", "-m", "vitrify", "serve", "-C", self.folder, *self.flags)
        kept = {name: self.environ[name] for name in _KEPT if self.environ.get(name)}
        return _TEXT.format(
            head=unit.HEAD,
            description=unit.specified(f"vitrify serve: looks after the servers of {self.project}"),
            folder=unit.specified(self.folder),
            environment="\n".join(f"Environment={unit.quoted(f'{name}={value}', always=True)}" for name, value in sorted(kept.items())),
            words=" ".join(map(unit.argument, words)),
            target="multi-user.target" if self.system else "default.target",
        )


def flags(scope: Scope) -> tuple[str, ...]:
    """What the command line said about which servers, and with which values, for a process that is started by nobody."""
    said = {"--limit": scope.limit, "--exclude": scope.exclude, "--env": (scope.environment,) if scope.environment else ()}
    values = tuple(f"{name}={value}" for name, value in scope.overrides.items())
    words = [word for name, given in {**said, "--var": values}.items() for each in given for word in (name, each)]
    return (*words, "--parallel", str(scope.parallel))


def install(wanted: Unit) -> str:
    """Write the unit and start it; killed midway, the same again ends it."""
    _refuse_without_systemd()
    wanted.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_whole(str(wanted.path), wanted.text.encode(), mode=0o644)
    _systemctl(wanted, "daemon-reload")
    _systemctl(wanted, "enable", wanted.name)
    _systemctl(wanted, "restart", wanted.name)
    return str(wanted.path)


def uninstall(wanted: Unit) -> str:
    """End it and take the unit away. The file goes last: while it is there, the same again finds what to do."""
    if not wanted.path.is_file():
        return ""
    _refuse_without_systemd()
    _systemctl(wanted, "disable", "--now", wanted.name)
    wanted.path.unlink()
    _systemctl(wanted, "daemon-reload")
    return str(wanted.path)


def _refuse_without_systemd() -> None:
    if not Path("/run/systemd/system").is_dir():
        hint = "let whatever starts programs here run `vitrify serve`, or `vitrify serve --once` again and again"
        raise UsageInvalid("systemd does not run this machine", hint=hint)


def _systemctl(wanted: Unit, *words: str) -> None:
    command = ["systemctl", *(() if wanted.system else ("--user",)), *words]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise TargetFailed("systemctl cannot be started", why=str(error.strerror)) from error
    if ended.returncode != 0:
        raise TargetFailed(f"{' '.join(command)} ended with {ended.returncode}", why=ended.stderr.strip())
