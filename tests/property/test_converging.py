"""What holds for declarations of many kinds at once on a real tree: one apply is enough, an undo gives all back, order is no chance."""

from __future__ import annotations

import json
import os
import random
import stat
import subprocess
import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.amount import amount

from declarations import FIXTURES, Declared, declarations
from vitrify.core.difference import Change
from vitrify.core.digest import JSONObject, digest_of
from vitrify.core.resource import Resource
from vitrify.testing.engine import MEMORY, Engine, errors, objects, outcomes, quick_folder

EXAMPLES = settings(
    max_examples=amount("converging", daily=40), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
MANY_KINDS = 25


def tree(root: Path) -> dict[str, list[object]]:
    """Everything but the memory, times included where no memory was made above them."""
    found: dict[str, list[object]] = {}
    for path in sorted(root.rglob("*")):
        name, status = str(path.relative_to(root)), path.lstat()
        if name != MEMORY and not name.startswith(f"{MEMORY}/"):
            content = str(path.readlink()) if path.is_symlink() else path.read_bytes().hex() if stat.S_ISREG(status.st_mode) else ""
            time = 0 if MEMORY.startswith(name) else status.st_mtime_ns
            found[name] = [stat.filemode(status.st_mode), status.st_uid, status.st_gid, time, content]
    return found


def digest(root: Path) -> str:
    return digest_of(json.loads(json.dumps(tree(root))))


def engine(root: Path, declared: Declared) -> Engine:
    (root / "var/lib").mkdir(parents=True)
    declared.arrange(root)
    return Engine(root, contents=declared.contents)


def changed(started: Engine, *wishes: Resource) -> list[str]:
    return [
        str(change["resource"]["address"]) for change in objects(started.plan(*wishes), "changes") if isinstance(change["resource"], dict)
    ]


def seen(started: Engine, declared: Declared) -> list[JSONObject]:
    answer = started.call("observe", resources=[wish.to_json() for wish in declared.wishes])
    return objects(answer, "observations")


def _by_files(started: Engine, declared: Declared) -> bool:
    """Whether before-images take all of it back. An account, a link of a service is made anew: the same, but not of the same time."""
    changes = [Change.from_json(change) for change in objects(started.plan(*declared.wishes), "changes")]
    return all(started.kinds[change.resource.address.kind].inverse(change) is None for change in changes)


def test_the_declarations_are_of_many_kinds() -> None:
    assert len({fixture.kind for fixture in FIXTURES}) >= MANY_KINDS


@EXAMPLES
@given(declarations())
def test_one_apply_leaves_nothing_to_do_and_an_undo_gives_the_whole_tree_back(declared: Declared) -> None:
    with quick_folder() as root:
        started = engine(root, declared)
        before, digest_before, seen_before = tree(root), digest(root), seen(started, declared)
        expected = changed(started, *declared.wishes)
        by_files = _by_files(started, declared)

        answer = started.apply(*declared.wishes)

        assert outcomes(answer) == ["done"] * len(expected), errors(answer)
        assert changed(started, *declared.wishes) == []
        if not expected:
            return
        assert set(outcomes(started.call("undo", run="r1", force=False, by="ada"))) == {"done"}
        assert seen(started, declared) == seen_before
        if by_files:
            assert tree(root) == before
            assert digest(root) == digest_before


@EXAMPLES
@given(declarations(), st.randoms(use_true_random=False))
def test_wishes_that_do_not_meet_may_be_written_in_any_order(declared: Declared, chance: random.Random) -> None:
    turned = [*declared.fixtures]
    chance.shuffle(turned)
    with quick_folder() as one, quick_folder() as other:
        first, second = engine(one, declared), engine(other, declared)
        as_written, shuffled = declared.wishes, Declared(tuple(turned)).wishes

        assert sorted(changed(first, *as_written)) == sorted(changed(second, *shuffled))
        first.apply(*as_written)
        second.apply(*shuffled)

        assert _still(one) == _still(other)


def _still(root: Path) -> dict[str, list[object]]:
    """The tree without its times: two applies are not made at the same moment."""
    return {name: [mode, user, group, content] for name, (mode, user, group, _, content) in tree(root).items()}


_PROGRAM = """
import json, sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
from declarations import FIXTURES, apart
from test_converging import engine
from vitrify.testing.engine import quick_folder
for begin in range(5):
    declared = apart(FIXTURES[begin::5])
    with quick_folder() as root:
        planned = engine(root, declared).plan(*declared.wishes)
    print(json.dumps(planned, sort_keys=True))
"""


def test_a_plan_is_the_same_to_the_letter_whatever_python_hashes_by() -> None:
    folder = Path(__file__).resolve().parent

    plans = {
        subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(folder), str(folder.parents[1])],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }

    (same,) = plans
    assert len(same) > 10_000
