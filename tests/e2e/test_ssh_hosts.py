"""A server on another machine, reached by the real OpenSSH: planned, applied, audited and undone as on this one."""

from __future__ import annotations

import pytest

from fleet import Control, Fleet

pytestmark = [pytest.mark.e2e, pytest.mark.root]

DECLARATION = """
version: 1
project: shop
ssh: {{config: {config}}}
servers:
  web:
    lifecycle: mutable
    hosts: [{hosts}]
    resources:
      - directory: /srv/app
      - file: {{path: /srv/app/page, content: "{page}\\n", mode: "0644"}}
"""


def declared(fleet: Fleet, *hosts: str, page: str = "hello") -> str:
    return DECLARATION.format(config=fleet.config, hosts=", ".join(hosts), page=page)


@pytest.mark.parametrize("user", ["root", "admin"])
def test_a_server_on_another_machine_is_planned_applied_audited_and_undone(fleet: Fleet, control: Control, user: str) -> None:
    machine = fleet.boot()
    control.declare(declared(fleet, machine.url(user)))

    planned = control.document("plan", "--detailed-exitcode", expect=2)
    applied = control.run("apply")
    again = control.document("plan", "--detailed-exitcode")

    assert [change["address"] for change in planned["servers"][0]["changes"]] == ["directory:/srv/app", "file:/srv/app/page"]
    assert machine.text("/srv/app/page") == "hello\n", applied.stderr
    assert again["servers"][0]["changes"] == []
