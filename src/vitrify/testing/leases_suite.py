"""What the lease of a server promises, wherever it is kept, as tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from vitrify.core.diagnostic import Busy
from vitrify.onhost.lease import Moment, Wish
from vitrify.onhost.tenant import Tenant
from vitrify.ports import Leases

ADA, BOB = Wish("ada@laptop", "apply", "r1", seconds=60.0), Wish("bob@desk", "rollback", "r2", seconds=60.0)

View = Callable[[], Leases]
"""The lease of one server as another process sees it."""


@dataclass
class HostClock:
    """What a host's clocks say: a test lets time pass, sets the clock, or boots the host anew."""

    now: float = 1_770_000_000.0
    ticks: float = 1000.0
    boot: str = "boot-1"

    def __call__(self) -> Moment:
        """This moment."""
        return Moment(self.now, self.ticks, self.boot)

    def let_pass(self, seconds: float) -> None:
        """Time goes by."""
        self.now += seconds
        self.ticks += seconds

    def reboot(self, *, away: float) -> None:
        """The host goes down, and is up again after so many seconds."""
        self.now += away
        self.ticks, self.boot = 1.0, f"{self.boot}+"


class LeasesSuite:
    """Subclass it, and give it the fixtures `clock` (a `HostClock`) and `view` (a `View` by that clock)."""

    def test_one_has_it_and_everybody_else_is_told_who(self, view: View) -> None:
        lease = view().acquire(ADA)
        with pytest.raises(Busy, match="web is being changed by ada@laptop") as refused:
            view().acquire(BOB)
        why, hint = refused.value.diagnostics[0].why, refused.value.diagnostics[0].hint
        assert "apply r1, since 2026-02-02 02:40:00 UTC, until 2026-02-02 02:41:00 UTC unless renewed; token 1" in why
        assert "--wait" in hint
        assert view().standing() == lease

    def test_every_token_is_greater_than_the_one_before(self, view: View) -> None:
        tokens = []
        for wish in (ADA, BOB, ADA):
            tokens.append(view().acquire(wish).token)
            view().release(tokens[-1])
        with view().held(BOB) as lease:
            tokens.append(lease.token)
        assert tokens == [1, 2, 3, 4]
        assert view().standing() is None

    def test_what_nobody_renews_runs_out(self, view: View, clock: HostClock) -> None:
        view().acquire(ADA)
        clock.let_pass(59.0)
        with pytest.raises(Busy):
            view().acquire(BOB)
        clock.let_pass(1.0)
        assert view().standing() is None
        assert view().acquire(BOB).token == 2

    def test_who_acts_by_it_renews_it(self, view: View, clock: HostClock) -> None:
        token = view().acquire(ADA).token
        for _ in range(5):
            clock.let_pass(50.0)
            with view().presented(token):
                pass
        assert getattr(view().standing(), "by", "") == "ada@laptop"

    def test_who_was_away_too_long_does_nothing_by_an_old_token(self, view: View, clock: HostClock) -> None:
        token = view().acquire(ADA).token
        clock.let_pass(60.0)
        with pytest.raises(Busy, match="was lost: nobody has a newer one"), view().presented(token):
            pytest.fail("it acts")
        view().acquire(BOB)
        with pytest.raises(Busy, match="was lost: bob@desk has a newer one"), view().presented(token):
            pytest.fail("it acts")
        assert view().release(token) is None
        assert getattr(view().standing(), "by", "") == "bob@desk"

    def test_what_was_given_back_is_free_and_holds_no_more(self, view: View) -> None:
        token = view().acquire(ADA).token
        view().release(token)
        with pytest.raises(Busy, match="was lost"), view().presented(token):
            pytest.fail("it acts")
        assert view().acquire(BOB).token == token + 1

    def test_whoever_has_it_can_be_told_to_go(self, view: View) -> None:
        token = view().acquire(ADA).token
        taken = view().release(0, why="was taken away by bob@desk: ada is on a train")
        assert taken is not None
        assert taken.by == "ada@laptop"
        with pytest.raises(Busy) as refused, view().presented(token):
            pytest.fail("it acts")
        assert "was taken away by bob@desk: ada is on a train" in refused.value.diagnostics[0].why
        assert view().release(0) is None

    def test_what_is_kept_stands_when_its_call_has_ended_and_the_next_call_goes_on_by_it(self, view: View, clock: HostClock) -> None:
        with view().held(replace(ADA, kept=True)) as lease:
            clock.let_pass(50.0)
        clock.let_pass(50.0)
        with pytest.raises(Busy, match="ada@laptop"):
            view().acquire(BOB)
        with view().held(replace(ADA, token=lease.token)) as same:
            assert same.token == lease.token
        assert view().standing() is None
        assert view().acquire(BOB).token == lease.token + 1

    def test_what_was_to_be_kept_ends_with_a_call_that_fails(self, view: View) -> None:
        with pytest.raises(ValueError, match="it fails"), view().held(replace(ADA, kept=True)):
            raise ValueError("it fails")
        assert view().standing() is None

    def test_a_call_that_fails_leaves_what_was_there_before_it(self, view: View) -> None:
        token = view().acquire(ADA).token
        with pytest.raises(ValueError, match="it fails"), view().held(replace(ADA, token=token)):
            raise ValueError("it fails")
        assert getattr(view().standing(), "token", 0) == token

    def test_the_same_run_goes_on_by_a_lease_that_ran_out_while_its_host_went_down_and_no_other_does(
        self, view: View, clock: HostClock
    ) -> None:
        token = view().acquire(ADA).token
        clock.reboot(away=600.0)
        with pytest.raises(Busy, match="was lost"), view().held(replace(ADA, operation="r9", token=token)):
            pytest.fail("it acts")
        with view().held(replace(ADA, token=token, kept=True)):
            pass
        view().release(0)
        view().acquire(BOB)
        with pytest.raises(Busy, match="was lost: bob@desk has a newer one"), view().held(replace(ADA, token=token)):
            pytest.fail("it acts")

    def test_a_host_that_takes_a_run_back_by_itself_waits_for_nobody_who_holds_it(self, view: View) -> None:
        token = view().acquire(ADA).token
        with pytest.raises(Busy), view().held(Wish("the timer", "undo", "r9", over=True)):
            pytest.fail("it acts")
        with view().held(Wish("the timer", "undo", ADA.operation, over=True)) as lease:
            assert lease.token == token + 1
        with pytest.raises(Busy, match="was lost"), view().presented(token):
            pytest.fail("it acts")

    def test_another_process_of_its_holder_has_it_from_then_on(self, view: View, clock: HostClock) -> None:
        here = Tenant.this()
        clock.boot = here.boot
        token = view().acquire(ADA).token
        gone = Tenant(here.pid, here.start - 1, here.boot, here.space)
        with view().held(replace(ADA, token=token, kept=True, process=gone)):
            pass
        assert view().standing() is None
        with view().held(replace(ADA, token=token, kept=True, process=here)):
            pass
        assert getattr(view().standing(), "process", None) == here

    @pytest.mark.parametrize("jump", [-86_400.0, 86_400.0], ids=["back", "forth"])
    def test_a_clock_that_is_set_neither_ends_it_nor_keeps_it(self, view: View, clock: HostClock, jump: float) -> None:
        view().acquire(ADA)
        clock.now += jump
        with pytest.raises(Busy):
            view().acquire(BOB)
        clock.let_pass(60.0)
        assert view().acquire(BOB).token == 2

    def test_after_a_boot_it_lasts_no_longer_than_it_would_have(self, view: View, clock: HostClock) -> None:
        token = view().acquire(ADA).token
        clock.reboot(away=20.0)
        with view().presented(token):
            pass
        clock.reboot(away=-86_400.0)
        with pytest.raises(Busy):
            view().acquire(BOB)
        clock.let_pass(60.0)
        assert view().acquire(BOB).token == 2

    def test_a_holder_of_this_very_kernel_that_ended_has_it_no_more(self, view: View, clock: HostClock) -> None:
        here = Tenant.this()
        clock.boot = here.boot
        view().acquire(Wish("ada@laptop", "apply", process=here))
        with pytest.raises(Busy):
            view().acquire(BOB)
        view().release(0)
        view().acquire(Wish("ada@laptop", "apply", process=Tenant(here.pid, here.start - 1, here.boot, here.space)))
        assert view().standing() is None
        assert view().acquire(BOB).token == 3

    def test_a_holder_somewhere_else_is_never_taken_for_dead(self, view: View, clock: HostClock) -> None:
        here = Tenant.this()
        clock.boot = here.boot
        elsewhere = Tenant(here.pid, here.start - 1, "another boot", here.space)
        contained = Tenant(here.pid, here.start - 1, here.boot, "another space")
        for process in (elsewhere, contained):
            view().acquire(Wish("ada@laptop", "apply", process=process))
            with pytest.raises(Busy):
                view().acquire(BOB)
            view().release(0)
