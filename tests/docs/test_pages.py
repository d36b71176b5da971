"""What the documents say is so: links lead somewhere, commands exist, declarations load."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pages import ROOT, Page, pages, wishing

LINK = re.compile(r"\]\((?P<to>[^)\s]+)\)")
LINE_NUMBER = re.compile(r"#L\d+|\.(?:py|sh|toml)(?:#|:)\d+")
CELLS = 4


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_link_within_the_repository_leads_to_a_file(page: Page) -> None:
    targets = [link["to"].partition("#")[0] for link in LINK.finditer(page.text) if not re.match(r"[a-z]+:|#", link["to"])]

    assert not [target for target in targets if not (page.path.parent / target).exists()]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_no_page_names_a_line_number(page: Page) -> None:
    assert not LINE_NUMBER.findall(page.text), "lines move; name the thing instead"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_run_command_in_a_page_exists(page: Page) -> None:
    offered = subprocess.run([ROOT / "run", "help"], check=True, capture_output=True, text=True).stdout

    commands = set(re.findall(r"\./run ([a-z]+)", page.text))

    assert not {name for name in commands if not re.search(rf"^  {name}\b", offered, re.MULTILINE)}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_vitrify_command_in_a_page_exists(page: Page) -> None:
    from vitrify.cli.group import VERBS

    blocks = "\n".join(command for block in page.blocks if block.language == "console" for command, _ in block.steps)
    commands = set(re.findall(r"\bvitrify (?:-\S+ )*([a-z]+)\b", blocks))

    assert not commands - set(VERBS)


@pytest.mark.parametrize("page", wishing("load"), ids=lambda page: page.name)
def test_every_whole_declaration_in_a_page_loads(page: Page, tmp_path: Path) -> None:
    from vitrify.project.load import load
    from vitrify.resources.registry import all_kinds

    files = [block for block in page.blocks if block.wish.startswith("file ")]
    for block in files:
        _write(tmp_path / block.wish.removeprefix("file "), block.text)
    for block in [block for block in page.blocks if block.wish.startswith("load")]:
        if "with " in block.wish:
            _write(tmp_path / block.wish.partition("with ")[2], "")
        for name in ("vitrify.yaml", "vitrify.py"):
            (tmp_path / name).unlink(missing_ok=True)
        _write(tmp_path / ("vitrify.py" if block.language == "python" else "vitrify.yaml"), block.text)
        declaration = load(str(tmp_path), environ={}, overrides={}, kinds=all_kinds(), key=bytes(32))
        assert declaration.servers


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_every_promise_in_the_readme_says_how_it_is_shown_and_what_came_out() -> None:
    rows = [
        line.strip("|").split("|") for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if re.match(r"\| P\d+ ", line)
    ]

    assert rows
    assert all(len(row) == CELLS for row in rows)
    assert all(cell.strip() for row in rows for cell in row)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_proof_that_a_page_cites_exists(page: Page) -> None:
    from tools.prove import PROOFS

    assert not {name for name in re.findall(r"\./run prove ([a-z_]+)", page.text) if name not in PROOFS}


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "docs/reference/failures.md", "docs/reference/traps.md"])
def test_every_test_that_a_page_cites_exists(name: str) -> None:
    cited = set(re.findall(r"`(test_\w+)`", (ROOT / name).read_text(encoding="utf-8")))
    suites = (ROOT / "src" / "vitrify" / "testing").glob("*_suite.py")
    source = "\n".join(path.read_text(encoding="utf-8") for path in [*(ROOT / "tests").rglob("*.py"), *suites])

    assert cited
    assert not {name for name in cited if f"def {name}(" not in source}


def test_every_decision_has_the_same_four_parts_and_its_place_in_the_order() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))

    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        headings = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings[:3] == ["Context", "Choice", "What we gave up"], path.name


def test_the_index_leads_to_every_page_of_the_docs() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / link["to"].partition("#")[0]).resolve() for link in LINK.finditer(index)}

    docs = {page.path for page in pages() if ROOT / "docs" in page.path.parents and page.path.name != "index.md"}

    assert not {str(path.relative_to(ROOT)) for path in docs - linked}


@pytest.mark.parametrize("page", wishing("load"), ids=lambda page: page.name)
def test_every_whole_declaration_in_a_page_satisfies_the_schema_for_editors(page: Page) -> None:
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # brings no types

    from vitrify.project.editors import schema
    from vitrify.project.node import plain
    from vitrify.project.problems import Problems
    from vitrify.project.yaml import parse
    from vitrify.resources.registry import all_kinds

    checked = Draft202012Validator(schema(all_kinds()))

    for block in [block for block in page.blocks if block.wish.startswith("load") and block.language == "yaml"]:
        assert not [error.message for error in checked.iter_errors(plain(parse(block.text.encode(), file="", problems=Problems())))]


@pytest.mark.parametrize(("name", "least"), [("failures.md", 30), ("traps.md", 20)])
def test_every_row_of_a_table_of_failures_names_the_test_that_does_it(name: str, least: int) -> None:
    text = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith(("| when |", "| what |", "| trap |"))]

    assert len(rows) > least
    assert not [row for row in rows if not re.search(r"\| `test_\w+` \|$", row)]
