"""What a person sees in the fake Slack, as plain text for dialogue tests."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .slack_records import SLACKBOT, Message, View
from .slack_state import all_options
from .slack_world import World

_ANGLE = re.compile(r"<([^<>]*)>")
_MARKS = re.compile(r"(?<![\w*_~])([*_~])(?=\S)(.+?)(?<=\S)\1(?![\w*_~])")


def plain(text: str, world: World | None = None) -> str:
    """mrkdwn -> what is read: names for mentions, labels for links, no markup."""

    def shown(found: re.Match[str]) -> str:
        inner, _, label = found.group(1).partition("|")
        if inner.startswith("!date^"):
            return label
        if inner.startswith("@"):
            known = world.users.get(inner[1:]) if world else None
            return f"@{known.name if known else label or inner[1:]}"
        if inner.startswith("#"):
            known_channel = world.channels.get(inner[1:]) if world else None
            return f"#{known_channel.name if known_channel else label or inner[1:]}"
        if inner.startswith("!"):
            return f"@{label or inner[1:].partition('^')[0]}"
        return label or inner.removeprefix("mailto:")

    without = _ANGLE.sub(shown, text)
    previous = ""
    while previous != without:
        previous, without = without, _MARKS.sub(r"\2", without)
    return html.unescape(without)


def words(value: Any, world: World | None = None) -> str:
    """A text object, or anything that holds one."""
    if isinstance(value, Mapping):
        text = value.get("text")
        if isinstance(text, Mapping):
            return words(text, world)
        if value.get("type") == "plain_text":
            return str(text)
        if isinstance(text, str):
            return plain(text, world)
        if value.get("type") == "image":
            return f"({value.get('alt_text')})"
    return ""


def element_text(element: Mapping[str, Any], state: Mapping[str, Any] | None = None) -> str:
    """A control: `[Button]`, `[Placeholder ▾]`, or the value it holds."""
    kind = str(element.get("type"))
    if kind == "image":
        return f"({element.get('alt_text')})"
    if kind in ("button", "workflow_button"):
        return f"[{words(element.get('text'))}]"
    if kind == "overflow":
        return f"[… {' | '.join(words(o['text']) for o in element['options'])}]"
    value = _chosen(state or {})
    if kind in ("checkboxes", "radio_buttons"):
        marks = [f"({'x' if words(o['text']) in value else ' '}) {words(o['text'])}" for o in all_options(element)]
        return " ".join(marks)
    placeholder = words(element.get("placeholder"))
    if kind.endswith("select"):
        return f"[{', '.join(value) or placeholder} ▾]"
    return ", ".join(value) or (f"({placeholder})" if placeholder else "____")


def _chosen(state: Mapping[str, Any]) -> list[str]:
    found = [v for key, v in state.items() if key != "type" and v not in (None, [], "")]
    flat = [item for v in found for item in (v if isinstance(v, list) else [v])]
    return [words(item["text"]) if isinstance(item, Mapping) and "text" in item else str(item) for item in flat]


def blocks_text(
    blocks: Iterable[Mapping[str, Any]], world: World | None = None, values: Mapping[str, Any] | None = None
) -> list[str]:
    """Blocks as lines."""
    lines: list[str] = []
    for block in blocks:
        state = (values or {}).get(str(block.get("block_id")), {})
        lines += [line for text in _block_lines(block, world, state) for line in text.split("\n")]
    return lines


def _block_lines(block: Mapping[str, Any], world: World | None, state: Mapping[str, Any]) -> list[str]:
    def control(element: Mapping[str, Any]) -> str:
        return element_text(element, state.get(str(element.get("action_id")), {}))

    match block.get("type"):
        case "header":
            return [words(block["text"])]
        case "section":
            return _section(block, world, control)
        case "actions":
            return [" ".join(control(e) for e in block["elements"])]
        case "context":
            return [" ".join(words(e, world) for e in block["elements"])]
        case "divider":
            return ["---"]
        case "input":
            mark = "" if block.get("optional") else " *"
            return [f"{words(block['label'])}{mark}: {control(block['element'])}"]
        case "rich_text":
            return rich_text(block["elements"], world)
        case "table":
            return [" | ".join(_cell(cell, world) for cell in row) for row in block["rows"]]
        case "markdown" | "alert":
            text = block.get("text")
            return [text if isinstance(text, str) else words(text, world)]
        case other:
            return [f"({block.get('alt_text', other)})"]


def _section(block: Mapping[str, Any], world: World | None, control: Callable[[Any], str]) -> list[str]:
    lines = [words(block["text"], world)] if "text" in block else []
    lines += [words(f, world).replace("\n", " ") for f in block.get("fields", ())]
    if "accessory" in block:
        beside = control(block["accessory"])
        lines[-1:] = [f"{lines[-1]}  {beside}"] if lines else [beside]
    return lines


def _cell(cell: Mapping[str, Any], world: World | None) -> str:
    if cell.get("type") == "rich_text":
        return " ".join(rich_text(cell.get("elements", ()), world))
    return str(cell.get("text", cell.get("value", "")))


def rich_text(elements: Iterable[Mapping[str, Any]], world: World | None = None) -> list[str]:
    lines: list[str] = []
    for element in elements:
        parts = element.get("elements", ())
        if element.get("type") == "rich_text_list":
            lines += [f"• {''.join(rich_text([item], world))}" for item in parts]
        else:
            lines.append("".join(_rich(part, world) for part in parts))
    return lines


def _rich(part: Mapping[str, Any], world: World | None) -> str:
    match part.get("type"):
        case "text":
            return str(part["text"])
        case "link":
            return str(part.get("text") or part["url"])
        case "user":
            known = world.users.get(part["user_id"]) if world else None
            return f"@{known.name if known else part['user_id']}"
        case "emoji":
            return f":{part['name']}:"
        case "date":
            return str(part.get("fallback", part.get("timestamp", "")))
        case other:
            return f"({other})"


def message_text(message: Message, world: World) -> list[str]:
    """`Name: first line`, then the rest; marks for private, edited, files, reactions."""
    author = "Slackbot" if message.user == SLACKBOT else world.users[message.user].real_name
    body = blocks_text(message.blocks, world) if message.blocks else plain(message.text, world).split("\n")
    for attachment in (*message.attachments, *message.unfurls.values()):
        inner = blocks_text(attachment["blocks"], world) if "blocks" in attachment else entity_text(attachment)
        body += [f"| {line}" for line in inner]
    body += [f"(file: {file['title']})" for file in message.files]
    body += [f":{name}: {len(users)}" for name, users in message.reactions.items() if users]
    private = " (only visible to you)" if message.to else ""
    if len(body) == 1:
        return [f"{author}{private}: {body[0]}"]
    return [f"{author}{private}:", *(f"  {line}" for line in body)]


def entity_text(attachment: Mapping[str, Any]) -> list[str]:
    """A Work Object's card, or a plain attachment."""
    entity = attachment.get("entity")
    if not entity:
        return plain(str(attachment.get("text") or attachment.get("fallback") or "")).split("\n")
    payload = entity["entity_payload"]
    fields = [f"{f['label']}: {f.get('value')}" for f in payload.get("custom_fields", ())]
    return [payload["attributes"]["title"]["text"], *fields]


def view_text(view: View, world: World) -> str:
    """A modal or home tab: title, blocks with what is typed, errors under their fields, buttons."""
    lines = [f"== {words(view.body['title'])} =="] if "title" in view.body else []
    for block in view.blocks:
        lines += blocks_text([block], world, view.values)
        if block.get("block_id") in view.errors:
            lines.append(f"  ! {view.errors[block['block_id']]}")
    if view.notice:
        lines.append(f"! {view.notice}")
    buttons = [words(view.body[key]) for key in ("close", "submit") if key in view.body]
    if buttons:
        lines.append(" ".join(f"[{b}]" for b in buttons))
    return "\n".join(lines)
