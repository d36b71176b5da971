from __future__ import annotations

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.resources.script import Script, named_interpreter

SCRIPT = Script()


@pytest.mark.parametrize(
    ("content", "interpreter"),
    [
        (b"", ("/bin/sh",)),
        (b"echo\n", ("/bin/sh",)),
        (b"#!/usr/bin/python3\n", ("/usr/bin/python3",)),
        (b"#! /usr/bin/env  -S python3 -I \nx", ("/usr/bin/env", "-S python3 -I")),
    ],
)
def test_the_first_line_is_read_as_the_kernel_reads_it(content: bytes, interpreter: tuple[str, ...]) -> None:
    assert named_interpreter(content) == interpreter


@pytest.mark.parametrize("content", [b"#!\n", b"#!/" + b"a" * 300])
def test_a_first_line_that_names_nothing_is_told(content: bytes) -> None:
    with pytest.raises(TargetFailed, match="names no interpreter"):
        named_interpreter(content)


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"content": "x", "always": True}, "the field `name` is missing"),
        ({"name": "a", "always": True}, "one of `content`, `source`, `template` is needed"),
        ({"name": "a", "content": "x"}, "one of `creates`, `removes`, `unless`, `onlyif`, `always` is needed"),
        ({"name": "a", "content": "x", "source": "y", "always": True}, "`source` cannot stand beside `content`"),
        ({"name": "a", "content": "x", "vars": {}, "always": True}, "`vars` has no meaning without `template`"),
        ({"name": "a", "content": "x", "interpreter": [""], "always": True}, "the program has no name"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused(fields: dict[str, JSON], summary: str) -> None:
    assert [problem.summary for problem in SCRIPT.schema.problems(fields)] == [summary]
