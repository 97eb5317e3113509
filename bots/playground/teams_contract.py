"""What Teams accepts as the answer to each invoke; everything else it shows as "Something went wrong"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import adaptive

# seconds that Teams waits for the answer to an invoke, and for that to a message
DEADLINES = {"composeExtension": 5.0, "task": 5.0, "adaptiveCard": 10.0, "application": 5.0, "signin": 5.0}
MESSAGE_SECONDS = 15.0
OAUTH_CARD = "application/vnd.microsoft.card.oauth"
_PREVIEWS = {"application/vnd.microsoft.card.hero", "application/vnd.microsoft.card.thumbnail"}


def deadline(name: str) -> float:
    return DEADLINES.get(name.partition("/")[0], 10.0)


def problems(name: str, answer: Any) -> list[str]:
    """What is wrong with the body of a 200 answer to this invoke."""
    check = _CHECKS.get(name)
    return list(check(answer)) if check else []


def sign_in_problems(card: Any) -> Iterator[str]:
    """What is wrong with an OAuthCard's content."""
    if not isinstance(card, Mapping) or not card.get("connectionName"):
        yield "an OAuthCard needs a connectionName"
        return
    resource = card.get("tokenExchangeResource") or {}
    if not resource.get("id") or not str(resource.get("uri", "")).startswith("api://"):
        yield "tokenExchangeResource needs id and uri"
    if not any(b.get("type") == "signin" and b.get("value") for b in card.get("buttons") or ()):
        yield "an OAuthCard needs a signin button with an address"


def _compose(answer: Any) -> Iterator[str]:
    body = answer.get("composeExtension") if isinstance(answer, Mapping) else None
    if not isinstance(body, Mapping):
        yield "composeExtension is missing"
        return
    match body.get("type"):
        case "result":
            if body.get("attachmentLayout", "list") not in ("list", "grid"):
                yield "attachmentLayout must be list or grid"
            if len(body.get("attachments") or ()) > 25:
                yield "no more than 25 results"
            for index, attachment in enumerate(body.get("attachments") or ()):
                yield from _attachment(attachment, f"attachments/{index}", preview=True)
        case "message":
            if not isinstance(body.get("text"), str):
                yield "a message needs text"
        case "auth" | "config":
            if not (body.get("suggestedActions") or {}).get("actions"):
                yield "auth and config need suggestedActions.actions"
        case "botMessagePreview":
            cards = (body.get("activityPreview") or {}).get("attachments") or ()
            if len(cards) != 1:
                yield "botMessagePreview needs exactly one card"
        case other:
            yield f"unknown composeExtension.type {other!r}"


def _attachment(attachment: Any, at: str, *, preview: bool) -> Iterator[str]:
    if not isinstance(attachment, Mapping) or "contentType" not in attachment:
        yield f"{at}: contentType is missing"
        return
    if attachment["contentType"] == adaptive.CONTENT_TYPE:
        yield from (f"{at}: {said}" for said in adaptive.problems(attachment.get("content")))
        shown = (attachment.get("preview") or {}).get("contentType")
        if preview and shown not in _PREVIEWS:
            yield f"{at}: an Adaptive Card needs a hero or thumbnail preview"


def _task(answer: Any, empty: bool = False) -> Iterator[str]:
    if empty and not answer:
        return
    task = answer.get("task") if isinstance(answer, Mapping) else None
    if not isinstance(task, Mapping):
        yield "task is missing"
        return
    value = task.get("value")
    match task.get("type"):
        case "message":
            if not isinstance(value, str):
                yield "task.value must be a string in a message"
        case "continue":
            if not isinstance(value, Mapping) or ("card" in value) == ("url" in value):
                yield "task.value needs exactly one of card and url"
            elif "card" in value:
                yield from _attachment(value["card"], "task.value.card", preview=False)
        case other:
            yield f"unknown task.type {other!r}"


def _submit(answer: Any) -> Iterator[str]:
    if not answer:
        return
    if isinstance(answer, Mapping) and "task" in answer:
        yield from _task(answer)
    else:
        yield from _compose(answer)


def _execute(answer: Any) -> Iterator[str]:
    if not isinstance(answer, Mapping) or not {"statusCode", "type"} <= set(answer):
        yield "statusCode and type are required"
        return
    value, kind = answer.get("value"), str(answer["type"])
    match kind:
        case adaptive.CONTENT_TYPE:
            yield from adaptive.problems(value)
        case "application/vnd.microsoft.activity.message":
            if not isinstance(value, str):
                yield "a message's value must be a string"
        case "application/vnd.microsoft.error" | "application/vnd.microsoft.error.preconditionFailed":
            if not isinstance(value, Mapping) or not {"code", "message"} <= set(value):
                yield "an error's value needs code and message"
        case "application/vnd.microsoft.activity.loginRequest":
            return
        case other:
            yield f"unknown type {other!r}"


def _search(answer: Any) -> Iterator[str]:
    if not isinstance(answer, Mapping) or answer.get("type") != "application/vnd.microsoft.search.searchResponse":
        yield "type must be application/vnd.microsoft.search.searchResponse"
        return
    results = (answer.get("value") or {}).get("results")
    if not isinstance(results, list) or any(not {"title", "value"} <= set(r) for r in results):
        yield "value.results must be a list of {title, value}"
    elif len(results) > 15:
        yield "no more than 15 results"


_CHECKS: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "composeExtension/query": _compose,
    "composeExtension/queryLink": _compose,
    "composeExtension/anonymousQueryLink": _compose,
    "composeExtension/selectItem": _compose,
    "composeExtension/fetchTask": _submit,
    "composeExtension/submitAction": _submit,
    "task/fetch": _task,
    "task/submit": lambda answer: _task(answer, empty=True),
    "adaptiveCard/action": _execute,
    "application/search": _search,
}
