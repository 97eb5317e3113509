"""HTML for the inspector's pages: everything shown is escaped, and a page loads nothing but its own style sheet."""

from collections.abc import Collection, Iterable
from html import escape
from importlib import resources
from typing import Final
from urllib.parse import quote as encode
from urllib.parse import urlencode

from aiohttp import web

from .control import ROOT

STYLE: Final = resources.files(__package__).joinpath("inspector.css").read_text("utf-8")
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def text(value: object) -> str:
    """Escaped."""
    return escape(str(value))


def soft(value: object) -> str:
    """Small and grey."""
    return f"<small>{text(value)}</small>"


def tag(name: str, *content: str, kind: str = "") -> str:
    """An element around content that is already escaped."""
    attribute = f' class="{escape(kind)}"' if kind else ""
    return f"<{name}{attribute}>" if name == "br" else f"<{name}{attribute}>{''.join(content)}</{name}>"


def link(shown: object, path: str, **query: object) -> str:
    """A link to another page of the inspector."""
    more = f"?{urlencode(query)}" if query else ""
    return f'<a href="{escape(f"{ROOT}/{encode(path)}{more}")}">{text(shown)}</a>'


def sheet(head: Iterable[object], rows: Iterable[str], kind: str = "", numbers: Collection[int] = ()) -> str:
    """A table with a head of plain texts; `numbers` are the columns that are set to the right."""
    cells = (tag("th", text(title), kind="number" if place in numbers else "") for place, title in enumerate(head))
    titles = tag("tr", *cells)
    return tag("div", tag("table", tag("thead", titles), tag("tbody", *rows), kind=kind), kind="sheet")


def page(title: str, body: str, place: str) -> web.Response:
    """A whole page around a body that is already escaped; `place` says which emulator it is of."""
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f'<title>{text(title)}</title><link rel="stylesheet" href="{ROOT}/inspector.css"></head><body>'
        f"<header><b>{link('Dataverse emulator', '')}</b>{link('Requests', 'log')}"
        f"<span>{text(place)}</span></header>"
        f"<main>{body}</main></body></html>"
    )
    return web.Response(text=document, content_type="text/html", headers=HEADERS)
