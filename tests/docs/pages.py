"""The documents as data: every page, its code blocks, and what a page asks to have tested.

An HTML comment on the line before a block says what the block is for:

- `<!-- test: run -->`         run each `$ ` line; lines below it are the output that must come, `...` standing for anything
- `<!-- test: run, exit 2 -->` the same, and the last command ends with this code
- `<!-- test: file NAME -->`   write the block to this file, for the commands further down the page
- `<!-- test: install -->`     the block installs a folder of the page: it is built as a package, and further commands find it
- `<!-- test: there -->`       the commands are typed by a test of the page's own, which has a machine to reach over SSH
- `<!-- test: load -->`        the block is a whole declaration, in YAML or Python, and loads without a problem
- `<!-- test: load, with NAME -->` the same, beside an empty file of this name
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?:<!-- test: (?P<wish>[^\n]+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One code block of a page."""

    language: str
    text: str
    wish: str = ""

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Commands and the output that must follow each; a line that ends in a backslash goes on."""
        steps: list[tuple[str, str]] = []
        for line in self.text.splitlines(keepends=True):
            if line.startswith("$ "):
                steps.append((line[2:], ""))
            elif steps and steps[-1][0].endswith("\\\n"):
                steps[-1] = (steps[-1][0] + line, "")
            elif steps:
                steps[-1] = (steps[-1][0], steps[-1][1] + line)
        return steps


@dataclass(frozen=True)
class Page:
    """One document."""

    path: Path

    @property
    def name(self) -> str:
        """The path from the repository's root."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    @property
    def blocks(self) -> list[Block]:
        """The code blocks, in order."""
        return [Block(found["language"], found["text"], found["wish"] or "") for found in BLOCK.finditer(self.text)]


def pages() -> list[Page]:
    """Every page for readers: those at the root and all below `docs/` and `examples/`."""
    folders = (ROOT / "docs", ROOT / "examples", ROOT / "changes", ROOT / "benchmarks")
    return [Page(path) for path in sorted([*ROOT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*.md"))])]


def wishing(*wishes: str) -> list[Page]:
    """The pages that ask for one of these tests."""
    return [page for page in pages() if any(block.wish.startswith(wishes) for block in page.blocks)]
