"""All kinds that vitrify brings along."""

from __future__ import annotations

from vitrify.core.resource import Kinds
from vitrify.resources.command import Command
from vitrify.resources.directory import Directory
from vitrify.resources.file import File
from vitrify.resources.line import Line
from vitrify.resources.link import Link
from vitrify.resources.process import Process
from vitrify.resources.tree import Tree


def all_kinds() -> Kinds:
    """Every kind, ready to be passed to whoever needs one."""
    return Kinds((Command(), Directory(), File(), Line(), Link(), Process(), Tree()))
