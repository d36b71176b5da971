"""A rollout goes forward, or is taken back; nothing else, and one table says so."""

from __future__ import annotations

from itertools import product

import pytest

from vitrify.core.diagnostic import IntegrityFailed, VitrifyError
from vitrify.core.phase import BACK, BECOMES, ENDS, FOLLOWS, SETTLED, Phase, Standing, refuse_leap
from vitrify.core.release import OVER


@pytest.mark.parametrize(("standing", "step"), [(a, b) for a, b in product(Phase, Phase) if b in FOLLOWS[a]])
def test_what_follows_is_a_step_forward(standing: Phase, step: Phase) -> None:
    assert Standing(standing).leads(step)


@pytest.mark.parametrize("phase", set(Phase) - {Phase.PREPARED})
def test_what_was_only_announced_is_announced_again(phase: Phase) -> None:
    assert Standing(phase, begun=True).leads(phase)


@pytest.mark.parametrize(
    ("at", "step"),
    [("launch", Phase.SWITCHED), ("begin", Phase.GATED), ("gate", Phase.RETIRED), ("wait", Phase.SWITCHED), ("pause", Phase.LAUNCHED)],
)
def test_a_phase_cannot_be_left_out(at: str, step: Phase) -> None:
    with pytest.raises(IntegrityFailed, match="cannot go on"):
        Standing.of(at).leads(step)


@pytest.mark.parametrize("step", [phase for phase in Phase if phase not in BACK and phase is not Phase.PREPARED])
@pytest.mark.parametrize("at", ["abort", "abort.intent", "switch_back", "switch_back.intent"])
def test_what_is_taken_back_never_goes_forward_again(at: str, step: Phase) -> None:
    with pytest.raises(IntegrityFailed):
        Standing.of(at).leads(step)


@pytest.mark.parametrize("at", [f"{phase.value}{moment}" for phase in SETTLED for moment in ("", ".intent")])
def test_where_the_old_ones_leave_nothing_is_taken_back(at: str) -> None:
    for step in BACK:
        with pytest.raises(IntegrityFailed):
            Standing.of(at).leads(step)


def test_a_switch_that_was_only_announced_may_be_aborted_and_one_that_was_done_goes_back_first() -> None:
    assert Standing.of("switch.intent").leads(Phase.ABORTED)
    assert Standing.of("switch").leads(Phase.SWITCHED_BACK)
    with pytest.raises(IntegrityFailed):
        Standing.of("switch").leads(Phase.ABORTED)


def test_a_step_of_another_version_is_told_not_guessed() -> None:
    with pytest.raises(VitrifyError, match="does not know"):
        Standing.of("teleport")


def test_every_phase_can_be_reached_and_every_way_ends() -> None:
    reached = {Phase.PREPARED}
    while more := {after for phase in reached for after in FOLLOWS[phase]} - reached:
        reached |= more

    assert reached == set(Phase)
    assert {phase for phase in Phase if not FOLLOWS[phase]} == ENDS


@pytest.mark.parametrize(("before", "after"), list(product(BECOMES, BECOMES)))
def test_a_release_becomes_what_the_table_says_and_nothing_else(before: str, after: str) -> None:
    if after in BECOMES[before]:
        refuse_leap("web", 2, before=before, after=after)
    else:
        with pytest.raises(IntegrityFailed, match=f"release 2 of web is {before}, and cannot become {after}"):
            refuse_leap("web", 2, before=before, after=after)


@pytest.mark.parametrize("state", sorted(OVER))
def test_nothing_comes_back_from_what_is_over(state: str) -> None:
    assert BECOMES[state] <= OVER
