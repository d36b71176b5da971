"""A batch over SSH stays one holder's until it is judged: others are told, and a holder that was killed keeps nobody out."""

from __future__ import annotations

import json
import time

import pytest

from fleet import Control, Fleet

pytestmark = pytest.mark.e2e


def test_a_batch_is_its_holders_until_the_verdict_and_free_once_that_is_killed(fleet: Fleet, control: Control) -> None:
    machine = fleet.boot()
    control.declare(
        f'version: 1\nproject: held\nssh: {{config: "{fleet.config}"}}\n'
        f'servers:\n  web:\n    lifecycle: mutable\n    hosts: ["{machine.url("admin")}"]\n'
        "    health: {command: [/usr/bin/test, -f, /srv/well], passes: 1, grace: 10m}\n"
        '    resources: [{file: {path: /srv/page, content: "new\\n", mode: "0644"}}]\n'
    )
    with control.start("apply") as first:
        try:
            deadline = time.monotonic() + 120
            while "apply.done" not in told(control):  # from here on the host is asked for its health
                assert time.monotonic() < deadline
                time.sleep(0.2)
            (held,) = control.document("lease", "show", "web")["leases"]
            second = control.run("apply", expect=6)
        finally:
            first.kill()
    machine.machine.path("/srv/well").touch()

    control.run("apply")

    assert (held["standing"], held["reason"], held["token"], held["process"]) == (True, "apply", 1, first.pid)
    assert f"token 1, process {first.pid}" in second.stderr
    assert told(control)[-1] == "batch.passed"
    (free,) = control.document("lease", "show", "web")["leases"]
    assert (free["standing"], free["token"]) == (False, 2)
    assert machine.text("/srv/page") == "new\n"


def told(control: Control) -> list[str]:
    shown = control.run("ledger", "show", "-n", "1000", "-o", "json", expect=None)
    if shown.returncode:
        return []  # nothing was entered yet
    return [str(entry["kind"]) for entry in json.loads(shown.stdout)["entries"]]
