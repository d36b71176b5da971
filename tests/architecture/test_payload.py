"""The payload is the same bytes everywhere, holds what runs on a target and nothing else, and stays small."""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.travels import PACKAGE, travelling_files

from vitrify.onhost.calls import MODULES
from vitrify.payload import INSTANCES, LARGEST, in_place, lean, pack, placed, unpacked


def members() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(pack().content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_packing_twice_gives_the_same_bytes() -> None:
    assert pack().content == pack().content


def test_no_date_no_owner_and_no_compression_can_make_a_difference() -> None:
    with zipfile.ZipFile(io.BytesIO(pack().content)) as archive:
        told = {(entry.date_time, entry.create_system, entry.external_attr, entry.compress_type) for entry in archive.infolist()}
        names = archive.namelist()

    assert told == {((1980, 1, 1, 0, 0, 0), 3, 0o100644 << 16, zipfile.ZIP_STORED)}
    assert names == sorted(names)


def test_it_holds_what_travels_and_nothing_else() -> None:
    travelling = {f"vitrify/{path.relative_to(PACKAGE)}" for path in travelling_files()}

    assert set(members()) == travelling | {"__main__.py", "vitrify/__init__.py", "vitrify/core/__init__.py"}


def test_it_is_small(record_property: Callable[[str, object], None]) -> None:
    size = len(pack().content)
    record_property("note", f"payload: {size} bytes in {len(members())} files")

    assert size <= LARGEST


def test_a_file_that_was_damaged_is_written_again(tmp_path: Path) -> None:
    payload = pack()
    path = placed(payload, tmp_path / "payload")
    path.write_bytes(path.read_bytes()[:-1])

    assert placed(payload, tmp_path / "payload").read_bytes() == payload.content
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_folder_of_it_is_made_once(tmp_path: Path) -> None:
    payload = pack()

    first, second = (unpacked(payload, tmp_path / "payload") for _ in range(2))

    assert first == second
    assert (first / "__main__.py").is_file()
    assert [found.name for found in first.parent.iterdir()] == [first.name]


def meaning(source: str) -> str:
    """What Python makes of a file, and on which lines, but for the values that stand alone in it."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            alone = [one for one in body if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)]
            node.body = [one for one in body if one not in alone]  # type: ignore[attr-defined]
        if hasattr(node, "end_lineno"):
            node.end_lineno = node.end_col_offset = None  # type: ignore[attr-defined]  # of a body that ends with its docstring
    return ast.dump(tree, include_attributes=True)


def test_what_is_left_out_for_the_way_is_nothing_that_a_host_runs() -> None:
    for path in travelling_files():
        source = path.read_text(encoding="utf-8")
        assert meaning(lean(source)) == meaning(source), path


def test_a_text_that_is_a_value_travels_as_it_is() -> None:
    source = 'def one() -> str:\n    """Say it."""\n    # why\n    return """\\\n# a line\n    x"""\n'

    assert lean(source) == 'def one() -> str:\n    0\n\n    return """\\\n# a line\n    x"""\n'


def reached(roots: set[str]) -> set[str]:
    """Every file of the payload that these import, now or when they are called, and what those import."""
    files = {str(path.relative_to(PACKAGE).with_suffix("")): path for path in travelling_files()}
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [one for one in imported(files[name]) if one in files]
    return found


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports when it runs, as files of the package."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                yield name.removeprefix("vitrify.").replace(".", "/")


IN_PLACE = (
    "accepting",
    "booted",
    "converge",
    "dead_man",
    "detached",
    "health",
    "hooks",
    "inspect",
    "leasing",
    "outdated",
    "quarantine",
    "telling",
)
OVER_A_SESSION = (*IN_PLACE, "testimony", "watching")
"""Modules of the calls that the stories make over a plain session with a host, not at a site of instances."""


def test_whoever_is_changed_in_place_needs_nothing_of_what_stays_behind() -> None:
    kinds = {f"resources/{path.stem}" for path in (PACKAGE / "resources").glob("*.py") if path.stem != "__init__"}
    needed = reached({"onhost/runner", *kinds, *(f"onhost/{name}" for name in OVER_A_SESSION)})

    assert needed.isdisjoint(INSTANCES)
    assert set(MODULES) == set(OVER_A_SESSION) | {name for name in MODULES if f"onhost/{name}" in INSTANCES}


def test_what_a_host_that_is_changed_in_place_is_sent_is_smaller_still(record_property: Callable[[str, object], None]) -> None:
    size = len(in_place().content)
    record_property("note", f"payload in place: {size} bytes")

    assert size <= 1_100_000
