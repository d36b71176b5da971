"""What follows from figures: what to flip next, and what else."""

from __future__ import annotations

from dataclasses import replace

from made_ledgers import DAY

from vitrify.core.assess.advice import advice
from vitrify.core.assess.figure import Figure, Known, Unknown
from vitrify.core.assess.measured import Measured
from vitrify.core.declaration import Lifecycle

CLEAN: Figure = Known(0.0, 0)
DB = Measured("db", Lifecycle.MUTABLE, CLEAN, CLEAN, Known(DAY), Known(1.0), Known(1.0), CLEAN, Known(9.0), CLEAN)
WEB = replace(DB, server="web", lifecycle=Lifecycle.IMMUTABLE)


def test_where_all_is_well_nothing_follows() -> None:
    assert advice([DB, WEB]) == ()


def test_what_drifts_most_is_flipped_first_unless_something_is_in_the_way() -> None:
    some, more = replace(DB, unauthorised=Known(1.0)), replace(DB, server="pet", unauthorised=Known(7.0))

    assert [one.server for one in advice([some, more])] == ["pet", "db"]
    blocked = replace(more, obstacles=("cannot act while an image is baked: swap:/swap",))
    assert [one.server for one in advice([some, blocked])] == ["db", "pet"]
    assert advice([blocked])[0].obstacles == blocked.obstacles


def test_each_reason_for_a_flip_is_told() -> None:
    (found,) = advice([replace(DB, unauthorised=Known(2.0), security=1, opaque=Known(0.5))])

    assert found.because == (
        "2 unauthorised changes, which no instance would keep",
        "1 package behind for security, which a release would bring in one step",
        "50% of what was changed is commands: in an image they run once, and never on a host that serves",
    )


def test_a_host_that_nobody_patched_for_a_month_speaks_for_a_flip_and_an_image_for_an_update() -> None:
    host, image = advice([replace(DB, patched=Known(40 * DAY)), replace(WEB, patched=Known(40 * DAY))])

    assert (host.what, host.because) == ("flip", ("not patched for 40 days",))
    assert (image.what, image.command) == ("patch", "vitrify update web")


def test_patches_of_an_image_are_brought_by_an_update() -> None:
    (found,) = advice([replace(WEB, security=3)])

    assert (found.what, found.because, found.command) == ("patch", ("3 behind for security",), "vitrify update web")


def test_a_way_back_that_nobody_took_is_to_be_rehearsed_and_what_nobody_looks_at_to_be_watched() -> None:
    found = advice([replace(WEB, back=Unknown("nothing was rolled back"), drift=Unknown("nobody looked"))])

    assert [(one.what, one.command) for one in found] == [("rehearse", "vitrify rollback web"), ("watch", "vitrify serve")]
    assert advice([replace(WEB, back=Unknown("-"), change=Unknown("-"))]) == ()  # without a change there is nothing to go back from


def test_a_bake_that_is_mostly_commands_is_told() -> None:
    (found,) = advice([replace(WEB, opaque=Known(0.4))])

    assert found.because == ("40% of what its releases changed is commands, whose effect no plan can tell",)
