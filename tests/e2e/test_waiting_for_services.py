"""Waiting on a real machine: for a service that takes its time, again whenever it is restarted, and in vain."""

from __future__ import annotations

import pytest

from live_host import LiveHost
from test_services_on_systemd import declare, settled

pytestmark = [pytest.mark.e2e, pytest.mark.root]

SLOW = """- unit:
          name: slow
          sections:
            Service:
              ExecStart: /bin/sh -c "sleep 1; exec /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory /srv 8000"
              Environment: A=WORD"""
RUNS = '- service: {name: slow, running: true, restart_on: ["unit:slow.service"]}'
PORT = '- wait_for: {tcp: 8000, timeout: 20s, after: "service:slow"}'
URL = "- http_check: {url: 'http://127.0.0.1:8000/page', body: 'w.rd', timeout: TIMEOUT, after: 'service:slow'}"
PAGE = "- file: {path: /srv/page, content: 'the word'}"
AFTERWARDS = "- command: {run: [/usr/bin/touch, /srv/afterwards], creates: /srv/afterwards}"


def test_what_follows_a_wait_is_done_when_the_service_answers_and_every_restart_is_waited_for(live_host: LiveHost) -> None:
    check = URL.replace("TIMEOUT", "20s")
    declare(live_host, PAGE, SLOW.replace("WORD", "one"), RUNS, PORT, check, AFTERWARDS)
    plan = live_host.vitrify("plan").stdout
    live_host.vitrify("apply")
    quiet = settled(live_host)
    declare(live_host, PAGE, SLOW.replace("WORD", "two"), RUNS, PORT, check, AFTERWARDS)

    again = live_host.vitrify("apply").stdout
    live_host.vitrify("undo", "web")

    assert "service:slow is changed before" in plan
    assert live_host.path("/srv/afterwards").exists()
    assert quiet
    assert "wait: service:slow changes" in again
    assert "A=one" in live_host.run("systemctl", "show", "--property=Environment", "slow").stdout


def test_what_follows_a_wait_in_vain_is_not_done(live_host: LiveHost) -> None:
    declare(live_host, SLOW, RUNS, PORT, URL.replace("TIMEOUT", "500ms"), AFTERWARDS)

    failed = live_host.vitrify("apply", expect=3)

    assert "status 404, not 200" in failed.stderr
    assert not live_host.path("/srv/afterwards").exists()


def test_a_service_that_answers_no_more_is_found(live_host: LiveHost) -> None:
    declare(live_host, PAGE, SLOW, RUNS, PORT)
    live_host.vitrify("apply")
    live_host.run("systemctl", "stop", "slow")

    audited = live_host.document("audit", "--detailed-exitcode", expect=2)

    assert "wait_for:127.0.0.1:8000" in str(audited["findings"])
