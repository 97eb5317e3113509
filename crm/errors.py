"""What can go wrong between us and Dataverse. Every class says what happened, and what may be done about it.

    CrmError
    ├── ConfigurationError          a wrong address, a missing setting: nothing was sent
    ├── SignInError                 no token, or a token that is not accepted
    │   ├── SignInRequired          the person must sign in (again)
    │   └── Unauthenticated         Dataverse refused the token (401)
    ├── Forbidden                   403: a privilege, or access to the row, is missing
    │   └── NotAMember              403: the caller is no user of this organisation
    ├── NotFound                    404: the row, or the alternate key
    │   └── UnknownResource         404/400: no such table, column, action or path
    ├── Invalid                     400: Dataverse refused the values
    │   ├── RequiredMissing         a required column has no value
    │   ├── TooLong                 a text is longer than its column
    │   ├── OutOfRange              a number is outside its column's range
    │   ├── BadRequest              the request itself is malformed (a query, a payload, a paging cookie)
    │   └── BusinessRule            a plug-in, workflow or restricted delete said no
    ├── ValueProblem                values refused before anything was sent (crm.metadata)
    ├── Conflict                    412
    │   ├── DuplicateId             a row with this id exists already
    │   ├── DuplicateKey            another row has this alternate key
    │   ├── VersionMismatch         the row changed since it was read
    │   └── DuplicateDetected       a duplicate-detection rule fired (500 in the documentation, 412 is accepted)
    ├── TooLarge                    413, or a file above the organisation's limit
    ├── Throttled                   429: wait `retry_after` seconds
    ├── Unavailable                 502, 503, 504, a server-side timeout, or the circuit is open
    │   └── CircuitOpen             not sent: Dataverse failed repeatedly, try again after `retry_after` seconds
    ├── Unreachable                 no answer: network, name, TLS
    │   ├── SignInAway              the sign-in service does not answer; Dataverse was not asked
    │   └── CertificateProblem      TLS refused the server's certificate
    ├── DeadlineExceeded            the call's time ran out
    ├── BadAnswer                   an answer that is not Dataverse's: HTML, truncated, not JSON
    ├── NotCarriedOut               a batch ended before this request
    └── ServerError                 any other 5xx

HTTP statuses alone do not decide: 412 has three meanings and a duplicate rule answers 500, so the `code` in the body
is looked at first. Sources: Microsoft's list of Web API error codes and "Compose HTTP requests and handle errors".
"""

from typing import ClassVar


class CrmError(Exception):
    """Something failed; `str(error)` is one sentence that may be shown to a person."""

    codes: ClassVar[tuple[str, ...]] = ()
    """Dataverse error codes (lower case) that lead to this class."""
    statuses: ClassVar[tuple[int, ...]] = ()
    """HTTP statuses that lead to this class when the code says nothing."""
    repeatable: ClassVar[bool] = False
    """Whether the same request may succeed later, unchanged."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str = "",
        request_id: str | None = None,
        table: str | None = None,
        column: str | None = None,
        retry_after: float | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        """HTTP status, where there was an answer."""
        self.code = code
        """Dataverse's code, `0x…` in lower case; empty where there was none."""
        self.request_id = request_id
        """What Microsoft's support asks for (`x-ms-service-request-id`)."""
        self.table = table
        """Logical name of the table, where known."""
        self.column = column
        """Logical name of the column, where known."""
        self.retry_after = retry_after
        """Seconds after which trying again makes sense, where known."""
        self.outcome_unknown = outcome_unknown
        """True when a write may have happened although no success was reported."""


class ConfigurationError(CrmError):
    """A setting is wrong; nothing was sent."""


class SignInError(CrmError):
    """No usable token could be had."""


class SignInRequired(SignInError):
    """The person must sign in (again): expired, revoked, consent or another factor asked."""

    def __init__(self, message: str, *, claims: str | None = None, code: str = "") -> None:
        super().__init__(message, code=code)
        self.claims = claims
        """A claims challenge to pass to the sign-in page, where the directory asked for one."""


class Unauthenticated(SignInError):
    """Dataverse refused the token."""

    codes: ClassVar[tuple[str, ...]] = ("0x80044302", "0x8004a102")
    statuses: ClassVar[tuple[int, ...]] = (401,)


class Forbidden(CrmError):
    """The caller lacks a privilege, or access to this row."""

    codes: ClassVar[tuple[str, ...]] = ("0x80040220", "0x80048306", "0x80042f09")
    statuses: ClassVar[tuple[int, ...]] = (403,)

    privilege: str | None = None
    """Name of the missing privilege (`prvCreateLead`), where the message has it."""
    right: str | None = None
    """`Create`, `Read`, `Write`, `Delete`, `Append`, `AppendTo`, `Assign` or `Share`, where the message has it."""

    @property
    def of_one_row(self) -> bool:
        """The caller may do this with some rows of the table, but not with this one."""
        return self.privilege is None and self.code == "0x80042f09"


class NotAMember(Forbidden):
    """The caller is not a user of this organisation."""

    codes: ClassVar[tuple[str, ...]] = ("0x80072560",)


class NotFound(CrmError):
    """No such row."""

    codes: ClassVar[tuple[str, ...]] = ("0x80040217", "0x80060891")
    statuses: ClassVar[tuple[int, ...]] = (404,)


class UnknownResource(NotFound):
    """No such table, column, action or path: a mistake in the request or in the organisation's customisation."""

    codes: ClassVar[tuple[str, ...]] = ("0x8006088a", "0x80041102", "0x80041103")


