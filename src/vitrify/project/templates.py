"""Renders the templates of a project: sandboxed, and with no value left out in silence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSON

if TYPE_CHECKING:
    from jinja2 import TemplateSyntaxError
    from jinja2.sandbox import SandboxedEnvironment


class Templates:
    """The templates below one folder. They are compiled once, and cannot reach beyond it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment: SandboxedEnvironment | None = None

    def render(self, name: str, values: Mapping[str, JSON], *, withhold: bool) -> str:
        """The text. Raises VitrifyError whose `why` names template and line; with `withhold` no part of a value can be in it."""
        import jinja2

        try:
            return self._jinja().get_template(name).render(values)
        except jinja2.TemplateSyntaxError as error:
            summary, why = f"the template `{name}` is not valid", self._syntax(error)
        except jinja2.TemplateNotFound as error:
            missing = error.name or name
            summary, why = f"there is no template `{missing}`", "" if missing == name else f"`{name}` asks for it"
        except Exception as error:  # noqa: BLE001  a template is a program: it can fail in every way there is
            reason = "its values hold a secret, so the reason is withheld" if withhold else _reason(error)
            summary, why = f"the template `{name}` cannot be rendered", f"{self._place(error, name)}: {reason}"
        raise VitrifyError(summary, why=why, hint="" if why else "paths of templates start at the folder of vitrify.yaml")

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

    def _syntax(self, error: TemplateSyntaxError) -> str:
        return f"{error.name}:{error.lineno}: {error.message}"

    def _place(self, error: BaseException, name: str) -> str:
        """The innermost line of a template that the error went through; its traceback is told in lines of templates."""
        place, trace = name, error.__traceback__
        while trace is not None:
            file = Path(trace.tb_frame.f_code.co_filename)
            if file.is_relative_to(self._folder):
                place = f"{file.relative_to(self._folder)}:{trace.tb_lineno}"
            trace = trace.tb_next
        return place


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
