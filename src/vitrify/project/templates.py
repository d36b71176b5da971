"""Renders the templates of a project: sandboxed, and with no value left out in silence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSON

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment


class Templates:
    """The templates below one folder. They are compiled once, and cannot reach beyond it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment: SandboxedEnvironment | None = None

    def render(self, name: str, values: Mapping[str, JSON], *, withhold: bool) -> str:
        """The text. Raises VitrifyError whose `why` names template and line; with `withhold` no part of a value can be in it."""
        try:
            return self._jinja().get_template(name).render(values)
        except Exception as error:  # noqa: BLE001  a template is a program: it can fail in every way there is
            failed = self._explained(error, name, withhold=withhold)
        # Raised out here, so that the foreign error, which may quote a value, is not chained to it.
        raise failed

    def _explained(self, error: Exception, name: str, *, withhold: bool) -> VitrifyError:
        """The error for a person. With `withhold` it tells the template's own name and line: all else may quote a value."""
        import jinja2

        if isinstance(error, jinja2.TemplateNotFound) and error.name == name:
            return VitrifyError(f"there is no template `{name}`", hint="paths of templates start at the folder of the declaration")
        if withhold:
            reason = "its values hold a secret, so the reason is withheld"
            return VitrifyError(f"the template `{name}` cannot be rendered", why=f"{self._place(error, name, only=name)}: {reason}")
        if isinstance(error, jinja2.TemplateNotFound):
            return VitrifyError(f"there is no template `{error.name}`", why=f"`{self._place(error, name)}` asks for it")
        if isinstance(error, jinja2.TemplateSyntaxError):
            return VitrifyError(f"the template `{name}` is not valid", why=f"{error.name}:{error.lineno}: {error.message}")
        why = f"{self._place(error, name)}: {str(error) or type(error).__name__}"
        return VitrifyError(f"the template `{name}` cannot be rendered", why=why)

    def _jinja(self) -> SandboxedEnvironment:
        if self._environment is None:
            from jinja2 import FileSystemLoader, StrictUndefined
            from jinja2.sandbox import ImmutableSandboxedEnvironment

            self._environment = ImmutableSandboxedEnvironment(
                loader=FileSystemLoader(self._folder),
                undefined=StrictUndefined,
                keep_trailing_newline=True,
                autoescape=False,  # what is rendered is configuration, not HTML
            )
        return self._environment

    def _place(self, error: BaseException, name: str, *, only: str = "") -> str:
        """The innermost line of a template that the error went through; its traceback is told in lines of templates."""
        place, trace = name, error.__traceback__
        while trace is not None:
            file = Path(trace.tb_frame.f_code.co_filename)
            if file.is_relative_to(self._folder) and (not only or file == self._folder / only):
                place = f"{file.relative_to(self._folder)}:{trace.tb_lineno}"
            trace = trace.tb_next
        return place
