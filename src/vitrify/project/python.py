"""Runs a `vitrify.py` and takes the declaration that it makes. It runs here, with the rights of whoever calls vitrify."""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import NoReturn

from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, Location, VitrifyError
from vitrify.core.resource import Kinds
from vitrify.core.schema import near
from vitrify.project.node import Node
from vitrify.project.pieces import OFFERED, Project, Translation
from vitrify.project.problems import Problems

NAME = "__vitrify__"
FRONT = "vitrify.declare"
_FORM = 'as in `shop = project("shop", servers={"web": server(…)})`'


def parse(content: bytes, *, file: str, kinds: Kinds, problems: Problems) -> Node:
    """The declaration that this program makes; `kinds` are those that it can import from `vitrify.declare`.

    Raises DeclarationInvalid, with the line, where it fails or makes none.
    """
    code = _compiled(content, file)
    _known_imports(content, file, kinds)
    made = _run(code, file)
    found = list({id(value): value for value in made.values() if isinstance(value, Project)}.values())
    if not found:
        _fail("this makes no project", Location(file, 1, 1), hint=_FORM)
    if len(found) > 1:
        _fail("this makes more than one project", Location(file, found[1].place.span[0], 1), hint="keep one in a variable")
    return Translation(problems).node(found[0])


def _fail(summary: str, at: Location, *, why: str = "", hint: str = "") -> NoReturn:
    raise DeclarationInvalid([Diagnostic(summary, at, why, hint)])


def _compiled(content: bytes, file: str) -> CodeType:
    try:
        return compile(content, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        at = Location(file, error.lineno or 1, error.offset or 1)
        why = error.msg
    except ValueError as error:
        at, why = Location(file, 1, 1), str(error)
    _fail("this is not Python", at, why=why)


def _known_imports(content: bytes, file: str, kinds: Kinds) -> None:
    """Every wrong name at once, each with the one that was meant; Python itself would stop at the first."""
    unknown = [
        alias
        for node in ast.walk(ast.parse(content))
        if isinstance(node, ast.ImportFrom) and node.module == FRONT
        for alias in node.names
        if alias.name not in {*OFFERED, "*"} and alias.name not in kinds
    ]
    names = {*OFFERED, *kinds.names()} if unknown else set()
    wrong = [
        Diagnostic(
            f"there is nothing called `{alias.name}` in {FRONT}",
            Location(file, alias.lineno, alias.col_offset + 1),
            hint=near(alias.name, names) or f"it has: {', '.join(sorted(names))}",
        )
        for alias in unknown
    ]
    if wrong:
        raise DeclarationInvalid(wrong)


def _run(code: CodeType, file: str) -> Mapping[str, object]:
    """The names that the program leaves. What it prints goes to stderr: stdout is for data."""
    module = ModuleType(NAME)
    folder = os.path.abspath(Path(file).parent)  # noqa: PTH100  resolve() would follow links
    module.__file__ = os.path.join(folder, Path(file).name)  # noqa: PTH118  the same
    with _at_home(folder, module), contextlib.redirect_stdout(sys.stderr):
        try:
            exec(code, module.__dict__)  # noqa: S102  running it is what the file is for
        except (Exception, SystemExit) as error:  # noqa: BLE001  a program can fail in every way there is
            failed = _explained(error, file, folder)
        else:
            return dict(module.__dict__)
    # Raised out here, so that no traceback of the program is chained to it.
    raise failed


@contextlib.contextmanager
def _at_home(folder: str, module: ModuleType) -> Iterator[None]:
    """Let it import its neighbours, and leave no trace: neither of their code in this process nor of it in the project."""
    before, path, writes = set(sys.modules), [*sys.path], sys.dont_write_bytecode
    importlib.invalidate_caches()
    sys.modules[NAME] = module
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.path[:], sys.dont_write_bytecode = path, writes
        for name in set(sys.modules) - before:
            if name == NAME or any(_within(place, folder) for place in _places(sys.modules[name])):
                del sys.modules[name]


def _places(module: ModuleType) -> list[str | None]:
    """Where a module is from; a folder without `__init__.py` has no file of its own."""
    return [getattr(module, "__file__", None), *map(str, getattr(module, "__path__", ()))]


def _within(file: str | None, folder: str) -> bool:
    return bool(file) and Path(str(file)).is_relative_to(folder)


def _explained(error: BaseException, file: str, folder: str) -> DeclarationInvalid:
    """The failure at the last line of the project that it went through."""
    if isinstance(error, DeclarationInvalid):
        return error
    at = _where(error.__traceback__, file, folder)
    if isinstance(error, SyntaxError) and _within(error.filename, folder):
        at = Location(str(error.filename), error.lineno or 1, error.offset or 1)
        return DeclarationInvalid([Diagnostic("this is not Python", at, error.msg)])
    if isinstance(error, VitrifyError):
        first = error.diagnostics[0]
        return DeclarationInvalid([Diagnostic(first.summary, at, first.why, first.hint)])
    if isinstance(error, SystemExit):
        return DeclarationInvalid(
            [Diagnostic("the declaration ends the program", at, hint="raise an error instead; it is told with its line")]
        )
    told = str(error).strip()
    return DeclarationInvalid([Diagnostic(f"the declaration failed with {type(error).__name__}", at, told)])


def _where(trace: TracebackType | None, file: str, folder: str) -> Location:
    at = Location(file, 1, 1)
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == file or _within(code.co_filename, folder):
            _, _, column, _ = next(islice(code.co_positions(), trace.tb_lasti // 2, None), (None, None, None, None))
            at = Location(code.co_filename, trace.tb_lineno, (column or 0) + 1)
        trace = trace.tb_next
    return at
