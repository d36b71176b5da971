"""What a flip means is said before it happens, in both directions: what carries over, what does not, and where state goes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import a_server

from vitrify.core.declaration import Base, Host, Limits, Server
from vitrify.core.digest import JSON
from vitrify.core.plan import Owned
from vitrify.core.resource import Address, Resource
from vitrify.lifecycle import flip
from vitrify.lifecycle.settings import settings_of
from vitrify.resources.registry import all_kinds

HOST = Host("ssh://web1", address="web1")
STATE = "/var/lib/shop"


def wish(kind: str, called: str, **fields: JSON) -> Resource:
    return Resource(Address(kind, called), fields)


def shop(**more: object) -> Server:
    own = (wish("directory", STATE, path=STATE, owner="ada"), wish("process", "web", name="web", command=["/bin/x"], port=8000, user="ada"))
    return replace(a_server(), hosts=(HOST,), resources=own, **more)  # type: ignore[arg-type]


def to_image(server: Server, *owned: Resource, undeclared: tuple[str, ...] = ()) -> str:
    known = tuple(Owned(one, created=True, applied={}, run="r") for one in (*server.resources, *owned))
    return "\n".join(flip.to_image(server, HOST, flip.InPlace(known, undeclared), kinds=all_kinds()))


def test_what_carries_over_is_counted_and_what_cannot_is_named_with_what_to_write_instead() -> None:
    told = to_image(shop(), wish("swap", "/swapfile", path="/swapfile"), wish("service", "cron", name="cron", running=True))

    assert "carries over into the image: 2 of 2 resources" in told
    assert "stays the host's: swap:/swapfile; write them instead in a server of its own for ssh://web1" in told
    assert "has no meaning in an image: running of service:cron" in told


def test_what_was_written_in_a_folder_of_the_server_is_named_and_what_its_user_owns_is_assumed() -> None:
    told = to_image(shop(), undeclared=(f"{STATE}/orders.db",))

    assert f"is on ssh://web1 and not in the image: {STATE}/orders.db" in told
    assert f"`volumes: {{{STATE}: {STATE}}}`" in told
    assert f"assumed: {STATE} belongs to ada, who runs the process" in told


@pytest.mark.parametrize(
    ("keys", "there", "back"),
    [
        ({"volumes": {STATE: STATE}}, "keeps its state both ways", "keeps its state both ways"),
        ({"volumes": {STATE: "data"}}, "keeps none of what ssh://web1 holds", "stays behind: the volume data; copy it to"),
        ({"writable": (STATE,)}, "begins empty in each instance", "goes with the instances"),
    ],
)
def test_where_state_goes_is_said_in_both_directions(keys: dict[str, object], there: str, back: str) -> None:
    server = shop(**keys)

    told = to_image(server, undeclared=(f"{STATE}/orders.db",))

    assert there in told
    assert "not in the image" not in told, "it has a place"
    assert back in "\n".join(flip.to_host(server, HOST))


def test_the_way_back_names_what_instances_have_alone_and_how_traffic_moves() -> None:
    told = "\n".join(flip.to_host(shop(replicas=2, limits=Limits(pids=9), base=Base("rootfs", "/base")), HOST))

    assert "carries over onto ssh://web1: all of 2 resources" in told
    assert "has no meaning in place: replicas: 2; write instead more `hosts`" in told
    assert "has no meaning in place: limits" in told
    assert "assumed: ssh://web1 has what the base rootfs:/base brings" in told
    assert "traffic moves by asking port 8000 of ssh://web1" in told


def test_a_volume_that_is_a_folder_of_the_host_lies_below_it_where_the_host_is_one() -> None:
    server = shop(volumes={STATE: STATE, "/var/cache": "cache"})
    inside = replace(server, hosts=(Host("root:./machine", folder="/home/ada/machine"),))

    assert settings_of(server, {}, key=b"k").volumes == {STATE: STATE, "/var/cache": "cache"}
    assert settings_of(inside, {}, key=b"k").volumes[STATE] == f"/home/ada/machine{STATE}"
