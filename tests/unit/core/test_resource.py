from __future__ import annotations

from dataclasses import replace

import pytest
from wishes import KINDS, directory

from vitrify.core.diagnostic import Location, VitrifyError
from vitrify.core.resource import Address, Observation, OnLeave, Resource

FULL = Resource(
    Address("file", "/etc/motd"),
    {"path": "/etc/motd", "content": "hmac-sha256:0"},
    after=(Address("directory", "/etc"),),
    absent=True,
    on_leave=OnLeave.PURGE,
    protect=True,
    tags=("a", "b"),
    secret=True,
    where=Location("vitrify.yaml", 3, 5),
)


def test_an_address_is_read_as_it_is_written() -> None:
    address = Address("line", "/etc/hosts#a: b")

    assert Address.parse(str(address)) == address


@pytest.mark.parametrize("text", ["", "file", "file:", ":/etc/motd"])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(VitrifyError, match="file:/etc/motd"):
        Address.parse(text)


def test_a_resource_travels_whole_but_for_where_it_was_written() -> None:
    assert Resource.from_json(FULL.to_json()) == replace(FULL, where=None)


def test_where_a_wish_was_written_is_no_part_of_its_identity() -> None:
    assert replace(FULL, where=None).digest == FULL.digest
    assert replace(FULL, protect=False).digest != FULL.digest


@pytest.mark.parametrize("broken", [{"fields": []}, {"after": {}}, {"tags": None}])
def test_what_is_no_resource_is_refused(broken: dict[str, list[object] | None]) -> None:
    with pytest.raises(TypeError):
        Resource.from_json({**FULL.to_json(), **broken})  # type: ignore[dict-item]


def test_a_removal_is_the_same_resource_wished_absent() -> None:
    assert directory("/srv").gone() == replace(directory("/srv"), absent=True)


@pytest.mark.parametrize("body", [None, "", "text\n"])
def test_an_observation_travels_whole(body: str | None) -> None:
    seen = Observation(Address("file", "/x"), {"type": "file", "mode": "0644"}, body)

    assert Observation.from_json(seen.to_json()) == seen


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(VitrifyError, match=r"known kinds: .*directory, .*file, .*tree"):
        KINDS["no such kind"]
    assert "no such kind" not in KINDS
    assert "file" in KINDS
