"""Who is told of which changes: webhooks, and how rows of Dataverse's own tables register them.

A service endpoint (contract 8) says where and with what proof, a processing step which message of which table. Sources:
learn.microsoft.com/power-apps/developer/data-platform/register-web-hook and .../reference/entities/serviceendpoint,
.../sdkmessageprocessingstep. Steps are asynchronous ones after the operation; every other kind is refused.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from defusedxml import DefusedXmlException, ElementTree
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from yarl import URL

from .catalog import Table, metadata_id
from .errors import INVALID_ARGUMENT, DataverseError, bad_request, not_implemented
from .registry import Registry
from .session import Change, Row, Session
from .store import Transaction
from .wire import sendable

MESSAGES: Final = ("Create", "Update", "Delete")
TABLES: Final = frozenset({"serviceendpoint", "sdkmessageprocessingstep"})
"""Whose rows say who is told."""
_WEBHOOK, _KEY, _HEADER, _QUERY, _ASYNCHRONOUS, _POST_OPERATION = 8, 4, 5, 6, 1, 40
_AUTHENTICATIONS = {_KEY: "key", _HEADER: "headers", _QUERY: "query"}


class Webhook(BaseModel):
    """An endpoint (Dataverse: a service endpoint with contract 8) and the steps registered on it.

    Of `headers` (HttpHeader), `key` (WebhookKey, sent as `?code=`) and `query` (HttpQueryString) one may be given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(max_length=2000)
    tables: tuple[str, ...] = ()
    """Logical names; empty for every table."""
    messages: tuple[Literal["Create", "Update", "Delete"], ...] = Field(MESSAGES, min_length=1)
    columns: tuple[str, ...] = ()
    """Filtering columns: an update counts only when it writes one of them; empty for any."""
    headers: dict[str, str] = Field(default_factory=dict)
    key: str | None = None
    query: dict[str, str] = Field(default_factory=dict)

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an http or https address")
        return url

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, str]) -> dict[str, str]:
        return sendable(headers)

    @model_validator(mode="after")
    def _one_authentication(self) -> Self:
        if bool(self.headers) + (self.key is not None) + bool(self.query) > 1:
            raise ValueError("give one of headers, key and query")
        return self

    def wants(self, change: Change) -> bool:
        return (
            (not self.tables or change.table.logical_name in self.tables)
            and change.message in self.messages
            and (change.message != "Update" or not self.columns or not change.values.keys().isdisjoint(self.columns))
        )

    @property
    def address(self) -> URL:
        """Where to post, with what authenticates in the query."""
        more = self.query if self.key is None else {"code": self.key}
        return URL(self.url).extend_query(more)


def register(registry: Registry) -> None:
    registry.rule_before("serviceendpoint", _check_endpoint)
    registry.rule_before("sdkmessageprocessingstep", _check_step)


def message_rows(tables: Iterable[Table]) -> list[tuple[str, Row]]:
    """The rows of `sdkmessage` and `sdkmessagefilter` that an organisation with these tables has."""
    found: list[tuple[str, Row]] = [
        ("sdkmessage", {"sdkmessageid": metadata_id("sdkmessage", name), "name": name, "isprivate": 0})
        for name in MESSAGES
    ]
    for table in tables:
        for name in () if table.is_intersect else MESSAGES:
            row = {
                "sdkmessagefilterid": metadata_id("sdkmessagefilter", table.logical_name, name),
                "primaryobjecttypecode": table.logical_name,
                "secondaryobjecttypecode": "none",
                "iscustomprocessingstepallowed": 1,
                "sdkmessageid": metadata_id("sdkmessage", name),
            }
            found.append(("sdkmessagefilter", row))
    return found


def registered_steps(tx: Transaction) -> dict[str, Webhook]:
    """The enabled steps as webhooks, by the id of the step."""
    if not all(name in tx.catalog for name in TABLES):
        return {}
    found = tx.execute(
        "SELECT s.sdkmessageprocessingstepid, m.name, f.primaryobjecttypecode, s.filteringattributes, "
        "e.url, e.authtype, e.authvalue FROM sdkmessageprocessingstep s "
        "JOIN serviceendpoint e ON e.serviceendpointid = s.eventhandler "
        "JOIN sdkmessage m ON m.sdkmessageid = s.sdkmessageid "
        "LEFT JOIN sdkmessagefilter f ON f.sdkmessagefilterid = s.sdkmessagefilterid WHERE s.statecode = 0"
    ).fetchall()
    return {
        step: Webhook(
            url=url,
            tables=(table,) if table else (),
            messages=(message,),
            columns=_names(columns),
            **_authentication(kind, secret),
        )
        for step, message, table, columns, url, kind, secret in found
    }


def _check_endpoint(session: Session, table: Table, values: Row, before: Row | None) -> None:
    del session
    row = {**(before or {}), **values}
    if row.get("contract") != _WEBHOOK:
        raise not_implemented(f"A service endpoint whose contract is not {_WEBHOOK} (Webhook)")
    if row.get("authtype") not in _AUTHENTICATIONS:
        raise bad_request(
            "The authtype of a webhook is 4 (WebhookKey), 5 (HttpHeader) or 6 (HttpQueryString).", INVALID_ARGUMENT
        )
    try:
        Webhook(url=row.get("url") or "", **_authentication(row["authtype"], row.get("authvalue")))
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}".removeprefix(": ") for e in error.errors())
        raise bad_request(f"This {table.logical_name} is no webhook: {said}", INVALID_ARGUMENT) from None
    values["isauthvalueset"] = int(bool(row.get("authvalue")))


def _check_step(session: Session, table: Table, values: Row, before: Row | None) -> None:
    del table
    row = {**(before or {}), **values}
    if row.get("mode") != _ASYNCHRONOUS:
        raise not_implemented("A synchronous step (mode 0)")
    if row.get("stage") != _POST_OPERATION:
        raise DataverseError(400, INVALID_ARGUMENT, "An asynchronous step belongs to stage 40 (post-operation).")
    found = session.tx.execute(
        "SELECT primaryobjecttypecode, sdkmessageid FROM sdkmessagefilter WHERE sdkmessagefilterid = ?",
        (row.get("sdkmessagefilterid"),),
    ).fetchone()
    if found is not None and found[1] != row.get("sdkmessageid"):
        raise bad_request("The SdkMessageFilter does not belong to the SdkMessage of this step.", INVALID_ARGUMENT)
    named = _names(row.get("filteringattributes"))
    known = session.table(found[0]).columns if found is not None else {}
    if missing := [name for name in named if name not in known]:
        raise bad_request(f"The filtering attribute '{missing[0]}' is no column of the step's table.", INVALID_ARGUMENT)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _authentication(kind: int, secret: str | None) -> dict[str, Any]:
    """The arguments of a Webhook. Raises: DataverseError 400."""
    if kind == _KEY:
        return {"key": secret or ""}
    try:
        settings = ElementTree.fromstring(secret or "<settings/>")
        pairs = {item.attrib["name"]: item.attrib["value"] for item in settings}
    except (ElementTree.ParseError, DefusedXmlException, KeyError):
        example = '<settings><setting name="…" value="…" /></settings>'
        raise bad_request(f"The authvalue must be {example}.", INVALID_ARGUMENT) from None
    return {_AUTHENTICATIONS[kind]: pairs}
