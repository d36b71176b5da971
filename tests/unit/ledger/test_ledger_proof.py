"""Proofs: made for every place in every small tree, and worthless once anything in them is altered."""

from __future__ import annotations

import pytest

from vitrify.ledger.proof import consistency, extends, includes, inclusion
from vitrify.ledger.tree import HashAt, leaf, root

LEAVES = [leaf(str(number).encode()) for number in range(70)]


def hash_at(height: int, index: int) -> bytes:
    return root(LEAVES[index << height : (index + 1) << height])


HASH_AT: HashAt = hash_at


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 9, 31, 32, 33, 63, 70])
def test_every_entry_is_shown_to_be_in_every_tree(size: int) -> None:
    whole = root(LEAVES[:size])
    for index in range(size):
        proof = inclusion(index, size, HASH_AT)
        assert includes(whole, size, leaf=LEAVES[index], index=index, proof=proof)
        assert not includes(whole, size, leaf=LEAVES[index - 1], index=index, proof=proof) or size == 1
        assert not includes(whole, size, leaf=LEAVES[index], index=index, proof=(*proof, whole))
        assert not proof or not includes(whole, size, leaf=LEAVES[index], index=index, proof=proof[:-1])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 9, 31, 32, 33, 63, 70])
def test_every_tree_is_shown_to_begin_with_every_smaller_one(size: int) -> None:
    whole = root(LEAVES[:size])
    for old in range(size + 1):
        proof = consistency(old, size, HASH_AT)
        assert extends(root(LEAVES[:old]), old, root=whole, size=size, proof=proof)
        assert not extends(root(LEAVES[:old]), old, root=whole, size=size, proof=(*proof, whole))
        if 0 < old < size:
            assert not extends(root(LEAVES[1 : old + 1]), old, root=whole, size=size, proof=proof)
            assert not extends(root(LEAVES[:old]), old, root=root(LEAVES[1 : size + 1] or LEAVES), size=size, proof=proof)
            assert not extends(root(LEAVES[:old]), old, root=whole, size=size, proof=proof[:-1])


def test_every_altered_hash_spoils_a_proof() -> None:
    whole, proof = root(LEAVES), consistency(33, 70, HASH_AT)
    for at in range(len(proof)):
        altered = (*proof[:at], root([proof[at]] * 2), *proof[at + 1 :])
        assert not extends(root(LEAVES[:33]), 33, root=whole, size=70, proof=altered)


def test_a_proof_has_about_as_many_hashes_as_the_tree_has_rows() -> None:
    assert len(inclusion(0, 70, HASH_AT)) == 7
    assert len(consistency(64, 70, HASH_AT)) == 1


def test_no_proof_is_made_of_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="has no entry"):
        inclusion(70, 70, HASH_AT)
    with pytest.raises(ValueError, match="holds none of"):
        consistency(71, 70, HASH_AT)


def test_an_index_or_size_outside_the_tree_proves_nothing() -> None:
    assert not includes(LEAVES[0], 1, leaf=LEAVES[0], index=1, proof=())
    assert not includes(LEAVES[0], 1, leaf=LEAVES[0], index=-1, proof=())
    assert not extends(root(LEAVES), 70, root=root(LEAVES[:33]), size=33, proof=())
    assert not extends(LEAVES[0], 3, root=root(LEAVES), size=70, proof=())
