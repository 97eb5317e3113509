"""What a person sees in the fake Teams, as plain text for dialogue tests."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from . import adaptive
from .teams_world import BOT_NAME, Dialog, Post, World

_TAG = re.compile(r"<[^>]+>")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_MARKS = re.compile(r"(?<![\w*_])(\*\*|__|\*|_)(?=\S)(.+?)(?<=\S)\1(?![\w*_])")


def plain(text: str) -> str:
    """Markdown and mention tags -> what is read."""
    shown = _LINK.sub(r"\1", _TAG.sub("", text.replace("<br>", "\n")))
    previous = ""
    while previous != shown:
        previous, shown = shown, _MARKS.sub(r"\2", shown)
    return html.unescape(re.sub(r"\\([\\`*_{}\[\]()#+.!~>-])", r"\1", shown))


def card_lines(card: Mapping[str, Any], values: Mapping[str, Any] | None = None) -> list[str]:
    """A card: its text top to bottom, columns side by side, then its buttons."""
    lines = _elements(card.get("body") or (), values or {})
    if actions := card.get("actions"):
        lines.append(_buttons(actions))
    return lines


def _buttons(actions: Iterable[Mapping[str, Any]]) -> str:
    return " ".join(f"[{a.get('title', '…')}]" for a in actions)


def _elements(items: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> list[str]:
    return [line for item in items if item.get("isVisible", True) for line in _element(item, values)]


def _element(item: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    kind = str(item.get("type"))
    if kind.startswith("Input."):
        return [_input(item, values)]
    match kind:
        case "TextBlock":
            return plain(str(item.get("text", ""))).split("\n")
        case "RichTextBlock":
            runs = [run if isinstance(run, str) else str(run.get("text", "")) for run in item.get("inlines") or ()]
            return "".join(runs).split("\n")
        case "FactSet":
            return [f"{plain(str(f['title']))}: {plain(str(f['value']))}" for f in item.get("facts") or ()]
        case "Container" | "Column" | "TableCell":
            return _elements(item.get("items") or (), values)
        case "ColumnSet":
            return _side_by_side([_elements([column], values) for column in item.get("columns") or ()])
        case "Table":
            rows = item.get("rows") or ()
            return [" | ".join(" ".join(_elements([c], values)) for c in row.get("cells") or ()) for row in rows]
        case "ActionSet":
            return [_buttons(item.get("actions") or ())]
        case "Image":
            return [f"({item.get('altText', 'image')})"]
        case other:
            return [f"({other})"]


def _side_by_side(columns: list[list[str]]) -> list[str]:
    """Columns of one line each share it; longer ones follow each other."""
    filled = [c for c in columns if c]
    if all(len(c) == 1 for c in filled):
        return ["  ".join(c[0] for c in filled)] if filled else []
    return [line for column in filled for line in column]


def _input(item: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    label = item.get("label") or item.get("title") or item.get("id")
    mark = " *" if item.get("isRequired") else ""
    value = values.get(str(item.get("id")), item.get("value"))
    if item["type"] == "Input.ChoiceSet":
        named = {c["value"]: c["title"] for c in item.get("choices") or ()}
        chosen = [named.get(v, v) for v in str(value or "").split(",") if v]
        value = f"[{', '.join(chosen) or item.get('placeholder', '')} ▾]"
    if item["type"] == "Input.Toggle":
        value = "yes" if str(value) == str(item.get("valueOn", "true")) else "no"
    placeholder = f"({item['placeholder']})" if item.get("placeholder") else "____"
    return f"{label}{mark}: {value if value not in (None, '') else placeholder}"


def post_lines(post: Post, world: World, user: str = "") -> list[str]:
    """`Name: first line`, then the rest; marks for private messages and reactions."""
    author = BOT_NAME if post.by_bot else world.people[post.sender].name
    body = plain(post.text).split("\n") if post.text else []
    card = post.card(user)
    if card is not None:
        body += card_lines(card)
    for attachment in post.activity.get("attachments") or ():
        if attachment.get("contentType") not in (adaptive.CONTENT_TYPE, "text/html"):
            content = attachment.get("content") or {}
            body += [str(content[key]) for key in ("title", "subtitle", "text") if content.get(key)]
            body += [_buttons(content["buttons"])] if content.get("buttons") else []
    body += [f"({kind}: {len(people)})" for kind, people in post.reactions.items()]
    private = " (only visible to you)" if post.to else ""
    if len(body) == 1:
        return [f"{author}{private}: {body[0]}"]
    return [f"{author}{private}:", *(f"  {line}" for line in body)]


def dialog_lines(dialog: Dialog) -> list[str]:
    lines = [f"== {dialog.title} =="]
    if dialog.card is not None:
        lines += card_lines(dialog.card)
    lines += [line for line in (dialog.message, dialog.url and f"(page: {dialog.url})") if line]
    return [*lines, f"! {dialog.problem}"] if dialog.problem else lines
