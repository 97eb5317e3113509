"""Text on its way into and out of Slack: escaping, clipping, dates, and mrkdwn made plain."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime

from commands.language import markup

_MARKER = re.compile(r"(?<![^\W_])([*_~`])(?=\S)")
_ZERO_WIDTH_SPACE = "\u200b"


# Control characters, half characters, and the marks that make text run backwards over what stands beside it.
_UNPRINTABLE = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_UNSEEN = re.compile(f"[{_UNPRINTABLE}]")


_SPECIAL = re.compile(f"[&<>*_~`{_UNPRINTABLE}]")


def printable(text: str) -> str:
    """The text without what nobody can see and some clients trip over."""
    return _UNSEEN.sub("", text)


def escape(text: str) -> str:
    """Plain text as mrkdwn that shows exactly that text.

    `& < >` are Slack's three control characters; unescaped, a record's name could hold `<!channel>` or a
    link. A formatting mark that would open a run gets a zero-width space behind it, because Slack has no
    escape for `* _ ~ \\``.
    """
    if not _SPECIAL.search(text):  # most texts are plain, and this is on the way of every answer
        return text
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKER.sub(rf"\1{_ZERO_WIDTH_SPACE}", text)


def clip(text: str, limit: int) -> str:
    """`text` in at most `limit` characters; what was cut is marked by an ellipsis."""
    text = printable(text[: 4 * limit])
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def clip_escaped(text: str, limit: int) -> str:
    """`escape(text)` in at most `limit` characters, never ending inside an entity."""
    text = text[: 4 * limit]  # nothing that escaping leaves out makes more than this worth looking at
    if len(escaped := escape(text)) <= limit:
        return escaped
    low, high = 0, len(text)  # longest prefix of the plain text whose escaped form fits
    while low < high:
        middle = (low + high + 1) // 2
        if len(escape(text[:middle])) < limit:
            low = middle
        else:
            high = middle - 1
    return escape(text[:low].rstrip()) + "…"


def is_web(url: str) -> bool:
    """Whether an address may be offered for clicking: https or http, nothing that a client would run."""
    return url.startswith(("https://", "http://")) and url.isprintable() and " " not in url


def link(url: str, label: str) -> str:
    """A mrkdwn link; `|` and `>` would end it early, so they are percent-encoded in the address."""
    address = url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
    return f"<{address}|{escape(label).replace('|', '¦')}>"


def moment(value: datetime | date, fallback: str, *, brief: bool = False) -> str:
    """A date or time that Slack shows in each reader's own zone; `fallback` where it cannot. `brief`: the day alone.

    A date without a time has no zone: it is shown as it is.
    """
    if not isinstance(value, datetime):
        return escape(fallback)
    stamp = int((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
    form = "{date_short_pretty}" if brief else "{date_short_pretty} {time}"
    return f"<!date^{stamp}^{form}|{escape(fallback).replace('|', '¦')}>"


_DATE = re.compile(r"<!date\^[^|<>]{1,500}\|([^<>]{0,500})>")


def mentioned_users(text: str) -> set[str]:
    """The ids of the users whom a mrkdwn text mentions."""
    return {match["user"] for match in markup.MENTION.finditer(text)}


def plain(text: str, names: Mapping[str, str]) -> str:
    """A Slack message's mrkdwn as the plain text that its reader saw; `names` are display names by user id."""
    named = markup.MENTION.sub(
        lambda m: f"<@{m['user']}|{re.sub('[<>|]', '', names.get(m['user'], ''))}>" if m["user"] in names else m[0],
        text,
    )
    return markup.plain(_DATE.sub(r"\1", named))


def without_mention(text: str, user: str) -> str:
    """The words around the mention of `user`; without a known `user`, around the first mention."""
    who = re.escape(user) if user else "[UW][A-Z0-9]+"
    return re.sub(rf"<@{who}(\|[^<>]*)?>", " ", text, count=0 if user else 1).strip(" \n\t:,")
