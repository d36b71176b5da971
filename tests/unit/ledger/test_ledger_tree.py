"""Merkle arithmetic against the definition of RFC 6962, written down naively, and against published values."""

from __future__ import annotations

import hashlib

import pytest

from vitrify.ledger.tree import EMPTY, Tile, bundles, edge_root, edge_tiles, grow, leaf, node, place, root, subtree, tiles

# The eight inputs and roots that implementations of RFC 6962 commonly test with.
INPUTS = [
    bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def mth(data: list[bytes]) -> bytes:
    """Merkle tree hash, word for word as RFC 6962 section 2.1 defines it."""
    if not data:
        return hashlib.sha256().digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    k = 1
    while k * 2 < len(data):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(data[:k]) + mth(data[k:])).digest()


def numbered(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


@pytest.mark.parametrize("count", range(1, 9))
def test_the_root_is_the_published_one(count: int) -> None:
    assert root([leaf(data) for data in INPUTS[:count]]).hex() == ROOTS[count - 1]


def test_the_root_of_nothing_is_the_hash_of_nothing() -> None:
    assert root([]) == EMPTY == mth([])


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 31, 32, 33, 255, 256, 257, 300, 513])
def test_the_root_is_the_one_of_the_definition(count: int) -> None:
    data = numbered(count)
    leaves = [leaf(part) for part in data]
    whole = {(height, at): root(leaves[at << height : (at + 1) << height]) for height in range(10) for at in range(count >> height)}
    assert root(leaves) == mth(data)
    assert subtree(0, count, lambda height, index: whole[height, index]) == mth(data)


def test_leaves_and_nodes_can_never_be_taken_for_each_other() -> None:
    left, right = leaf(b"a"), leaf(b"b")
    assert leaf(left + right) != node(left, right)


@pytest.mark.parametrize(
    ("index", "path"),
    [(0, "tile/3/000"), (7, "tile/3/007"), (999, "tile/3/999"), (1000, "tile/3/x001/000"), (1234067, "tile/3/x001/x234/067")],
)
def test_a_tiles_path_is_its_index_in_groups_of_three_digits(index: int, path: str) -> None:
    assert Tile(3, index).path == path


def test_a_partial_tile_is_in_a_folder_beside_the_full_one() -> None:
    assert Tile(0, 1234067, 8).path == "tile/0/x001/x234/067.p/8"
    assert Tile(None, 273, 112).path == "tile/entries/273.p/112"


def test_a_tree_of_70000_has_the_tiles_that_the_format_names() -> None:
    found = list(tiles(70_000))
    full = [sum(tile.level == level and tile.width == 256 for tile in found) for level in range(3)]
    partial = [(tile.level, tile.width) for tile in found if tile.width < 256]
    assert (full, partial) == ([273, 1, 0], [(0, 112), (1, 17), (2, 1)])
    assert len(list(bundles(70_000))) == 274


def test_a_tree_of_256_has_one_full_tile_and_one_hash_above_it() -> None:
    assert [tile.path for tile in tiles(256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert [tile.path for tile in bundles(256)] == ["tile/entries/000"]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_535, 65_536, 65_537])
def test_the_tiles_being_filled_are_the_partial_ones(size: int) -> None:
    partial = [tile for tile in tiles(size) if tile.width < 256]
    assert [tile for tile in edge_tiles(size) if tile.width] == partial


def test_a_subtrees_leaves_are_in_one_tile() -> None:
    assert place(0, 300) == (0, 1, 44, 45)
    assert place(7, 3) == (0, 1, 128, 256)
    assert place(8, 3) == (1, 0, 3, 4)
    assert place(10, 65) == (1, 1, 4, 8)


@pytest.mark.parametrize("step", [1, 3, 17, 100, 256])
def test_growing_by_any_steps_leads_to_the_same_root(step: int) -> None:
    data = numbered(600)
    edge: tuple[tuple[bytes, ...], ...] = ((),)
    size = 0
    while size < len(data):
        count = min(step, 256 - size % 256, len(data) - size)
        edge, _ = grow(edge, [leaf(part) for part in data[size : size + count]])
        size += count
        if size % 50 == 0 or size > 590:
            assert edge_root(edge) == mth(data[:size])


def test_growing_tells_every_tile_that_changes() -> None:
    leaves = [leaf(part) for part in numbered(256)]
    edge, changed = grow(((),), leaves)
    assert [len(content) for content in changed] == [256, 1]
    assert edge == ((), (root(leaves),))


def test_growing_past_the_end_of_a_tile_is_refused() -> None:
    with pytest.raises(ValueError, match="more leaves"):
        grow(((),), [EMPTY] * 257)
