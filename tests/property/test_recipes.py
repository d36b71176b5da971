"""A recipe gives back what it was made of, and nothing but a clear refusal where it is not one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import digest_bytes
from vitrify.core.recipe import Literal, Part, Piece, packed, parts

LITERALS = st.builds(Literal, st.binary(min_size=1, max_size=300))
PIECES = st.builds(lambda data: Piece(digest_bytes(data), len(data) + 1), st.binary(max_size=30))


@given(st.lists(LITERALS | PIECES, max_size=20))
def test_a_recipe_says_what_it_was_made_of(made: list[Part]) -> None:
    found = list(parts(packed(made)))
    assert [part for part in found if isinstance(part, Piece)] == [part for part in made if isinstance(part, Piece)]
    assert _bytes(found) == _bytes(made)


def _bytes(made: list[Part]) -> bytes:
    return b"".join(part.data if isinstance(part, Literal) else b"<piece>" for part in made)


@given(st.binary(max_size=400))
def test_what_is_no_recipe_is_refused(data: bytes) -> None:
    try:
        list(parts(data))
    except IntegrityFailed:
        return
    assert data == packed(list(parts(data)))


@given(st.lists(LITERALS | PIECES, min_size=1, max_size=5), st.data())
def test_a_recipe_with_one_byte_altered_is_refused_or_says_something_else(made: list[Part], data: st.DataObject) -> None:
    recipe = packed(made)
    at = data.draw(st.integers(0, len(recipe) - 1))
    altered = recipe[:at] + bytes([recipe[at] ^ data.draw(st.integers(1, 255))]) + recipe[at + 1 :]
    try:
        list(parts(altered))
    except IntegrityFailed:
        return
