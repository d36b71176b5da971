"""A project on a folder as its host, seen by several people of their own keys."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vitrify.app import App
from vitrify.core.asked import Scope
from vitrify.core.event import Event
from vitrify.core.plan import Plan

DECLARED = """\
version: 1
project: shop
{policy}
servers:
  db:
    lifecycle: mutable
    hosts: ['root:{root}']
    resources:
      - file: {{path: /etc/motd, content: "{text}\\n"}}
"""


@dataclass
class Team:
    """A project's folder, and a home for each person who works on it; all of them share one ledger."""

    folder: Path

    def declare(self, text: str = "hello", *, policy: str = "") -> None:
        (self.folder / "shop").mkdir(exist_ok=True)
        (self.folder / "root/etc").mkdir(parents=True, exist_ok=True)
        told = DECLARED.format(text=text, policy=policy, root=self.folder / "root")
        (self.folder / "shop/vitrify.yaml").write_text(told)

    def home(self, person: str) -> Path:
        home = self.folder / person
        if not home.exists():
            home.mkdir()
            (self.folder / "projects").mkdir(exist_ok=True)
            (home / "projects").symlink_to(self.folder / "projects")
            (home / "store").mkdir()
        return home

    def app(self, person: str, heard: list[Event] | None = None, **environ: str) -> closing[App]:
        home = self.home(person)
        told = heard if heard is not None else []
        own = {"VITRIFY_HOME": str(home), "VITRIFY_AUTHOR": f"{person}@desk", **environ}
        return closing(App(Scope(folder=str(self.folder / "shop")), emit=told.append, environ=own))

    def joins(self, person: str) -> None:
        """This person works on the project: their key is among its authors'."""
        with self.app(person) as app:
            assert app._wiring.ledgers.identity.authors  # noqa: SLF001  what any verb begins with, without the host that it would ask

    def enters(self, person: str) -> None:
        """Something that this person does is an entry of the ledger."""
        with self.app(person) as app:
            app._wiring.ledgers.log.append("note", {})  # noqa: SLF001  the same

    def plan(self, person: str) -> tuple[str, Plan]:
        """A plan, saved by this person."""
        path = str(self.folder / "plan.json")
        with self.app(person) as app:
            plan = app.plan()
            app.save(plan, path)
        return path, plan

    @property
    def motd(self) -> str:
        path = self.folder / "root/etc/motd"
        return path.read_text() if path.exists() else ""

    @property
    def keys(self) -> Path:
        return self.folder / "shop/vitrify.keys"
