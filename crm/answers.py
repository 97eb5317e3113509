"""What an answer means: JSON for success, one CrmError for anything else."""

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from .errors import BadAnswer, CrmError, Forbidden, Throttled, Unauthenticated, Unavailable, error_class
from .transport import Answer

_CLOCK_SKEW = 300
"""Seconds; Entra accepts five minutes of difference."""

# Names inside Dataverse's messages. They only enrich an error; classes are chosen by code.
_RIGHTS = "AppendTo|Append|Create|Read|Write|Delete|Assign|Share"
_PRIVILEGE = re.compile(rf"\b(prv({_RIGHTS})?(\w+))")
_ACCESS = re.compile(rf"\b({_RIGHTS})Access\b")
_ENTITY = re.compile(r"'(\w+)' entity|entity '(\w+)'|[Ee]ntity(?:Name)?\s?[:=]\s?'?(\w+)")
_ATTRIBUTE = re.compile(
    r"'(\w+)' attribute|attribute '(\w+)'|[Aa]ttribute(?:Name)?\s?[:=]\s?'?(\w+)|property '([\w.]+)'"
)
_PRIVILEGE_TABLES = {"note": "annotation", "activity": "activitypointer", "order": "salesorder", "user": "systemuser"}
"""Where a privilege is not named after its table."""
_HTML = (b"<!doctype", b"<html")


def request_id(answer: Answer) -> str | None:
    """Dataverse's name for the request, for Microsoft's support."""
    return answer.headers.get("x-ms-service-request-id") or answer.headers.get("REQ_ID")


def parsed(answer: Answer, host: str) -> Any:
    """The JSON of a successful answer; None for an empty one. Raises BadAnswer."""
    if not answer.body:
        return None
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise bad_answer(answer, host) from None


def bad_answer(answer: Answer, host: str) -> BadAnswer:
    """What stood in the place of Dataverse's JSON."""
    return BadAnswer(_not_dataverse(answer, host), status=answer.status, request_id=request_id(answer))


def is_web_page(answer: Answer) -> bool:
    """Whether HTML came: from a proxy, a sign-in page, a captive portal."""
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        return True
    return not answer.body.startswith(b"{") and answer.body[:200].lstrip().lower().startswith(_HTML)


def _not_dataverse(answer: Answer, host: str) -> str:
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if 300 <= answer.status < 400:
        target = answer.headers.get("Location", "another address").partition("?")[0]
        return f"{host} sends us on to {target}. Check that the address is the organisation's own."
    if is_web_page(answer):
        return (
            f"A web page came instead of an answer from Dataverse (HTTP {answer.status}). "
            f"Check the address {host} and whether a proxy or a sign-in page stands in between."
        )
    if answer.body.startswith((b"{", b"[")):
        try:
            orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            pass
        else:
            return f"{host} answered with something that was not asked for. Check the address."
        return f"The answer of {host} was cut off. If it happens again, look at the proxy in between."
    return f"{host} answered with {kind or 'something'} instead of JSON. Check the address."


def retry_after(answer: Answer) -> float | None:
    """Seconds of `Retry-After`, given as a number or as a date."""
    text = answer.headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        moment = _moment(text)
        return None if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _moment(text: str) -> datetime | None:
    """A date as HTTP headers write it."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _details(answer: Answer) -> tuple[str, str] | None:
    """Code and message of an OData error body; None when the body is not one."""
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        return str(error.get("code") or ""), str(error.get("message") or "")
    if isinstance(body, dict) and isinstance(body.get("Message") or body.get("message"), str):
        return "", str(body.get("Message") or body.get("message"))
    return None


def error_from(answer: Answer, host: str, *, table: str | None = None) -> CrmError:
    """The error that an unsuccessful answer means."""
    details = _details(answer)
    status = answer.status
    if details is None and status < 400:
        return bad_answer(answer, host)
    code, message = details or ("", "")
    cls = error_class(status, code)
    wait = retry_after(answer)
    error = cls(
        _sentence(cls, answer, host, message),
        status=status,
        code=code.lower(),
        request_id=request_id(answer),
        table=_named(_ENTITY, message) or table,
        column=_named(_ATTRIBUTE, message),
        retry_after=wait,
    )
    if isinstance(error, Forbidden):
        if privilege := _PRIVILEGE.search(message):
            error.privilege, error.right = privilege[1], privilege[2]
            named = privilege[3].lower()
            error.table = _named(_ENTITY, message) or _PRIVILEGE_TABLES.get(named, named)
        elif access := _ACCESS.search(message):
            error.right = access[1]
    return error


def _sentence(cls: type[CrmError], answer: Answer, host: str, message: str) -> str:
    if issubclass(cls, Unauthenticated):
        return f"{host} does not accept our token{_skew(answer)}. Check the tenant and the application's sign-in."
    if issubclass(cls, Throttled):
        wait = retry_after(answer)
        return "Dataverse asks us to slow down" + (f" and to come back in {wait:.0f} s." if wait else ".")
    if message:
        return " ".join(message.split())
    if issubclass(cls, Unavailable):
        return f"{host} is not available just now (HTTP {answer.status})."
    if not answer.body or answer.status >= 500:
        return f"{host} answered HTTP {answer.status} without saying why."
    return _not_dataverse(answer, host)


def _skew(answer: Answer) -> str:
    """A hint when this machine's clock and the server's differ by more than a token's tolerance."""
    theirs = _moment(answer.headers.get("Date", ""))
    if theirs is None:
        return ""
    difference = (datetime.now(UTC) - theirs).total_seconds()
    if abs(difference) < _CLOCK_SKEW:
        return ""
    return f"; this machine's clock is {abs(difference) / 60:.0f} minutes {'ahead' if difference > 0 else 'behind'}"


def _named(pattern: re.Pattern[str], message: str) -> str | None:
    found = pattern.search(message)
    return next((group for group in found.groups() if group), None) if found else None
