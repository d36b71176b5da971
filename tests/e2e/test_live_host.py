"""A server on a live host with a real systemd, converged by the command line that runs on it."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.amount import amount

from live_host import PROJECT, LiveHost

pytestmark = [pytest.mark.e2e, pytest.mark.root]

APPLICATION = """
import hashlib, http.server, json, os, pathlib, pwd
told = {
    "user": pwd.getpwuid(os.geteuid()).pw_name,
    "greeting": os.environ["GREETING"],
    "folder": os.getcwd(),
    "secret": hashlib.sha256(os.environ.get("PASSWORD", "").encode()).hexdigest(),
}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        settings = pathlib.Path("/srv/app/settings").read_text()
        body = json.dumps({**told, "settings": settings}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
DECLARATION = """
version: 1
project: shop
vars: {greeting: "one", colour: "blue"}
SECRETS
servers:
  web:
    lifecycle: mutable
    hosts: [local]
    resources:
      - directory: {path: /srv/app, owner: www-data, group: adm, mode: "0750"}
      - file: {path: /srv/app/serve.py, source: ./serve.py}
      - file: {path: /srv/app/settings, template: ./settings.j2, vars: {colour: "${var.colour}"}, owner: www-data, group: adm, mode: "0640"}
      - line: {path: /etc/profile, line: "export SHOP=open"}
      - link: {path: /srv/current, to: app}
      - tree: {from: ./pages, to: /srv/app/pages, owner: www-data}
      - command: {name: index, run: [/bin/sh, -c, "ls /srv/app/pages > /srv/app/index"], creates: /srv/app/index}
PROCESS
"""
PROCESS = """
      - process:
          name: web
          command: [/usr/bin/python3, -I, /srv/app/serve.py]
          workdir: /srv/app
          user: www-data
          port: 8000
          env: {GREETING: "${var.greeting}"}
"""
LAST = """
import http.client, sys, time
deadline = time.monotonic() + 5
while True:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=5)
        connection.request("GET", "/")
        print(connection.getresponse().read().decode())
        break
    except ConnectionRefusedError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.02)
"""
"""A unit of the type `exec` is started once its program runs, which may be a moment before that listens."""


@dataclass(frozen=True)
class Site:
    """The project on a machine."""

    host: LiveHost

    def declare(self, *, process: str = PROCESS, secrets: str = "", **variables: str) -> None:
        """Write the declaration; `variables` take the place of those in it."""
        text = DECLARATION.replace("PROCESS", process).replace("SECRETS", secrets)
        for name, value in variables.items():
            before = {"greeting": "one", "colour": "blue"}[name]
            text = text.replace(f'{name}: "{before}"', f'{name}: "{value}"')
        self.host.path(f"{PROJECT}/vitrify.yaml").write_text(text)

    def get(self) -> dict[str, str]:
        """What the application answers, asked on its own machine."""
        answer: dict[str, str] = json.loads(self.host.run("/usr/bin/python3", "-I", "-c", LAST).stdout)
        return answer

    def state(self) -> dict[str, str]:
        """What systemd says of the unit."""
        return self.host.unit("web.service", "LoadState", "ActiveState", "UnitFileState", "MainPID", "NRestarts", "NeedDaemonReload")

    def settled(self) -> bool:
        """Whether a plan is empty."""
        return self.host.vitrify("plan", "--detailed-exitcode", expect=None).returncode == 0


@pytest.fixture
def site(live_host: LiveHost) -> Site:
    project = live_host.path(PROJECT)
    (project / "serve.py").write_text(APPLICATION)
    (project / "settings.j2").write_text("colour = {{ colour }}\n")
    (project / "pages" / "deep").mkdir(parents=True)
    (project / "pages" / "index.html").write_text("<h1>open</h1>\n")
    (project / "pages" / "deep" / "link").symlink_to("../index.html")
    found = Site(live_host)
    found.declare()
    return found


def owner(path: Path) -> tuple[int, int, str]:
    status = path.stat()
    return status.st_uid, status.st_gid, f"{status.st_mode & 0o7777:04o}"


def test_a_web_application_runs_and_answers_and_a_second_plan_is_empty(site: Site) -> None:
    site.host.vitrify("apply")

    answer, state = site.get(), site.state()
    assert (answer["user"], answer["greeting"], answer["folder"], answer["settings"]) == ("www-data", "one", "/srv/app", "colour = blue\n")
    assert (state["ActiveState"], state["UnitFileState"], state["NeedDaemonReload"]) == ("active", "enabled", "no")
    assert owner(site.host.path("/srv/app/settings")) == (33, 4, "0640")
    assert owner(site.host.path("/srv/app/pages/index.html")) == (33, 0, "0644")
    assert site.host.path("/srv/app/index").read_text() == "deep\nindex.html\n"
    assert site.settled()


def test_it_is_there_again_after_the_machine_was_restarted(site: Site) -> None:
    site.host.vitrify("apply")

    again = Site(site.host.reboot())

    assert again.get()["greeting"] == "one"
    assert again.settled()


def test_the_process_is_restarted_when_its_unit_changes_and_left_alone_when_something_else_does(site: Site) -> None:
    site.host.vitrify("apply")
    first = site.state()["MainPID"]

    site.declare(colour="red")
    site.host.vitrify("apply")
    same = site.state()["MainPID"]
    settings = site.get()["settings"]
    site.declare(colour="red", greeting="two")
    site.host.vitrify("apply")

    assert same == first
    assert settings == "colour = red\n"
    assert site.state()["MainPID"] != first
    assert site.get()["greeting"] == "two"


@pytest.mark.parametrize(
    ("deed", "finding"),
    [
        (("systemctl", "stop", "web"), "does not run"),
        (("systemctl", "disable", "web"), "enabled True -> False"),
        (("sed", "-i", "s/GREETING=one/GREETING=intruder/", "/etc/systemd/system/web.service"), "unit sha256:"),
        (("chown", "root", "/srv/app/settings"), "uid 33 -> 0"),
        (("rm", "/srv/current"), "removed"),
        (("truncate", "--size=0", "/srv/app/pages/index.html"), "index.html"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else None,
)
def test_what_was_done_by_hand_is_found_and_put_right(site: Site, deed: tuple[str, ...], finding: str) -> None:
    site.host.vitrify("apply")
    site.host.run(*deed)

    audited = site.host.document("audit", "--detailed-exitcode", expect=2)
    site.host.vitrify("apply")

    assert finding in json.dumps(audited["findings"])
    assert {found["class"] for found in audited["findings"]} == {"unauthorised"}
    assert site.get()["greeting"] == "one"
    assert (site.state()["ActiveState"], site.state()["UnitFileState"]) == ("active", "enabled")
    assert site.settled()
    assert site.host.document("audit")["findings"] == []


def test_a_process_that_left_the_declaration_is_stopped_and_forgotten_by_systemd(site: Site) -> None:
    site.host.vitrify("apply")
    pid = site.state()["MainPID"]
    site.declare(process="")

    site.host.vitrify("apply")

    assert site.state()["LoadState"] == "not-found"
    assert not site.host.path(f"/proc/{pid}").exists()
    assert not site.host.path("/etc/systemd/system/multi-user.target.wants/web.service").is_symlink()
    assert site.settled()


def test_an_undo_runs_the_former_unit_again_and_the_undo_of_the_first_run_ends_it(site: Site) -> None:
    site.host.vitrify("apply")
    site.declare(greeting="two", colour="red")
    site.host.vitrify("apply")

    site.host.vitrify("undo", "web")
    former = site.get()
    site.host.vitrify("undo", "web", "--force")

    assert (former["greeting"], former["settings"]) == ("one", "colour = blue\n")
    assert site.state()["LoadState"] == "not-found"
    assert site.state()["MainPID"] == "0"
    assert not site.host.path("/srv/current").is_symlink()
    assert "SHOP" not in site.host.path("/etc/profile").read_text()


def test_an_undo_of_a_removal_runs_the_process_again(site: Site) -> None:
    site.host.vitrify("apply")
    site.declare(process="")
    site.host.vitrify("apply")

    site.host.vitrify("undo", "web")

    assert site.get()["greeting"] == "one"
    assert site.state()["UnitFileState"] == "enabled"


def test_a_secret_reaches_the_process_and_nobody_else(site: Site) -> None:
    canary = "canary-of-the-live-host"
    process = PROCESS.replace("env: {", 'env: {PASSWORD: "secret:password", ')
    site.declare(process=process, secrets="secrets: {password: {env: SHOP_PASSWORD}}")

    site.host.vitrify("apply", SHOP_PASSWORD=canary)
    first, answer = site.state()["MainPID"], site.get()
    shown = site.host.run("systemctl", "show", "web.service").stdout + site.host.run("systemctl", "cat", "web.service").stdout
    site.host.vitrify("apply", SHOP_PASSWORD=f"{canary}-rotated")

    assert len(answer["secret"]) == 64
    assert site.get()["secret"] != answer["secret"]
    assert site.state()["MainPID"] != first
    assert owner(site.host.path("/etc/vitrify/env/web.env")) == (0, 0, "0600")
    assert canary not in shown
    assert "EnvironmentFile=/etc/vitrify/env/web.env" in shown
    journal = site.host.run("journalctl", "--no-pager", "--output=cat").stdout
    assert canary not in journal


def crash_points(log: Path) -> list[str]:
    """Each point as it is named when it is to be the n-th of its name."""
    counted: Counter[str] = Counter()
    found = []
    for name in log.read_text().splitlines():
        counted[name] += 1
        found.append(f"{name}#{counted[name]}")
    return found


def test_killed_in_the_middle_of_a_restart_the_same_command_finishes(site: Site) -> None:
    log = f"{PROJECT}/points"
    site.host.vitrify("apply", VITRIFY_FAILPOINT_LOG=log)
    names = [name for name in crash_points(site.host.path(log)) if name.startswith("enact.")]
    of_the_process = names[-3:]
    chosen = (of_the_process + [name for name in names if name not in of_the_process])[: amount("live_host", daily=3)]

    for number, point in enumerate(chosen):
        site.host.vitrify("undo", "web", "--force")
        shutil.rmtree(site.host.path("/srv/app"), ignore_errors=True)
        site.declare(greeting=f"try {number}")
        killed = site.host.vitrify("apply", expect=None, VITRIFY_FAILPOINT=point)
        site.host.vitrify("apply")
        site.host.vitrify("ledger", "verify")

        assert killed.returncode != 0, point
        assert site.get()["greeting"] == f"try {number}", point
        assert site.settled(), point


def broken(*program: str) -> str:
    """The declaration of a process that runs this instead."""
    return PROCESS.replace("[/usr/bin/python3, -I, /srv/app/serve.py]", json.dumps(program))


def wait_until(site: Site, **wanted: str) -> None:
    """Until systemd says so; a crashing process comes to its end by itself, after five tries."""
    deadline = time.monotonic() + 20
    while {name: site.host.unit("web.service", name)[name] for name in wanted} != wanted:
        assert time.monotonic() < deadline, site.host.unit("web.service", *wanted)
        time.sleep(0.1)


def test_a_process_that_systemd_gave_up_on_runs_again_once_what_it_needs_is_mended(site: Site) -> None:
    (site.host.path(PROJECT) / "serve.py").write_text("raise SystemExit(1)\n")
    site.host.vitrify("apply", expect=None)
    wait_until(site, ActiveState="failed")
    (site.host.path(PROJECT) / "serve.py").write_text(APPLICATION)

    site.host.vitrify("apply")

    assert site.get()["greeting"] == "one"
    assert site.settled()


@pytest.mark.parametrize("moment", ["activating", "failed"])
def test_a_crashing_process_that_left_the_declaration_leaves_nothing_behind(site: Site, moment: str) -> None:
    site.declare(process=broken("/bin/false"))
    site.host.vitrify("apply", expect=None)
    wait_until(site, ActiveState=moment)
    site.declare(process="")

    site.host.vitrify("apply")

    assert site.state()["LoadState"] == "not-found"
    assert site.state()["ActiveState"] == "inactive"
    assert site.host.run("systemctl", "is-system-running", expect=None).stdout == "running\n"


def test_a_process_that_ends_badly_when_it_is_stopped_leaves_nothing_behind(site: Site) -> None:
    site.declare(process=broken("/bin/sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.05; done"))
    site.host.vitrify("apply")
    time.sleep(0.2)
    site.declare(process="")

    site.host.vitrify("apply")

    assert site.state()["ActiveState"] == "inactive"
    assert site.host.run("systemctl", "is-system-running", expect=None).stdout == "running\n"


def test_a_program_that_is_not_there_fails_the_apply_and_is_named(site: Site) -> None:
    site.declare(process=broken("/usr/bin/no-such-program"))

    failed = site.host.vitrify("apply", expect=3)
    site.declare()
    site.host.vitrify("apply")

    assert "web.service" in failed.stderr
    assert site.get()["greeting"] == "one"


def test_a_unit_that_was_masked_is_unmasked(site: Site) -> None:
    site.host.vitrify("apply")
    site.host.run("systemctl", "stop", "web")
    site.host.path("/etc/systemd/system/web.service").unlink()
    site.host.run("systemctl", "mask", "web")

    site.host.vitrify("apply")

    assert site.get()["greeting"] == "one"
    assert site.state()["UnitFileState"] == "enabled"
    assert site.settled()
