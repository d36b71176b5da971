"""Users and groups: what is refused, what a plan says of them, and how a run of them is taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.order import order
from vitrify.core.resource import Address, OnLeave, Resource
from vitrify.resources.registry import all_kinds
from vitrify.resources.user import User
from vitrify.testing.engine import Engine, errors, objects, outcomes, quick_folder, wish
from vitrify.testing.memory_system import MemorySystem, Node

HASH = "$6$salt$0123456789abcdefghijABCDEFGHIJ"
PEOPLE = "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/sh\n"
GROUP = "root:x:0:\nadm:x:4:\nada:x:1000:\n"
SHADOW = f"root:*:19000::::::\nada:{HASH}:19000:1:90:7:::\n"


@pytest.fixture
def engine() -> Iterator[Engine]:
    with quick_folder() as folder:
        (folder / "etc/skel").mkdir(parents=True)
        (folder / "etc/passwd").write_text(PEOPLE)
        (folder / "etc/group").write_text(GROUP)
        (folder / "etc/shadow").write_text(SHADOW)
        (folder / "etc/gshadow").write_text("root:*::\nada:!::\n")
        (folder / "etc/skel/.profile").write_text("umask 022\n")
        yield Engine(folder)


def changes(engine: Engine, *wishes: Resource) -> list[dict[str, JSON]]:
    return [dict(change) for change in objects(engine.plan(*wishes), "changes")]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "0day"}, "is not the name of a user"),
        ({"name": "ada@home"}, "is not the name of a user"),
        ({"name": "ada", "uid": 2**32 - 1}, "is not a uid"),
        ({"name": "ada", "comment": "a:b"}, "cannot hold a colon"),
        ({"name": "ada", "expires": "31.12.2030"}, "is not a date"),
        ({"name": "ada", "expires": "2030-02-30"}, "is not a date"),
        ({"name": "ada", "append": True}, "has no meaning without `groups`"),
        ({"name": "ada", "password": "hunter2"}, "never in clear"),
    ],
)
def test_what_is_no_user_is_refused(fields: dict[str, JSON], said: str) -> None:
    (problem,) = User.schema.problems(fields)

    assert said in problem.summary


@pytest.mark.parametrize("password", [HASH, "$y$j9T$salt$hash", "$2b$12$abcdefghijklmnopqrstuv", "secret:login"])
def test_a_hash_of_any_method_is_a_password(password: str) -> None:
    assert User.schema.problems({"name": "ada", "password": password}) == []


def test_a_file_comes_after_its_owner_and_its_group_and_rests_on_them(engine: Engine) -> None:
    file = engine.file("/etc/conf", "x", owner="web", group="ops")
    wishes = order([file, wish("user", name="web", groups=["ops"]), wish("group", name="ops")], kinds=all_kinds()).resources

    planned = changes(engine, *wishes)
    answer = engine.apply(*wishes)

    assert [str(one.address) for one in wishes] == ["group:ops", "user:web", "file:/etc/conf"]
    assert [change["sureness"] for change in planned] == ["certain", "assumed", "assumed"]
    assert "user:web and group:ops own it, made before" in str(planned[2]["because"])
    assert outcomes(answer) == ["done"] * 3
    assert changes(engine, *wishes) == []


def test_ten_thousand_files_of_one_owner_are_ordered_by_looking_up_only_that_owner() -> None:
    class Counting(dict[Address, Resource]):
        asked = 0

        def __contains__(self, key: object) -> bool:
            self.asked += 1
            return super().__contains__(key)

        def __iter__(self) -> Iterator[Address]:
            raise AssertionError("all of them are walked through")

    files = [wish("file", path=f"/srv/{number}", owner="web", group="web") for number in range(100)]
    others = Counting({one.address: one for one in [*files, wish("user", name="web")]})

    found = [all_kinds()["file"].implied(one, others) for one in files]

    assert set(found) == {(Address("user", "web"), Address("user", "web"))}
    assert others.asked <= 100 * 10


def test_a_home_that_is_declared_a_folder_of_its_user_makes_no_circle(engine: Engine) -> None:
    user = wish("user", name="web", home="/srv/web/home", system=True)
    folder = wish("directory", path="/srv/web", owner="web", group="web")

    ordered = order([folder, wish("directory", path="/srv"), user], kinds=all_kinds()).resources

    assert [str(one.address) for one in ordered] == ["directory:/srv", "user:web", "directory:/srv/web"]
    assert outcomes(engine.apply(*ordered)) == ["done"] * 3


def test_a_group_with_members_and_a_user_with_groups_wait_for_each_other_in_no_circle() -> None:
    wishes = [wish("group", name="ops", members=["ada", "bob"]), wish("user", name="ada", groups=["ops"]), wish("user", name="bob")]

    ordered = order(wishes, kinds=all_kinds()).resources

    assert [str(one.address) for one in ordered] == ["user:bob", "group:ops", "user:ada"]


def test_a_group_that_nobody_made_fails_and_was_foretold(engine: Engine) -> None:
    user = wish("user", name="ada", groups=["docker"])

    (planned,) = changes(engine, user)
    answer = engine.apply(user)

    assert "there is no group docker: this will fail unless there is one by then" in str(planned["because"])
    assert "there is no group 'docker'" in errors(answer)
    assert "declare it before: `group: docker`" in errors(answer)


def test_an_undo_takes_a_new_user_back_with_the_home_that_nobody_used(engine: Engine) -> None:
    before = {path: path.read_text() for path in (engine.root / "etc").iterdir() if path.is_file()}
    engine.apply(wish("group", name="ops"), wish("user", name="bob", groups=["ops"]))
    assert (engine.root / "home/bob/.profile").exists()

    engine.call("undo", run="")

    assert {path: path.read_text() for path in before} == before
    assert not (engine.root / "home/bob").exists()


def test_an_undo_leaves_a_home_that_somebody_used(engine: Engine) -> None:
    engine.apply(wish("user", name="bob"))
    (engine.root / "home/bob/letter").write_text("dear")

    engine.call("undo", run="")

    assert "bob" not in (engine.root / "etc/passwd").read_text()
    assert (engine.root / "home/bob/letter").read_text() == "dear"


def test_an_undo_of_a_removal_gives_back_number_groups_and_password(engine: Engine) -> None:
    (engine.root / "etc/group").write_text(GROUP.replace("adm:x:4:", "adm:x:4:ada"))
    engine.apply(wish("user", name="ada", absent=True))
    assert "ada" not in (engine.root / "etc/passwd").read_text() + (engine.root / "etc/group").read_text()

    engine.call("undo", run="")

    assert (engine.root / "etc/passwd").read_text() == PEOPLE
    assert (engine.root / "etc/shadow").read_text() == SHADOW.replace("19000:1:90", ":1:90")
    assert sorted((engine.root / "etc/group").read_text().splitlines()) == ["ada:x:1000:", "adm:x:4:ada", "root:x:0:"]


def test_an_undo_gives_back_a_password_that_nobody_else_can_read(engine: Engine) -> None:
    new = "$6$other$0123456789"
    engine.apply(wish("user", name="ada", password=engine.text(new), locked=True))
    assert f"ada:!{new}:" in (engine.root / "etc/shadow").read_text()

    engine.call("undo", run="")

    assert f"ada:{HASH}:" in (engine.root / "etc/shadow").read_text()
    kept = list((engine.root / "var/lib/vitrify/kept").iterdir())
    assert {path.read_text() for path in kept} == {HASH, new}
    assert {path.stat().st_mode & 0o777 for path in (*kept, kept[0].parent)} == {0o600, 0o700}


def test_no_plan_and_no_journal_holds_a_hash(engine: Engine) -> None:
    new = "$6$other$0123456789"
    user = wish("user", name="ada", password=engine.text(new))

    planned = json.dumps(engine.plan(user))
    engine.apply(user)
    journals = [path.read_text() for path in (engine.root / "var/lib/vitrify/runs").rglob("*") if path.is_file()]

    assert journals
    assert not [text for text in (planned, *journals) if "$6$" in text]


def test_a_password_that_turns_out_to_be_none_is_refused(engine: Engine) -> None:
    answer = engine.apply(wish("user", name="ada", password=engine.text("hunter2")))

    assert "the password is not a hash" in errors(answer)
    assert (engine.root / "etc/shadow").read_text() == SHADOW


def test_a_user_that_left_the_declaration_goes_and_takes_a_purged_home_along(engine: Engine) -> None:
    purged = Resource(Address("user", "eve"), {"name": "eve"}, on_leave=OnLeave.PURGE)
    engine.apply(wish("user", name="bob"), purged)
    for name in ("bob", "eve"):
        (engine.root / f"home/{name}/deep").mkdir()
        (engine.root / f"home/{name}/deep/letter").write_text("dear")

    engine.apply(run="r2")

    assert (engine.root / "etc/passwd").read_text() == PEOPLE
    assert (engine.root / "home/bob/deep/letter").exists()
    assert not (engine.root / "home/eve").exists()


def test_a_purge_spares_a_home_that_is_somebody_elses(engine: Engine) -> None:
    (engine.root / "srv/data").mkdir(parents=True)
    engine.apply(Resource(Address("user", "eve"), {"name": "eve", "home": "/srv/data"}, on_leave=OnLeave.PURGE))

    engine.apply(run="r2")

    assert (engine.root / "srv/data").is_dir()


def test_all_users_of_a_plan_are_told_from_one_look() -> None:
    class Counting(MemorySystem):
        looks = 0

        def read(self, path: str) -> bytes:
            self.looks += path == "/etc/passwd"
            return super().read(path)

    system = Counting()
    system.put("/etc/passwd", Node("file", content=PEOPLE.encode()))

    found = User().observe_all([wish("user", name=f"u{number}") for number in range(50)], system)

    assert {str(seen.properties["type"]) for seen in found} == {"missing"}
    assert system.looks == 1


def test_a_look_by_somebody_who_may_not_read_the_shadow_still_tells_the_rest() -> None:
    class Shut(MemorySystem):
        def read(self, path: str) -> bytes:
            if path.endswith("shadow"):
                self.fail_at(path, "permission denied")
                self.write(path, b"", attributes=None)  # type: ignore[arg-type]
            return super().read(path)

    system = Shut()
    system.put("/etc/passwd", Node("file", content=PEOPLE.encode()))
    system.put("/etc/shadow", Node("file", mode="0640"))

    seen = User().observe(wish("user", name="ada", uid=1000), system)

    assert (seen.properties["uid"], seen.properties.get("locked")) == (1000, None)


def test_a_group_that_somebody_has_for_a_primary_one_is_not_planned_to_go(engine: Engine) -> None:
    with pytest.raises(TargetFailed, match="group:ada cannot be as wished") as refused:
        changes(engine, wish("group", name="ada", absent=True))

    assert "it is the primary group of ada" in str(refused.value)


@pytest.mark.parametrize("user", [wish("user", name="ada", group="adm"), wish("user", name="ada", absent=True)])
def test_a_group_goes_after_whoever_had_it_went_or_goes_to_another(engine: Engine, user: Resource) -> None:
    wishes = order([wish("group", name="ada", absent=True), user], kinds=all_kinds()).resources

    answer = engine.apply(*wishes)

    assert [one.address.kind for one in wishes] == ["user", "group"]
    assert outcomes(answer)[0] == "done"
    assert "ada" not in (engine.root / "etc/group").read_text()
    assert changes(engine, *wishes) == []


def test_a_group_that_went_comes_back_to_its_very_line(engine: Engine) -> None:
    before = GROUP.replace("adm:x:4:\n", "adm:x:4:root,ada\n")
    (engine.root / "etc/group").write_text(before)
    engine.apply(wish("group", name="adm", absent=True), run="r1")
    assert "adm" not in (engine.root / "etc/group").read_text()

    engine.call("undo", run="r1", force=False, by="ada")

    assert (engine.root / "etc/group").read_text() == before


def test_a_group_whose_neighbour_went_since_comes_back_at_the_end(engine: Engine) -> None:
    (engine.root / "etc/group").write_text("root:x:0:\nadm:x:4:\nlp:x:7:\nada:x:1000:\n")
    engine.apply(wish("group", name="lp", absent=True), run="r1")
    engine.apply(wish("group", name="lp", absent=True), wish("group", name="adm", absent=True), run="r2")

    engine.call("undo", run="r1", force=True, by="ada")

    assert (engine.root / "etc/group").read_text() == "root:x:0:\nada:x:1000:\nlp:x:7:\n"
