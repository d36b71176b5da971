"""Text that systemd reads back as exactly the values it was written from: unit files and environment files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Sequence, Tuple

from vitrify.core.diagnostic import VitrifyError

_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECTION = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
HEAD = "# Written by vitrify, which puts back what is changed here."
_WRITTEN = re.compile(r'^([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"\n', re.MULTILINE)
_PROGRAM = re.compile(r"/[A-Za-z0-9_@%+=:,./-]+")


@dataclass(frozen=True)
class Service:
    """What a unit says. `argv` and `environment` are literal: nothing in them is expanded."""

    name: str
    argv: Tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    environment_file: str = ""


def text(service: Service) -> str:
    """The unit file; VitrifyError where a value cannot be written so that systemd reads it back."""
    lines = [
        HEAD,
        "[Unit]",
        f"Description={specified(_refuse_control(service.name))}",
        "After=network.target",
        "",
        "[Service]",
        "Type=exec",
        *([f"User={specified(_refuse_control(service.user))}"] if service.user else []),
        f"WorkingDirectory={specified(_refuse_control(service.workdir))}",
        *(f"Environment={quoted(f'{name}={value}', always=False)}" for name, value in sorted(service.environment.items())),
        *([f"EnvironmentFile={specified(_refuse_control(service.environment_file))}"] if service.environment_file else []),
        f"ExecStart={' '.join(argument(word) for word in service.argv)}",
        "Restart=on-failure",
        "RestartSec=1",
        "NoNewPrivileges=yes",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def sections_text(sections: Mapping[str, object]) -> str:
    """A unit file of these sections: name -> setting -> its text, or several. What stands in a value, specifiers too, stays as it is."""
    lines = [HEAD]
    for name, settings in sections.items():
        lines += [*([""] if len(lines) > 1 else []), f"[{_refuse_control(name)}]"]
        for key, value in settings.items() if isinstance(settings, Mapping) else ():
            lines += [f"{_refuse_control(key)}={_setting(one)}" for one in (value if isinstance(value, (list, tuple)) else (value,))]
    return "\n".join(lines) + "\n"


def _setting(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else _refuse_control(str(value))


def sections_problems(sections: object) -> List[Tuple[Tuple[str, ...], str, str]]:
    """What stands against these sections: where, summary, hint."""
    if not isinstance(sections, Mapping) or not sections:
        return [((), "expected a map of sections", "as in {Service: {Restart: always}}")]
    found: List[Tuple[Tuple[str, ...], str, str]] = []
    for name, settings in sections.items():
        if not _SECTION.fullmatch(str(name)):
            found.append(((str(name),), f"{name!r} is not the name of a section", "as in Unit, Service, Install"))
        if not isinstance(settings, Mapping):
            found.append(((str(name),), "expected a map of settings", "as in {Restart: always}"))
            continue
        for key, value in settings.items():
            found += [((str(name), str(key)), *complaint) for complaint in _setting_problems(str(key), value)]
    return found


def _setting_problems(key: str, value: object) -> List[Tuple[str, str]]:
    if not _SECTION.fullmatch(key):
        return [(f"{key!r} is not the name of a setting", "letters and digits, as in ExecStart")]
    values = value if isinstance(value, (list, tuple)) else [value]
    if any(not isinstance(one, (str, int)) for one in values):
        return [(f"{key} is neither text, a number, true, false nor a list of these", "write one line for each value")]
    return [("a setting cannot hold control characters", "")] if any(_control(str(one)) for one in values) else []


def argument(word: str) -> str:
    """One word of ExecStart: neither variables nor specifiers in it are expanded."""
    return quoted(word, always=False).replace("$", "$$")


def quoted(word: str, *, always: bool) -> str:
    """A word in double quotes where it needs them; `%` doubled, so that it is no specifier."""
    _refuse_control(word)
    if _PLAIN.fullmatch(word) and not always:
        return word
    return '"' + specified(word.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def specified(word: str) -> str:
    """The word with `%` doubled."""
    return word.replace("%", "%%")


def environment_file(values: Mapping[str, str]) -> str:
    """An EnvironmentFile: every value in double quotes, which may span lines; VitrifyError for what it cannot hold."""
    lines = [f"{name}={_file_value(value)}" for name, value in sorted(values.items())]
    wrong = [name for name in values if not _VARIABLE.fullmatch(name)]
    if wrong:
        raise VitrifyError(f"{wrong[0]!r} is not the name of a variable", hint="letters, digits and _, no digit first")
    return "".join(f"{line}\n" for line in lines)


def _file_value(value: str) -> str:
    if any(ord(character) < 32 and character not in "\n\t" for character in value) or "\x7f" in value:
        raise VitrifyError("a secret that goes into an environment cannot hold control characters")
    for special in ("\\", '"', "$", "`"):
        value = value.replace(special, "\\" + special)
    return f'"{value}"'


def read_environment_file(text: str) -> Dict[str, str]:
    """What `environment_file` wrote, read back."""
    return {found.group(1): re.sub(r"\\(.)", r"\1", found.group(2)) for found in _WRITTEN.finditer(text)}


def command_problems(words: Sequence[str]) -> List[Tuple[int, str, str]]:
    """What stands against this command in a unit: index, summary, hint."""
    found = [
        (index, "a command cannot hold control characters", "put such text into a file")
        for index, word in enumerate(words)
        if _control(word)
    ]
    if words and not _PROGRAM.fullmatch(words[0]):
        found.append((0, f"{words[0]!r} is not a program's absolute path", "write it out, as in /usr/bin/python3"))
    shell = [index for index, word in enumerate(words) if word in ("$PORT", "${PORT}")]
    return found + [(index, f"{words[index]} is not replaced where there is no shell", "write ${instance.port}") for index in shell]


def environment_problems(values: Mapping[str, object]) -> List[Tuple[str, str]]:
    """What stands against these variables: name, summary."""
    found = [(name, f"{name!r} is not the name of a variable") for name in values if not _VARIABLE.fullmatch(name)]
    return found + [(name, "a variable cannot hold control characters") for name, value in values.items() if _control(str(value))]


def plain_path(path: str) -> bool:
    """Whether a path can stand in a unit as it is: systemd unquotes none of its path settings."""
    return "\\" not in path and path == path.strip() and not _control(path)


def _control(word: str) -> bool:
    return any(ord(character) < 32 or ord(character) == 127 for character in word)


def _refuse_control(word: str) -> str:
    if _control(word):
        raise VitrifyError(f"{word!r} cannot stand in a unit", why="it holds control characters")
    return word
