"""Authorized keys: what is refused, and what a run of them leaves and takes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vitrify.core.digest import JSON
from vitrify.core.order import order
from vitrify.core.resource import Address, Resource
from vitrify.resources.authorized_key import AuthorizedKey
from vitrify.resources.registry import all_kinds
from vitrify.testing.engine import Engine, errors, objects, outcomes, quick_folder, wish

KIND = AuthorizedKey()
ADA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBgZzkEnUzIC6w1BDrmcE1IAM6xLKswyVWzFTS8kbcxL ada@laptop"
BOB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINPI0DMj487m1h5Ak3Yj1s6gejt3Nyp01s6F9NL0Ccat bob@desk"


def key(user: str, text: str, **fields: JSON) -> Resource:
    values: dict[str, JSON] = {"user": user, "key": text, **fields}
    return Resource(Address("authorized_key", KIND.identity(values)), values)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with quick_folder() as folder:
        (folder / "etc").mkdir()
        (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (folder / "etc/group").write_text("root:x:0:\n")
        (folder / "root").mkdir()
        yield Engine(folder)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"key": "hello"}, "is not a public key"),
        ({"key": f"no-pty {ADA}"}, "are its options"),
        ({"key": ADA, "options": ["no-pty no-x11"]}, "is not an option"),
        ({"key": ADA, "options": ['from="a"\nssh-rsa']}, "is not an option"),
        ({"key": f"{ADA}\n{BOB}", "comment": "x"}, "beside one key"),
        ({"key": ADA, "comment": "x\nssh-rsa"}, "one line"),
    ],
)
def test_what_would_be_more_than_a_key_is_refused(fields: dict[str, JSON], said: str) -> None:
    problems = KIND.schema.problems({"user": "ada", **fields})

    assert [problem for problem in problems if said in problem.summary]


def test_one_key_is_named_by_its_fingerprint_and_several_by_their_user() -> None:
    assert KIND.identity({"user": "ada", "key": ADA}) == "ada#SHA256:UTIbOdOoziTYagQ3YkrIccCCT/cHQzHGvGiCcSNOCk8"
    assert KIND.identity({"user": "ada", "key": f"{ADA}\n{BOB}"}) == "ada"


def test_the_key_of_a_user_of_the_same_plan_is_written_and_both_are_taken_back(engine: Engine) -> None:
    before = (engine.root / "etc/passwd").read_text()
    wishes = order([key("ada", ADA), wish("user", name="ada")], kinds=all_kinds()).resources
    (made, change) = objects(engine.plan(*wishes), "changes")

    answer = engine.apply(*wishes)
    written = (engine.root / "home/ada/.ssh/authorized_keys").read_text()
    engine.call("undo", run="")

    assert made["sureness"] == "certain"
    assert (change["sureness"], "user:ada is made before" in str(change["because"])) == ("assumed", True)
    assert outcomes(answer) == ["done", "done"]
    assert written == f"{ADA}\n"
    assert (engine.root / "etc/passwd").read_text() == before
    assert not (engine.root / "home/ada").exists()


def test_an_undo_gives_the_file_back_byte_for_byte(engine: Engine) -> None:
    file = engine.root / "root/.ssh/authorized_keys"
    file.parent.mkdir(mode=0o755)
    file.write_text(f"# by hand\n{BOB}")
    engine.apply(key("root", ADA, exclusive=True))
    assert file.read_text() == f"{ADA}\n"

    engine.call("undo", run="")

    assert file.read_text() == f"# by hand\n{BOB}"
    assert file.parent.stat().st_mode & 0o777 == 0o755


def test_a_link_in_place_of_the_file_is_left_alone_with_what_it_leads_to(engine: Engine) -> None:
    (engine.root / "root/.ssh").mkdir()
    (engine.root / "etc/target").write_text("mine\n")
    (engine.root / "root/.ssh/authorized_keys").symlink_to("/etc/target")

    answer = engine.apply(key("root", ADA))

    assert "/root/.ssh/authorized_keys is not used" in errors(answer)
    assert (engine.root / "etc/target").read_text() == "mine\n"


def test_a_key_that_left_the_declaration_goes_alone(engine: Engine) -> None:
    engine.apply(key("root", ADA), key("root", BOB))

    engine.apply(key("root", BOB), run="r2")

    assert (engine.root / "root/.ssh/authorized_keys").read_text() == f"{BOB}\n"


def test_one_key_that_becomes_several_and_several_that_become_one_never_go_missing(engine: Engine) -> None:
    file = engine.root / "root/.ssh/authorized_keys"
    engine.apply(key("root", ADA))

    engine.apply(key("root", f"{ADA}\n{BOB}"), run="r2")
    assert file.read_text() == f"{ADA}\n{BOB}\n"
    assert list(engine.owned()) == ["authorized_key:root"]

    plan = engine.plan(key("root", BOB), run="r3")
    (gone,) = objects(plan, "changes")
    assert (gone["action"], gone["because"]) == ("remove", ["left the declaration", "1 of its keys stay: another resource names them"])
    engine.call("enact", **plan)
    assert file.read_text() == f"{BOB}\n"
    assert engine.plan(key("root", BOB))["changes"] == []
    assert engine.owned() == {f"authorized_key:{KIND.identity({'user': 'root', 'key': BOB})}": True}, "made by us, whatever it was called"

    engine.call("undo", run="r3", force=False, by="ada")
    assert file.read_text() == f"{ADA}\n{BOB}\n"


def test_a_key_that_two_resources_name_stays_with_the_one_that_is_left(engine: Engine) -> None:
    engine.apply(key("root", ADA), key("root", f"{ADA}\n{BOB}"))

    engine.apply(key("root", ADA), run="r2")

    assert (engine.root / "root/.ssh/authorized_keys").read_text() == f"{ADA}\n"
