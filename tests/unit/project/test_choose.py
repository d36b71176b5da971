"""What `--limit`, `--exclude` and `--tag` pick."""

from __future__ import annotations

import pytest
from tests.trial import Project

from vitrify.core.declaration import Declaration as Whole
from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import Location, UsageInvalid
from vitrify.project.choose import choose, refuse_unknown_tags

HERE = Location("vitrify.yaml", 1, 1)


def server(name: str, *hosts: str, lifecycle: Lifecycle = Lifecycle.MUTABLE) -> Server:
    return Server(name, lifecycle, tuple(Host(host, host) for host in hosts), (), HERE)


SHOP = Whole(
    "shop",
    "/shop",
    (
        server("db", "ssh://admin@db1.example", "ssh://db2.example:2222"),
        server("web", "local", "root:./a"),
        server("img", "local", "root:./b", lifecycle=Lifecycle.IMMUTABLE),
    ),
    groups={"eu": ("ssh://admin@db1.example", "root:./a"), "here": ("local",)},
)


@pytest.mark.parametrize(
    ("limit", "exclude", "picked"),
    [
        ((), (), ["db:db1", "db:db2", "web:local", "web:a", "img:local", "img:b"]),
        (("web",), (), ["web:local", "web:a"]),
        (("w*", "eu"), (), ["db:db1", "web:local", "web:a"]),
        (("db2.example",), (), ["db:db2"]),
        (("ssh://admin@db1.example",), (), ["db:db1"]),
        (("here",), (), ["web:local", "img:local", "img:b"]),
        (("root:./b",), (), ["img:local", "img:b"]),
        ((), ("eu",), ["db:db2", "web:local", "img:local", "img:b"]),
        ((), ("root:./b",), ["db:db1", "db:db2", "web:local", "web:a", "img:local", "img:b"]),
        ((), ("img", "db*"), ["web:local", "web:a"]),
        (("eu",), ("web",), ["db:db1"]),
        (("web",), ("web",), []),
    ],
)
def test_a_pattern_means_a_server_a_group_or_a_host(limit: tuple[str, ...], exclude: tuple[str, ...], picked: list[str]) -> None:
    found = choose(SHOP, limit=limit, exclude=exclude)

    short = {"ssh://admin@db1.example": "db1", "ssh://db2.example:2222": "db2", "root:./a": "a", "root:./b": "b", "local": "local"}
    assert [f"{server.name}:{short[host.name]}" for server in found for host in server.hosts] == picked


def test_a_server_that_is_picked_in_part_knows_the_hosts_that_were_left_out() -> None:
    east, west = Host("ssh://east", address="east"), Host("ssh://west", address="west")
    shop = Whole("shop", "/shop", (Server("img", Lifecycle.IMMUTABLE, (east, west), (), HERE),))

    (picked,) = choose(shop, limit=("west",), exclude=())
    (rest,) = choose(shop, limit=(), exclude=("west",))
    (whole,) = choose(shop, limit=("img",), exclude=())

    assert [(one.hosts, one.left_out) for one in (picked, rest, whole)] == [((west,), (east,)), ((east,), (west,)), ((east, west), ())]


@pytest.mark.parametrize(
    ("pattern", "hint"), [("wbe", "did you mean `web`?"), ("db1.exmple", "did you mean `db1.example`?"), ("q", "groups: eu")]
)
def test_a_pattern_that_picks_nothing_is_refused(pattern: str, hint: str) -> None:
    with pytest.raises(UsageInvalid) as error:
        choose(SHOP, limit=(), exclude=(pattern,))

    assert f"no server, group or host is called {pattern!r}" in str(error.value)
    assert hint in str(error.value)


def test_a_tag_that_no_resource_has_is_refused(project: Project) -> None:
    servers = project.load(project.server("- directory: {path: /x, tags: [base, motd]}")).servers

    refuse_unknown_tags(["base", "motd"], servers)
    with pytest.raises(UsageInvalid, match="no resource has the tag 'moto'") as error:
        refuse_unknown_tags(["moto"], servers)

    assert "did you mean `motd`?" in str(error.value)
