"""The shape of what Slack sends, checked once before anything reads it; a listener may then count on it.

Only what we read is described, any of it may be missing, and `null` is as good as missing. Plain code and no models,
because each request passes here.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

Shape = Any
"""A type, a list of one shape, or an object by keys (`...`: every other key)."""


def _texts(*names: str, **further: Shape) -> dict[Any, Shape]:
    return {**dict.fromkeys(names, str), **further}


_NAMED = _texts("id", "team_id", "enterprise_id", "name", "username")
_FILE = _texts("id", "name", "title", "mimetype", "file_access", "url_private", "url_private_download", size=int)
_MESSAGE = _texts(
    *("ts", "thread_ts", "user", "text", "subtype", "bot_id", "username", "channel", "channel_type"),
    edited=_texts("ts"),
    files=[_FILE],
    blocks=[dict],
    attachments=[dict],
    bot_profile=_texts("name"),
)
_EVENT = {
    **_MESSAGE,
    **_texts(*("type", "tab", "reaction", "item_user", "entity_url", "trigger_id", "message_ts", "unfurl_id")),
    **_texts("source", "user_team", "source_team"),
    "user": (str, dict),
    "channel": (str, dict),
    "item": _texts("type", "channel", "ts"),
    "link": _texts("url"),
    "links": [_texts("url", "domain")],
    "message": _MESSAGE,
    "previous_message": _MESSAGE,
    "tokens": {...: list},
}
_OPTION = _texts("value")
_ENTERED: Shape = {"value": str, "selected_option": _OPTION, "selected_options": [_OPTION], "selected_date_time": int}
_VIEW = _texts(
    *("id", "hash", "type", "callback_id", "private_metadata", "previous_view_id", "root_view_id"),
    *("app_installed_team_id", "external_id"),
    blocks=[_texts("type", "block_id")],
    state={"values": {...: {...: _ENTERED}}},
)
BODY: Shape = _texts(
    *("type", "team_id", "enterprise_id", "user_id", "user_name", "channel_id", "channel_name", "command", "text"),
    *("trigger_id", "response_url", "event_id", "callback_id", "action_id", "block_id", "value", "message_ts"),
    user=_NAMED,
    team=_NAMED,
    enterprise=_NAMED,
    channel=_NAMED,
    container=_texts("type", "message_ts", "thread_ts", "channel_id", "entity_url", external_ref=_texts("id")),
    message=_MESSAGE,
    view=_VIEW,
    actions=[_texts("type", "action_id", "block_id", "value", selected_option=_OPTION)],
    authorizations=[_texts("team_id", "enterprise_id", "user_id")],
    event=_EVENT,
)


def fits(value: object, shape: Shape) -> bool:
    """Whether a value, which is not None, is of this shape."""
    if isinstance(shape, dict):
        if not isinstance(value, Mapping):
            return False
        rest = shape.get(...)
        return all(v is None or (s := shape.get(k, rest)) is None or fits(v, s) for k, v in value.items())
    if isinstance(shape, list):
        return isinstance(value, list) and all(v is not None and fits(v, shape[0]) for v in value)
    return isinstance(value, shape)


def without_nulls(value: Any) -> Any:
    """The same JSON without the keys that hold nothing."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


def whole(body: Mapping[str, Any]) -> bool:
    """Whether it has the parts without which nobody can tell what it is."""
    kind = body.get("type")
    if kind == "block_actions":
        return bool(body.get("actions")) and all(a.get("action_id") for a in body["actions"])
    if kind in ("view_submission", "view_closed"):
        return bool((body.get("view") or {}).get("type"))
    return bool(body.get("event_id")) if kind == "event_callback" else True


class Shaped(AsyncMiddleware):
    """Refuses what is of another shape, before Bolt and the listeners read it."""

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,  # noqa: ARG002
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: A002  (Bolt's name)
    ) -> BoltResponse | None:
        try:
            if not (fits(req.body, BODY) and whole(req.body)):
                return BoltResponse(status=400, body='{"error": "unreadable body"}')
            if "command" not in req.body:  # a form, whose fields are texts
                req.body = without_nulls(req.body)
        except RecursionError:
            return BoltResponse(status=400, body='{"error": "body nested too deeply"}')
        return await next()
