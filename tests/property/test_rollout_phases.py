"""However a rollout is interrupted and gone on with, what is durable only ever goes forward, or back and no further."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.phase import BACK, FOLLOWS, SETTLED, Phase, Standing

WALK = st.lists(st.tuples(st.sampled_from(Phase), st.booleans()), max_size=60)


@given(WALK)
def test_a_walk_by_any_steps_is_a_walk_through_the_table(walk: list[tuple[Phase, bool]]) -> None:
    standing, done, settled, back = Standing(Phase.PREPARED), Phase.PREPARED, False, False
    for phase, killed in walk:
        with suppress(IntegrityFailed):
            if not standing.leads(phase):
                continue  # passed before: done again, and not written
            announced = standing.phase if standing.begun else None
            assert phase in FOLLOWS[done] or phase is announced or phase in FOLLOWS.get(announced or done, frozenset()) & BACK
            assert not (settled and phase in BACK), "nothing is taken back once the old ones leave"
            assert not back or phase in BACK, "what is taken back does not go forward"
            standing = Standing(phase, begun=killed)
            done = done if killed else phase
            settled, back = settled or phase in SETTLED, back or phase in BACK


@given(st.sampled_from(Phase), st.booleans())
def test_what_is_written_is_read_as_it_was(phase: Phase, begun: bool) -> None:  # noqa: FBT001  drawn
    if begun and phase is Phase.PREPARED:
        return
    assert Standing.of(f"{phase.value}.intent" if begun else phase.value) == Standing(phase, begun)
