"""The tools that are compared, each called as its manual says for speed, in surroundings that hold nothing of the user's."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import workload

from fleet import Control, Reached
from vitrify.core.declaration import Host
from vitrify.transports.ssh import Client

PEERS = {"ansible": ("ansible-core==2.19.14", "mitogen==0.3.54"), "pyinfra": ("pyinfra==3.10.0",)}
_ANSIBLE = """\
[defaults]
inventory = {folder}/hosts.ini
forks = 20
remote_user = admin
private_key_file = {keys}/key
interpreter_python = /usr/bin/python3
deprecation_warnings = false
{mitogen}
[ssh_connection]
pipelining = true
ssh_args = -F {config} -C -o ControlMaster=auto -o ControlPersist=60s
control_path_dir = {sockets}
"""


@dataclass(frozen=True)
class Spent:
    """What a command took: seconds, and seconds of processor of it and of what it waited for."""

    seconds: float
    cpu: float


def cache() -> Path:
    """Where the peers are installed, once."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vitrify-benchmarks"


def install(name: str) -> Path:
    """The folder of a peer's programs; its environment is made where there is none yet."""
    place = cache() / name
    if not (place / "bin" / "pip").exists():
        venv.create(place, with_pip=True)
    pip = [str(place / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *PEERS[name]]
    subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
    return place / "bin"


def apt_module() -> list[Path]:
    """The packages that Ansible's `apt` needs on a machine, fetched once."""
    place = cache() / "debs"
    place.mkdir(parents=True, exist_ok=True)
    if not list(place.glob("python3-apt_*")):
        subprocess.run(["apt-get", "download", "-q", "python3-apt", "python-apt-common", "distro-info-data"], check=True, cwd=place)
    return sorted(place.glob("*.deb"))


class Bench:
    """One project for one set of machines, and every way to carry it out."""

    def __init__(self, control: Control, config: Path, targets: Sequence[workload.Target]) -> None:
        self.control = control
        self.targets = targets
        self._config = config
        self._keys = config.parent
        workload.write(control.folder, targets, config)
        self._client = Client(control.runtime / "vitrify", str(config))
        self._peers = {name: install(name) for name in PEERS}
        self._configure()

    def _configure(self) -> None:
        mitogen = (
            next((self._peers["ansible"].parent / "lib").glob("python3*")) / "site-packages" / "ansible_mitogen" / "plugins" / "strategy"
        )
        known = {"folder": self.control.folder, "keys": self._keys, "config": self._config, "sockets": self.control.runtime / "ansible"}
        for name, more in {"plain": "", "mitogen": f"strategy_plugins = {mitogen}\nstrategy = mitogen_linear\n"}.items():
            (self.control.folder / f"{name}.cfg").write_text(_ANSIBLE.format(**known, mitogen=more))

    def vitrify(self) -> Spent:
        """Ours: `vitrify apply`, the whole command."""
        return self._run([sys.executable, "-m", "vitrify", "apply"])

    def ansible(self) -> Spent:
        """ansible-core with pipelining."""
        return self._ansible("plain")

    def mitogen(self) -> Spent:
        """ansible-core with Mitogen's strategy."""
        return self._ansible("mitogen")

    def _ansible(self, name: str) -> Spent:
        program = str(self._peers["ansible"] / "ansible-playbook")
        return self._run([program, "playbook.yml"], ANSIBLE_CONFIG=str(self.control.folder / f"{name}.cfg"))

    def pyinfra(self) -> Spent:
        """Pyinfra, which is not to ask."""
        return self._run([str(self._peers["pyinfra"] / "pyinfra"), "-y", "inventory.py", "deploy.py"])

    def script(self) -> Spent:
        """A hand-written script that does it all."""
        return self._sh(workload.script())

    def read(self) -> Spent:
        """The floor: a hand-written script that reads the same state."""
        return self._sh(workload.READ)

    def bare(self) -> Spent:
        """A connection and nothing else."""
        return self._sh("true\n", remote="true")

    def _sh(self, text: str, *, remote: str = "sudo -n sh -s") -> Spent:
        """On all machines at once."""
        started, before = time.perf_counter(), os.times()
        pipe, null = subprocess.PIPE, subprocess.DEVNULL
        running = []
        for target in self.targets:
            argv = self._client.argv(_host(target), remote)
            running.append(subprocess.Popen(argv, stdin=pipe, stdout=null, stderr=pipe, text=True, env=self._environment()))
        for one in running:
            _, said = one.communicate(text if remote != "true" else None, timeout=120)
            if one.returncode:
                raise RuntimeError(said)
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return Spent(time.perf_counter() - started, cpu)

    def _environment(self, **more: str) -> Mapping[str, str]:
        # What is installed has its compiled files: ours is run as installed.
        found = {name: value for name, value in self.control.environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**found, "ANSIBLE_LOCALHOST_WARNING": "false", "LC_ALL": "C.UTF-8", **more}

    def _run(self, argv: Sequence[str], **more: str) -> Spent:
        with (self.control.folder / "said").open("wb") as said:
            started = time.perf_counter()
            process = subprocess.Popen(
                argv, cwd=self.control.folder, env=self._environment(**more), stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{shlex.join(argv)} ended with {process.returncode}: {(self.control.folder / 'said').read_text()[-4000:]}")
        return Spent(seconds, used.ru_utime + used.ru_stime)

    def said(self) -> str:
        """What the last tool said."""
        return (self.control.folder / "said").read_text(errors="replace")

    def hang_up(self) -> None:
        """End every connection that is kept open: what comes next begins with a handshake."""
        for folder in (self.control.runtime / "vitrify", self.control.runtime / "ansible"):
            for socket in folder.iterdir() if folder.exists() else ():
                subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "any"], check=False, capture_output=True)
                while socket.exists():
                    time.sleep(0.005)


def _host(target: workload.Target) -> Host:
    return Host(target.name, address=target.address, user="admin", port=target.port)


def prepare(machine: Reached) -> None:
    """What Ansible needs there."""
    place = machine.machine.path("/root/debs")
    place.mkdir()
    for deb in apt_module():
        (place / deb.name).write_bytes(deb.read_bytes())
    machine.machine.run("sh", "-c", "dpkg -i /root/debs/*.deb && python3 -c 'import apt'")


def clean(machine: Reached) -> None:
    """As if no tool had been there."""
    machine.machine.run("sh", "-c", workload.CLEAN)


def end_state(machine: Reached) -> str:
    """What must be equal, in words."""
    return machine.machine.run("sh", "-c", workload.END).stdout
