"""The project whose releases are switched: one server of two instances behind a router, and the command line that a person would type."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

DECLARED = """\
version: 1
project: rollout
routers:
  edge: {{kind: {kind}, listen: "127.0.0.1:{port}", tls: "off"}}
servers:
  web:
    lifecycle: immutable
    hosts: [local]
    base: host
    replicas: 2
    volumes: {{/srv/counts: "{counts}"}}
    resources:
      - directory: /srv
      - directory: /srv/app
      - file: {{path: /srv/app/application.py, source: ./application.py}}
      - file: {{path: /srv/app/release, content: "{release}"}}
      - process:
          name: web
          command: [/usr/bin/python3, -I, /srv/app/application.py, /srv/app, /srv/counts]
          workdir: /srv/app
          port: 8000
    health: {{http: /healthz, passes: 1, interval: 50ms, grace: {grace}}}
    route: {{router: edge}}
    rollout: {{drain: {drain}, probation: 0s, keep_warm: 10m, retain: 5}}
"""


@dataclass(frozen=True)
class Command:
    """What one command did: its code, when it ran, and the documents that it printed, events and all."""

    code: int
    began: float
    ended: float
    documents: tuple[dict[str, Any], ...]
    said: str

    @property
    def seconds(self) -> float:
        """The whole command, from its start to its end."""
        return self.ended - self.began

    @property
    def switches(self) -> list[tuple[float, float, float]]:
        """When the host was asked to move the requests, had the new set on its disk, and had moved them; by its clock, which is ours."""
        data = [each["data"] for each in self.documents if (each.get("what"), each.get("stage")) == ("switch", "done")]
        return [(each["intended_at"], each["prepared_at"], each["switched_at"]) for each in data if "switched_at" in each]

    @property
    def result(self) -> dict[str, Any]:
        """What it says of the release in the end."""
        last = self.documents[-1]
        return dict(last["releases"][0] if "releases" in last else last)


@dataclass
class Project:
    """In a folder of its own, with a home of its own."""

    folder: Path
    kind: str
    port: int
    release: str = "blue"
    grace: str = "60s"
    drain: str = "2s"

    @classmethod
    def build(cls, folder: Path, kind: str, port: int) -> Project:
        """Nothing of it runs yet."""
        for name in ("project", "counts"):
            (folder / name).mkdir(parents=True)
        shutil.copy(HERE / "application.py", folder / "project")
        return cls(folder, kind, port)

    @property
    def url(self) -> str:
        """Where its clients ask."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def counts(self) -> Path:
        """Where the application counts."""
        return self.folder / "counts"

    def answered(self) -> int:
        """How many answers the application counted by now."""
        return sum(file.stat().st_size for file in self.counts.iterdir())

    def declare(self, **changed: str) -> None:
        """Write the declaration, with these values changed."""
        for name, value in changed.items():
            setattr(self, name, value)
        values = {"kind": self.kind, "port": self.port, "counts": self.counts, "grace": self.grace, "drain": self.drain}
        (self.folder / "project" / "vitrify.yaml").write_text(DECLARED.format(release=self.release, **values))

    def run(self, *words: str, expect: int | None = 0, failpoint: str = "") -> Command:
        """The command line. `failpoint` is where it is killed; `expect` is the code that it has to end with, None for any but 0."""
        more = {"VITRIFY_HOME": str(self.folder / "home"), "VITRIFY_YES": "1"} | ({"VITRIFY_FAILPOINT": failpoint} if failpoint else {})
        command = [sys.executable, "-P", "-m", "vitrify", "-C", str(self.folder / "project"), *words, "-o", "ndjson"]
        began = time.time()
        done = subprocess.run(command, env={**os.environ, **more}, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{") and line.endswith("}")]
        if (done.returncode != expect) if expect is not None else done.returncode == 0:
            raise AssertionError(f"{' '.join(words)} {failpoint}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return Command(done.returncode, began, time.time(), tuple(json.loads(line) for line in lines), done.stderr)

    def running(self) -> int:
        """Instances whose process is alive, as the kernel says."""
        found = 0
        for state in (self.folder / "home").glob("projects/*/run/instances/*/state.json"):
            data = json.loads(state.read_text())
            pid = (data.get("child") or {}).get("pid")
            found += bool(pid and data.get("status") == "running" and Path(f"/proc/{pid}").exists())
        return found

    def clear(self) -> None:
        """End all that runs."""
        self.run("retire", "web")
