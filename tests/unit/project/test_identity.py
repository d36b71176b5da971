from __future__ import annotations

from pathlib import Path

import pytest

from vitrify.core.diagnostic import DeclarationInvalid, UsageInvalid
from vitrify.project.identity import Identity, add_author, create, ensure, read

ID = "0123456789abcdef"
ANNA = "anna@laptop+deadbeef+AXNpeHRlZW4="
BERT = "bert@desk+00112233+AXNpeHRlZW4="


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    create(str(tmp_path), project_id=ID, authors=(ANNA,))

    assert read(str(tmp_path)) == Identity(ID, (ANNA,))
    assert (tmp_path / "vitrify.keys").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["vitrify.keys"]


def test_a_project_without_the_file_has_no_identity(tmp_path: Path) -> None:
    assert read(str(tmp_path)) is None


def test_an_identity_is_never_replaced(tmp_path: Path) -> None:
    create(str(tmp_path), project_id=ID)

    with pytest.raises(UsageInvalid, match="keeps its identity"):
        create(str(tmp_path), project_id="f" * 16)


def test_ensuring_makes_one_identity_and_adds_each_author_once(tmp_path: Path) -> None:
    first = ensure(str(tmp_path), author=ANNA, new_id=lambda: ID)
    ensure(str(tmp_path), author=BERT)

    assert first == Identity(ID, (ANNA,))
    assert ensure(str(tmp_path), author=ANNA) == read(str(tmp_path)) == Identity(ID, (ANNA, BERT))


def test_comments_and_empty_lines_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "vitrify.keys").write_text(f"# who\n\nproject {ID}\n  author {ANNA}\n")

    assert read(str(tmp_path)) == Identity(ID, (ANNA,))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 1),
        (b"project xyz\n", 1),
        (b"project 0123456789abcdef\nauthor nobody\n", 2),
        (b"project 0123456789abcdef\nproject 0123456789abcdef\n", 2),
        (b"# x\nowner me\n", 2),
        (b"\xff\n", 1),
    ],
)
def test_a_damaged_file_is_told_with_its_line(tmp_path: Path, content: bytes, line: int) -> None:
    (tmp_path / "vitrify.keys").write_bytes(content)

    with pytest.raises(DeclarationInvalid) as error:
        read(str(tmp_path))

    assert error.value.diagnostics[0].where
    assert error.value.diagnostics[0].where.line == line


def test_an_author_needs_a_project(tmp_path: Path) -> None:
    with pytest.raises(UsageInvalid):
        add_author(str(tmp_path), ANNA)


def test_a_key_that_is_none_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UsageInvalid):
        create(str(tmp_path), project_id=ID, authors=("two words",))
    assert not (tmp_path / "vitrify.keys").exists()


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageInvalid, match="cannot be written"):
        create(str(tmp_path / "nowhere"), project_id=ID)