class Invalid(CrmError):
    """Dataverse refused the values."""

    codes: ClassVar[tuple[str, ...]] = ("0x80040203",)
    statuses: ClassVar[tuple[int, ...]] = (400, 422)


class RequiredMissing(Invalid):
    """A required column has no value."""

    codes: ClassVar[tuple[str, ...]] = ("0x80040200",)


class TooLong(Invalid):
    """A text is longer than its column."""

    codes: ClassVar[tuple[str, ...]] = ("0x80044331",)


class OutOfRange(Invalid):
    """A number is outside its column's range."""

    codes: ClassVar[tuple[str, ...]] = ("0x8004432f", "0x80044330")


class BadRequest(Invalid):
    """The request is malformed: an undeclared property, a bad query, a spoilt paging cookie."""

    codes: ClassVar[tuple[str, ...]] = ("0x80048d19", "0x80060888", "0x8004112a")
    statuses: ClassVar[tuple[int, ...]] = (405, 501)


class BusinessRule(Invalid):
    """A plug-in, a workflow or a restricted delete refused; the message is the organisation's own."""

    codes: ClassVar[tuple[str, ...]] = ("0x80040265", "0x80040227")


class ValueProblem(CrmError):
    """A value was refused by the organisation's metadata before anything was sent.

    `table` and `column` are logical names; `allowed` lists what would be accepted, nearest first.
    """

    def __init__(
        self,
        message: str,
        *,
        table: str,
        column: str | None = None,
        label: str | None = None,
        value: object = None,
        allowed: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, table=table, column=column)
        self.label = label
        """The column as people see it."""
        self.value = value
        self.allowed = allowed


class UnknownColumn(ValueProblem):
    """No such column; `allowed` holds the nearest names."""


class UnknownTable(ValueProblem):
    """No such table; `allowed` holds the nearest names."""


class ReadOnlyColumn(ValueProblem):
    """The column cannot be written (in this kind of request)."""


class UnknownChoice(ValueProblem):
    """No such choice, or several begin alike; `allowed` holds the labels, nearest first."""


class WrongType(ValueProblem):
    """The value is of a kind the column does not hold."""


class ValueTooLong(ValueProblem):
    """A text is longer than the column allows."""


class ValueOutOfRange(ValueProblem):
    """A number is outside the column's range."""


class Conflict(CrmError):
    """The row is not in the state the request relies on."""

    statuses: ClassVar[tuple[int, ...]] = (412, 409)


class DuplicateId(Conflict):
    """A row with this id exists already."""

    codes: ClassVar[tuple[str, ...]] = ("0x80040237",)


class DuplicateKey(Conflict):
    """Another row has this alternate key (some tables answer so for an existing id, too)."""

    codes: ClassVar[tuple[str, ...]] = ("0x80060892",)


class VersionMismatch(Conflict):
    """The row changed since it was read."""

    codes: ClassVar[tuple[str, ...]] = ("0x80060882",)


class DuplicateDetected(Conflict):
    """A duplicate-detection rule of the organisation fired. The documentation gives it status 500."""

    codes: ClassVar[tuple[str, ...]] = ("0x80040333",)


class TooLarge(CrmError):
    """The request or the file is larger than the organisation allows."""

    codes: ClassVar[tuple[str, ...]] = ("0x8004418a", "0x80044a02")
    statuses: ClassVar[tuple[int, ...]] = (413,)


class Throttled(CrmError):
    """Service protection limits; `retry_after` says how long to wait."""

    codes: ClassVar[tuple[str, ...]] = ("0x80072322", "0x80072321", "0x80072326")
    statuses: ClassVar[tuple[int, ...]] = (429,)
    repeatable = True


class Unavailable(CrmError):
    """Dataverse, or something before it, is not able to answer now."""

    codes: ClassVar[tuple[str, ...]] = ("0x80072324", "0x80044151")
    statuses: ClassVar[tuple[int, ...]] = (408, 502, 503, 504)
    repeatable = True


class CircuitOpen(Unavailable):
    """Not sent: Dataverse failed repeatedly. Try again after `retry_after` seconds."""


class Unreachable(CrmError):
    """No answer from the host."""

    repeatable = True


class SignInAway(Unreachable):
    """The sign-in service does not answer, or is not able to just now. Nothing was sent to Dataverse."""


class CertificateProblem(Unreachable):
    """TLS refused the server's certificate."""

    repeatable = False


class DeadlineExceeded(CrmError):
    """The call's time ran out; trying again later may help."""

    repeatable = True


class BadAnswer(CrmError):
    """The answer is not Dataverse's: HTML from a proxy, a truncated body, not JSON."""

    repeatable = True


class NotCarriedOut(CrmError):
    """A batch ended before this request; nothing happened."""


class ServerError(CrmError):
    """Dataverse failed inside."""

    statuses: ClassVar[tuple[int, ...]] = (500,)


def _every(cls: type[CrmError]) -> list[type[CrmError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in _every(child))]


# Own attributes only: a subclass does not answer for its parent's codes.
BY_CODE: dict[str, type[CrmError]] = {code: c for c in _every(CrmError) for code in vars(c).get("codes", ())}
BY_STATUS: dict[int, type[CrmError]] = {status: c for c in _every(CrmError) for status in vars(c).get("statuses", ())}


def error_class(status: int, code: str) -> type[CrmError]:
    """The class for an HTTP status and a Dataverse code (`0x…`, any case, may be empty)."""
    found = BY_CODE.get(code.lower()) or BY_STATUS.get(status)
    if found:
        return found
    return ServerError if status >= 500 else Invalid if status >= 400 else BadAnswer
