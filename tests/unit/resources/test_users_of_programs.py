"""Whatever runs as a user comes after that user, however it was written."""

from __future__ import annotations

import pytest

from vitrify.core.digest import JSON
from vitrify.core.order import order
from vitrify.core.resource import Address, Resource
from vitrify.resources.registry import all_kinds

USER = Resource(Address("user", "app"), {"name": "app"})
RUNNING: list[tuple[str, dict[str, JSON]]] = [
    ("process", {"name": "web", "command": ["/bin/x"]}),
    ("timer", {"name": "web", "command": ["/bin/x"], "on_boot": "5min"}),
    ("cron", {"name": "web", "job": "/bin/x", "special": "daily"}),
    ("git", {"path": "/srv/web", "repository": "https://x.example/x.git"}),
    ("venv", {"path": "/srv/web"}),
    ("npm", {"path": "/srv/web", "name": "left-pad"}),
    ("authorized_key", {"key": "ssh-ed25519 AAAA"}),
]


@pytest.mark.parametrize(("kind", "fields"), RUNNING, ids=[kind for kind, _ in RUNNING])
def test_what_runs_as_a_user_comes_after_it(kind: str, fields: dict[str, JSON]) -> None:
    running = Resource(Address(kind, "web"), {**fields, "user": "app"})

    assert order([running, USER], kinds=all_kinds()).resources == (USER, running)


@pytest.mark.parametrize("kind", ["process", "timer", "npm"])
def test_what_goes_with_its_user_stays_as_it_was_written(kind: str) -> None:
    running = Resource(Address(kind, "web"), {**dict(RUNNING)[kind], "user": "app"}, absent=True)
    user = Resource(USER.address, USER.fields, absent=True)

    assert order([running, user], kinds=all_kinds()).resources == (running, user)
