"""What a message says, as mrkdwn without marks of formatting: what a person typed is in its blocks, exactly.

A message's `text` marks bold, code and the like with characters that people also type for themselves, and apps often
leave it empty. https://docs.slack.dev/reference/block-kit/blocks/rich-text-block. Whatever is not of the documented
shape is left out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_NAMED = re.compile(r"<(#[CG][A-Z0-9]+|!subteam\^[A-Z0-9]+)\|([^<>|]+)>")
_INDENT = "    "

Part = Mapping[str, Any]


def wire_text(message: Part) -> str:
    """A message as mrkdwn: of a person, the words of its blocks; of an app, its text, or else all that it shows."""
    text, blocks = _str(message, "text"), _parts(message.get("blocks"))
    typed = not message.get("bot_id") and any(b.get("type") == "rich_text" for b in blocks)
    if text and not typed:
        return text
    said = _blocks(blocks, dict(_NAMED.findall(text)))
    if not typed:  # what is attached to a person's message are previews of links
        said += [_attached(a) for a in _parts(message.get("attachments"))]
    return "\n".join(filter(None, said)) or text


def _attached(attachment: Part) -> str:
    text = _str(attachment, "text") or _str(attachment, "fallback")
    return "\n".join(_blocks(_parts(attachment.get("blocks")), {})) or text


def _blocks(blocks: Sequence[Part], names: Mapping[str, str]) -> list[str]:
    return [said for b in blocks if (said := _block(b, names))]


def _block(block: Part, names: Mapping[str, str]) -> str:
    kind = block.get("type")
    if kind == "rich_text":
        return "\n".join(line for part in _parts(block.get("elements")) for line in _lines(part, names))
    if kind in ("table", "data_table"):
        rows = block["rows"] if isinstance(block.get("rows"), list) else []
        return "\n".join("\t".join(_cell(c, names) for c in _parts(row)) for row in rows)
    if isinstance(block.get("text"), str):  # `markdown`
        return _escaped(block["text"])
    texts = [block.get("text"), block.get("title"), *_parts(block.get("fields")), *_parts(block.get("elements"))]
    said = [_text(t) for t in texts if isinstance(t, Mapping) and isinstance(t.get("text"), str)]
    return "\n".join(filter(None, [*said, _escaped(_str(block, "alt_text"))]))


def _text(text: Part) -> str:
    return str(text["text"]) if text.get("type") == "mrkdwn" else _escaped(str(text["text"]))


def _cell(cell: Part, names: Mapping[str, str]) -> str:
    return _block(cell, names) if cell.get("type") == "rich_text" else _escaped(_str(cell, "text"))


def _lines(part: Part, names: Mapping[str, str]) -> Iterator[str]:
    """One part of a rich text: a paragraph, a list, a quotation, or code."""
    kind, elements = part.get("type"), _parts(part.get("elements"))
    if kind == "rich_text_list":
        first = part["offset"] if isinstance(part.get("offset"), int) else 0
        indent = _INDENT * min(part["indent"], 8) if isinstance(part.get("indent"), int) else ""
        for number, element in enumerate(elements, first + 1):
            mark = f"{number}." if part.get("style") == "ordered" else "•"
            yield f"{indent}{mark} " + "\n".join(_lines(element, names))
        return
    said = "".join(_element(e, names) for e in elements)
    if kind == "rich_text_quote":
        said = "\n".join(f"> {line}" for line in said.splitlines())
    yield said


def _element(element: Part, names: Mapping[str, str]) -> str:
    """A run of text, or one thing in it, as mrkdwn wraps it."""
    match element.get("type"):
        case "user":
            return f"<@{_str(element, 'user_id')}>"
        case "channel":
            return _known(f"#{_str(element, 'channel_id')}", names)
        case "usergroup":
            return _known(f"!subteam^{_str(element, 'usergroup_id')}", names)
        case "broadcast":
            return f"<!{_str(element, 'range')}>"
        case "link":
            label = re.sub("[<>|]", "", _str(element, "text"))
            url = _escaped(_str(element, "url")).replace("|", "%7C")
            return f"<{url}|{label}>" if label else f"<{url}>"
        case "emoji":
            return _emoji(element)
        case _:
            return _escaped(_str(element, "text") or _str(element, "fallback") or _str(element, "value"))


def _known(target: str, names: Mapping[str, str]) -> str:
    return f"<{target}|{names[target]}>" if target in names else f"<{target}>"


def _emoji(element: Part) -> str:
    try:
        return "".join(chr(int(code, 16)) for code in _str(element, "unicode").split("-")).encode().decode()
    except (ValueError, OverflowError):  # one of the workspace's own has no character
        return f":{_escaped(_str(element, 'name'))}:"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _str(part: Part, key: str) -> str:
    value = part.get(key)
    return value if isinstance(value, str) else ""


def _parts(value: object) -> list[Part]:
    return [p for p in value if isinstance(p, Mapping)] if isinstance(value, list) else []
