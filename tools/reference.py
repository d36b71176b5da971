"""Writes what is told twice from the code that it tells of: the reference pages, and the types of the Python front end."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import click

from tools.kind_examples import EXAMPLES
from vitrify.core.resource import Kind, Kinds
from vitrify.core.schema import Field

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
STUB = ROOT / "src" / "vitrify" / "declare.pyi"
WIDTH = 100
MARK = "<!-- Written by `./run fix` from the source: change that instead. -->\n"


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check say which ones lag behind."""
    parser = argparse.ArgumentParser(prog="tools.reference", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--write", action="store_true", help="write the pages")
    which.add_argument("--check", action="store_true", help="fail where a page is not what it should be")
    chosen = parser.parse_args(arguments)
    wanted = pages()
    behind = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if chosen.write:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for path in behind:
            path.write_text(wanted[path], encoding="utf-8")
        return 0
    for path in behind:
        print(f"{path.relative_to(ROOT)} lags behind the code: ./run fix writes it")
    return 1 if behind else 0


def pages() -> dict[Path, str]:
    """Every generated page and what it should hold."""
    from tools.attacks_page import attacks_page
    from tools.stub import stub
    from vitrify.cli.group import vitrify
    from vitrify.resources.registry import all_kinds

    kinds = all_kinds()
    written = {"kinds.md": kinds_page(kinds), "commands.md": commands_page(vitrify), "attacks.md": attacks_page(MARK)}
    return {**{FOLDER / name: text for name, text in written.items()}, STUB: stub(kinds)}


def kinds_page(kinds: Kinds) -> str:
    """All kinds, each with its fields."""
    from vitrify.project.compile import COMMON

    head = ["# Kinds", "", MARK, "What a resource can be. Beside the fields of its kind, each resource takes these:", ""]
    kind_lines = [line for name in kinds.names() for line in _kind(kinds[name])]
    return "\n".join([*head, *_fields(COMMON), "", *kind_lines]).rstrip() + "\n"


def _kind(kind: Kind) -> Iterator[str]:
    phases = ", ".join(sorted(phase.value for phase in kind.phases))
    short = f" Short form: `{kind.name}: …` fills `{kind.short}`." if kind.short else ""
    yield from (f"## `{kind.name}`", "", inspect.cleandoc(type(kind).__doc__ or ""), "", f"Phases: {phases}.{short}", "")
    declared = {name: field for name, field in kind.schema.fields.items() if not field.resolved}
    groups = [[name for name in group if name in declared] for group in kind.schema.needs_one_of]
    yield from _fields(declared, needed=[group[0] for group in groups if len(group) == 1])
    yield from _together(kind.schema.one_of, [group for group in groups if len(group) > 1])
    yield from ("", "```yaml", EXAMPLES[kind.name].strip(), "```", "")


def _fields(fields: Mapping[str, Field], *, needed: Collection[str] = ()) -> Iterator[str]:
    yield from ("| field | holds | meaning |", "|---|---|---|")
    for name, field in fields.items():
        mark = " (needed)" if field.required else " (needed unless absent)" if name in needed else ""
        yield f"| `{name}`{mark} | {_holds(field)} | {field.doc} |"


def _together(exclusive: Iterable[Collection[str]], needed: Collection[Collection[str]]) -> Iterator[str]:
    for group in exclusive:
        count = "Exactly one" if set(group) in [set(other) for other in needed] else "At most one"
        yield from ("", f"{count} of {', '.join(f'`{name}`' for name in group)}.")


def _holds(field: Field) -> str:
    return " or ".join(f"`{choice}`" for choice in field.choices) if field.choices else field.type.value


def commands_page(group: click.Group) -> str:
    """The help of every command, as the terminal shows it."""
    parts = ["# Commands", "", MARK, "What `vitrify … --help` says."]
    return "\n".join([*parts, *_command(group, None)]) + "\n"


def _command(command: click.Command, parent: click.Context | None) -> Iterator[str]:
    widths = {"terminal_width": WIDTH, "max_content_width": WIDTH}
    context = command.make_context(command.name, [], parent=parent, resilient_parsing=True, **widths)
    yield from ("", f"## `{context.command_path}`", "", "```text", click.unstyle(command.get_help(context)).rstrip(), "```")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found and not found.hidden:
                yield from _command(found, context)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
