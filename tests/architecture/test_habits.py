"""Ways of writing that a reader can rely on everywhere in the source."""

from __future__ import annotations

import ast
import re

from source import PACKAGE, Module, called, package, python_files, texts

UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|NotImplemented" + r"Error)\b")
READ_ONLY = re.compile(r"^(Final|Mapping|Sequence|Collection|Tuple|tuple|FrozenSet|frozenset)\b")
DATACLASS = re.compile(r"^(dataclasses\.)?dataclass\b")


def test_every_dataclass_of_the_core_and_of_the_ports_is_frozen() -> None:
    values = [found for found in package() if "core" in found.path.parts or found.name == "vitrify.ports"]

    assert not {f"{found.place}: {node.name}" for found in values for node in found.classes() if _is_thawed(node)}


def _is_thawed(node: ast.ClassDef) -> bool:
    marks = [ast.unparse(mark) for mark in node.decorator_list]
    return any(DATACLASS.match(mark) and "frozen=True" not in mark for mark in marks)


def test_nothing_prints_but_the_renderer() -> None:
    quiet = [found for found in package() if not found.name.startswith("vitrify.cli.render")]

    assert not {f"{found.place}:{node.lineno}" for found in quiet for node in _calls(found) if called(node) in {"print", "click.echo"}}


def test_no_command_goes_through_a_shell() -> None:
    assert not {f"{found.place}:{node.lineno}" for found in python_files() for node in _calls(found) if _is_shell(node)}


def _is_shell(node: ast.Call) -> bool:
    shells = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell"}
    return called(node) in shells or any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in node.keywords)


def _calls(found: Module) -> list[ast.Call]:
    return [node for node in ast.walk(found.tree) if isinstance(node, ast.Call)]


def test_nothing_is_left_unfinished() -> None:
    assert not {f"{path.name}: {mark.group()}" for path, text in texts() for mark in UNFINISHED.finditer(text)}


def test_no_module_holds_state() -> None:
    assert not {f"{found.place}: {name}" for found in package() for name in _mutable_globals(found.tree)}


def _mutable_globals(tree: ast.Module) -> set[str]:
    """Names bound at module level to something that can grow and is not written as a constant, and every `global`."""
    written_to = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _can_grow(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            promised = isinstance(node, ast.AnnAssign) and READ_ONLY.match(ast.unparse(node.annotation))
            written_to |= {ast.unparse(target) for target in targets if not promised and not _is_constant(ast.unparse(target), tree)}
    return written_to


def _can_grow(value: ast.expr) -> bool:
    literal = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
    makers = {"list", "dict", "set", "defaultdict", "deque", "OrderedDict", "Counter"}
    return isinstance(value, literal) or (isinstance(value, ast.Call) and called(value).rpartition(".")[2] in makers)


def _is_constant(name: str, tree: ast.Module) -> bool:
    if name == "__all__":
        return True
    return name.isupper() and not any(_changes(node, name) for node in ast.walk(tree))


def _changes(node: ast.AST, name: str) -> bool:
    """Whether this node puts something into the named collection: `NAME[x] = …`, `del NAME[x]` or `NAME.append(…)`."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return ast.unparse(node.value) == name
    growing = {"append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "clear", "remove", "discard"}
    return isinstance(node, ast.Call) and any(called(node) == f"{name}.{verb}" for verb in growing)


def test_every_module_begins_with_its_reason_to_be() -> None:
    silent = {found.place for found in python_files() if found.text.strip() and not ast.get_docstring(found.tree)}

    assert not {place for place in silent if place.startswith(("src/", "tools/"))}


def test_whatever_is_raised_on_purpose_is_a_vitrify_error() -> None:
    root = PACKAGE / "core" / "diagnostic.py"
    classes = [(found, node) for found in package() if found.path != root for node in found.classes() if not node.name.startswith("_")]

    assert not {
        f"{found.place}: {node.name}" for found, node in classes if {"Exception", "BaseException"} & set(map(ast.unparse, node.bases))
    }
