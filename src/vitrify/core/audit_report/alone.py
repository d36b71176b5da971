"""An HTML page that stands alone, around whatever it tells."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from vitrify.core.audit_report.look import STYLE

_NOTHING_FETCHED = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Whatever a hostile name might smuggle in, the browser runs none of it and asks nobody for anything."""


def alone(title: str, version: str, parts: Iterable[str]) -> str:
    """The page of these parts of a body."""
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_FETCHED}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            *parts,
            f"<footer>vitrify {escape(version)}</footer>",
            "</body>",
            "</html>",
            "",
        )
    )
