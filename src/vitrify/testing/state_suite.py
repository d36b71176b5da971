"""What every StateStore promises, as tests. An adapter is done when a subclass of this suite passes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Busy, VitrifyError
from vitrify.ports import Operation, Release, Slots, StateStore

Open = Callable[[], StateStore]
"""Opens the same memory again, as another process would."""


def a_release(server: str = "web", number: int = 0, image: str = "sha256:aa") -> Release:
    """A release that asks for the next number, unless given one."""
    return Release(
        server=server,
        number=number,
        image=image,
        settings={"replicas": 2, "argv": ["/bin/web", "ü"]},
        resources={"file:/etc/motd": "sha256:bb"},
        created_at=1700000000.25,
        state="prepared",
    )


HERE, NORTH, SOUTH = Host("local"), Host("ssh://ada@north:2222", address="north", user="ada", port=2222), Host("root:south", "/south")


def an_operation(identity: str = "op-1", server: str = "web", kind: str = "release", host: Host = HERE) -> Operation:
    """An operation that has not done anything yet."""
    return Operation(id=identity, server=server, host=host, kind=kind, release=0, step="", data={})


class StateStoreSuite:
    """Subclass it, and give it a fixture `reopen` of type `Open`."""

    def test_a_new_store_knows_nothing(self, reopen: Open) -> None:
        store = reopen()
        assert (store.releases("web"), store.release("web", 1), store.servers()) == ((), None, ())
        assert (store.slots("web", "local"), store.open_operation("web", "local")) == (Slots(), None)
        assert (store.open_operations("web"), store.hosts("web")) == ((), ())

    def test_a_managed_place_is_known_until_it_is_forgotten(self, reopen: Open) -> None:
        store = reopen()
        for place in (("web", "local"), ("db", "ssh://b"), ("db", "ssh://a"), ("web", "local")):
            store.manage(*place)
        assert reopen().managed() == (("db", "ssh://a"), ("db", "ssh://b"), ("web", "local"))
        store.forget("db", "ssh://b")
        store.forget("db", "ssh://b")
        assert reopen().managed() == (("db", "ssh://a"), ("web", "local"))

    def test_the_newest_copy_of_a_baseline_is_kept(self, reopen: Open) -> None:
        store = reopen()
        assert (store.baselines("local"), store.baseline("sha256:aa")) == ({}, None)
        store.keep_baseline("local", "/srv", seal="sha256:aa", content=b"old")
        store.keep_baseline("local", "/srv", seal="sha256:bb", content=bytes(1000))
        store.keep_baseline("local", "/opt", seal="sha256:cc", content=b"")
        store.keep_baseline("other", "/srv", seal="sha256:dd", content=b"theirs")
        seen = reopen()
        assert seen.baselines("local") == {"/opt": "sha256:cc", "/srv": "sha256:bb"}
        assert [seen.baseline(f"sha256:{seal}") for seal in ("aa", "bb", "cc", "dd")] == [None, bytes(1000), b"", b"theirs"]

    def test_copies_go_with_the_last_server_of_their_host(self, reopen: Open) -> None:
        store = reopen()
        store.manage("web", "local")
        store.manage("db", "local")
        store.keep_baseline("local", "/srv", seal="sha256:aa", content=b"")
        store.keep_baseline("other", "/srv", seal="sha256:bb", content=b"")
        store.forget("web", "local")
        assert reopen().baselines("local") == {"/srv": "sha256:aa"}
        store.forget("db", "local")
        assert (reopen().baselines("local"), reopen().baselines("other")) == ({}, {"/srv": "sha256:bb"})

    def test_a_turn_comes_once(self, reopen: Open) -> None:
        turns = [reopen().turn(name) for name in ("web", "web", "db", "web", "db")]
        assert turns == [1, 2, 1, 3, 2]

    def test_a_release_comes_back_as_it_was_given_with_its_number(self, reopen: Open) -> None:
        kept, opened = reopen().begin(a_release(), an_operation())
        assert kept == a_release(number=1)
        assert opened.release == 1
        assert reopen().release("web", 1) == kept
        assert reopen().open_operation("web", "local") == opened

    def test_notes_of_a_release_stay_whatever_becomes_of_it(self, reopen: Open) -> None:
        store = reopen()
        store.begin(a_release(), an_operation())
        store.begin(a_release("db"), an_operation("op-2", "db"))
        for note in ("expanded", "contracted", "expanded"):
            store.note("web", 1, note)
        store.finish("op-1", slots=Slots(live=1), states={1: "live"})
        known = reopen()
        assert [release.notes for release in (*known.releases("web"), *known.releases("db"))] == [{"expanded", "contracted"}, frozenset()]
        found = known.release("web", 1)
        assert found is not None
        assert found.notes == {"expanded", "contracted"}
        with pytest.raises(VitrifyError):
            store.note("web", 2, "expanded")

    def test_numbers_count_up_from_one_for_each_server(self, reopen: Open) -> None:
        store = reopen()
        for number in (1, 2, 3):
            assert store.begin(a_release(), an_operation(f"web-{number}"))[0].number == number
            store.finish(f"web-{number}", slots=None, states={})
        assert store.begin(a_release("db"), an_operation("db-1", "db"))[0].number == 1
        assert [release.number for release in store.releases("web")] == [3, 2, 1]
        assert store.servers() == ("db", "web")

    def test_a_server_has_one_open_operation_at_most_on_a_host(self, reopen: Open) -> None:
        store = reopen()
        store.begin(a_release(), an_operation("first"))
        with pytest.raises(Busy):
            reopen().begin(a_release(), an_operation("second"))
        assert len(store.releases("web")) == 1
        assert store.begin(a_release("db"), an_operation("third", "db"))[0].number == 1

    def test_beginning_the_same_operation_again_adds_nothing(self, reopen: Open) -> None:
        first = reopen().begin(a_release(), an_operation())
        assert reopen().begin(a_release(), an_operation()) == first
        assert len(reopen().releases("web")) == 1

    def test_an_operation_on_a_release_that_exists_leaves_it_as_it_is(self, reopen: Open) -> None:
        store = reopen()
        kept, _ = store.begin(a_release(), an_operation("first"))
        store.finish("first", slots=Slots(live=1), states={1: "live"})
        again, opened = store.begin(a_release(number=1, image="sha256:cc"), an_operation("back", kind="rollback"))
        assert (again.image, again.state, opened.release, opened.kind) == (kept.image, "live", 1, "rollback")

    def test_an_operation_on_a_release_that_does_not_exist_is_refused(self, reopen: Open) -> None:
        store = reopen()
        with pytest.raises(VitrifyError):
            store.begin(a_release(number=7), an_operation())
        assert (store.releases("web"), store.open_operation("web", "local")) == ((), None)

    def test_a_release_that_is_refused_leaves_neither_itself_nor_its_operation(self, reopen: Open) -> None:
        store = reopen()
        store.begin(a_release("db"), an_operation("taken", "db"))
        with pytest.raises(VitrifyError):
            store.begin(a_release(), an_operation("taken"))
        assert (store.releases("web"), store.open_operation("web", "local")) == ((), None)
        assert store.begin(a_release(), an_operation("free"))[0].number == 1

    def test_advancing_replaces_step_and_data_for_all_who_look(self, reopen: Open) -> None:
        store = reopen()
        store.begin(a_release(), an_operation())
        store.advance("op-1", step="bake", data={"image": "sha256:aa"})
        advanced = store.advance("op-1", step="launch", data={"instances": ["web-1"], "none": None})
        assert (advanced.step, advanced.data) == ("launch", {"instances": ["web-1"], "none": None})
        assert reopen().open_operation("web", "local") == advanced

    def test_finishing_moves_slots_and_states_and_closes(self, reopen: Open) -> None:
        store = reopen()
        store.begin(a_release(), an_operation("first"))
        store.finish("first", slots=Slots(live=1), states={1: "live"})
        store.begin(a_release(), an_operation("second"))
        store.finish("second", slots=Slots(live=2, previous=1), states={1: "warm", 2: "live"})
        seen = reopen()
        assert seen.slots("web", "local") == Slots(live=2, previous=1)
        assert [release.state for release in seen.releases("web")] == ["live", "warm"]
        assert seen.open_operation("web", "local") is None

    def test_finishing_without_slots_leaves_them(self, reopen: Open) -> None:
        store = reopen()
        store.begin(a_release(), an_operation("first"))
        store.finish("first", slots=Slots(live=1), states={1: "live"})
        store.begin(a_release(), an_operation("second"))
        store.finish("second", slots=None, states={2: "aborted"})
        assert store.slots("web", "local") == Slots(live=1)

    @pytest.mark.parametrize(
        ("slots", "states"),
        [(Slots(live=9), {1: "live"}), (Slots(live=1), {9: "live"}), (Slots(live=1), {1: "glorious"})],
        ids=["unknown slot", "unknown release", "unknown state"],
    )
    def test_a_finish_that_is_refused_changes_nothing(self, reopen: Open, slots: Slots, states: dict[int, str]) -> None:
        store = reopen()
        store.begin(a_release(), an_operation())
        with pytest.raises(VitrifyError):
            store.finish("op-1", slots=slots, states=states)
        assert store.slots("web", "local") == Slots()
        assert [release.state for release in store.releases("web")] == ["prepared"]
        assert store.open_operation("web", "local") is not None

    def test_one_release_is_on_several_hosts_each_with_its_own_operation_slots_and_state(self, reopen: Open) -> None:
        store = reopen()
        kept, there = store.begin(a_release(), an_operation("north", host=NORTH))
        also, here = store.begin(kept, an_operation("south", host=SOUTH))
        assert (kept, also) == (a_release(number=1), a_release(number=1))
        assert (there.host, here.host) == (NORTH, SOUTH)
        store.finish("north", slots=Slots(live=1), states={1: "live"})

        seen = reopen()
        assert (seen.slots("web", NORTH.name), seen.slots("web", SOUTH.name)) == (Slots(live=1), Slots())
        assert seen.open_operation("web", NORTH.name) is None
        assert seen.open_operations("web") == (here,)
        assert [release.state for release in seen.releases("web", host=NORTH.name)] == ["live"]
        assert [release.state for release in seen.releases("web", host=SOUTH.name)] == ["prepared"]

    def test_of_several_hosts_the_foremost_state_is_said_of_a_release(self, reopen: Open) -> None:
        store = reopen()
        kept, _ = store.begin(a_release(), an_operation("north", host=NORTH))
        store.begin(kept, an_operation("south", host=SOUTH))
        found = []
        for operation, state in (("north", "aborted"), ("south", "live")):
            store.finish(operation, slots=None, states={1: state})
            found += [release.state for release in store.releases("web")]
        assert found == ["prepared", "live"]
        assert [store.release("web", 1, host=host.name) for host in (NORTH, SOUTH)] == [
            replace(kept, state="aborted"),
            replace(kept, state="live"),
        ]

    def test_a_release_was_never_on_a_host_that_it_was_not_begun_on(self, reopen: Open) -> None:
        store = reopen()
        store.begin(a_release(), an_operation(host=NORTH))
        assert (store.release("web", 1, host=SOUTH.name), store.releases("web", host=SOUTH.name)) == (None, ())
        assert store.release("web", 1) == a_release(number=1)

    def test_a_host_is_remembered_as_it_was_declared_the_last_time(self, reopen: Open) -> None:
        store = reopen()
        store.begin(a_release(), an_operation("first", host=NORTH))
        store.begin(a_release(), an_operation("second", host=SOUTH))
        store.finish("first", slots=None, states={1: "live"})
        moved = replace(NORTH, address="north.example")
        store.begin(a_release(number=1), an_operation("third", kind="replace", host=moved))
        assert reopen().hosts("web") == (SOUTH, moved)
        assert reopen().hosts("db") == ()

    def test_what_is_closed_cannot_be_advanced_or_finished(self, reopen: Open) -> None:
        store = reopen()
        store.begin(a_release(), an_operation())
        store.finish("op-1", slots=None, states={})
        with pytest.raises(Busy):
            store.advance("op-1", step="switch", data={})
        with pytest.raises(Busy):
            store.finish("op-1", slots=None, states={})

    def test_numbers_have_no_gaps_however_many_ask_at_once(self, reopen: Open) -> None:
        store, refused = reopen(), []

        def contend(who: int) -> None:
            for turn in range(5):
                try:
                    store.begin(a_release(), an_operation(f"{who}-{turn}"))
                except Busy:
                    refused.append(who)
                else:
                    store.finish(f"{who}-{turn}", slots=None, states={})

        threads = [threading.Thread(target=contend, args=(who,)) for who in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        numbers = [release.number for release in store.releases("web")]
        assert numbers == list(range(30 - len(refused), 0, -1))
        assert store.open_operation("web", "local") is None
