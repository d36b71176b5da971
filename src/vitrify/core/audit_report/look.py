"""How the page looks: the reader's own fonts, colours of either scheme, and what a printer needs."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --quiet: #5a6470; --ground: #ffffff; --line: #d5dae0; --bad: #b3261e; --good: #1b6e3c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --quiet: #9aa5b1; --ground: #14171a; --line: #343b43; --bad: #ff8a80; --good: #7bd69c; }
}
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
body { font: 1rem/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground); }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin: 2rem 0 0; } h3 { font-size: 1rem; font-weight: 600; margin: 1rem 0 .3rem; }
.quiet, footer { color: var(--quiet); } .bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); font-weight: 600; }
.verdict { font-size: 1.2rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; white-space: nowrap; font-weight: 600; color: var(--quiet); }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .8rem .35rem 0; vertical-align: top; overflow-wrap: anywhere; }
td.word { white-space: nowrap; } td.change { width: 5rem; color: var(--quiet); } td.told { width: 40%; }
.group { margin: .6rem 0 0; font-size: .9rem; }
code { font-family: ui-monospace, monospace; unicode-bidi: isolate; }
rect { fill: var(--bad); } rect.ground { fill: var(--line); }
summary { cursor: pointer; color: var(--quiet); }
footer { margin-top: 3rem; font-size: .85rem; }
@media (max-width: 40rem) {
  table.found tr { display: block; border-bottom: 1px solid var(--line); padding: .4rem 0; }
  table.found td { display: block; width: auto; border: 0; padding: 0; } table.found thead { display: none; }
  td[data-name]::before { content: attr(data-name) ": "; color: var(--quiet); }
}
@media print {
  :root { color-scheme: light; --ink: #000000; --quiet: #444444; --ground: #ffffff; --line: #999999; --bad: #000000; --good: #000000; }
  body { margin: 0; max-width: none; } tr { break-inside: avoid; } thead { display: table-header-group; }
  details::details-content { content-visibility: visible; }
}
"""
