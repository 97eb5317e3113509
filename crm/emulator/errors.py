"""Dataverse's error codes and the one exception that carries them to the wire.

Codes and statuses: learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes and
.../webapi/compose-http-requests-handle-errors. Texts that no page gives verbatim are ours; clients match on codes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NOT_AUTHENTICATED = "0x80044302"
NOT_A_MEMBER = "0x80072560"
PRIVILEGE_DENIED = "0x80040220"
DOES_NOT_EXIST = "0x80040217"
KEY_NOT_FOUND = "0x80060891"
UNKNOWN_SEGMENT = "0x8006088a"
INVALID_ARGUMENT = "0x80040203"
REQUIRED_MISSING = "0x80040200"
TOO_LONG = "0x80044331"
INTEGER_RANGE = "0x8004432f"
NUMBER_RANGE = "0x80044330"
PAYLOAD = "0x80048d19"
QUERY = "0x80060888"
NO_ATTRIBUTE = "0x80041103"
NO_ENTITY = "0x80041102"
BAD_COOKIE = "0x8004112a"
BAD_QUERY_XML = "0x80040201"
DUPLICATE_RECORD = "0x80040237"
DUPLICATE_KEY = "0x80060892"
VERSION_MISMATCH = "0x80060882"
DUPLICATES_FOUND = "0x80040333"
SQL_TIMEOUT = "0x80044151"
TOO_LARGE = "0x8004418a"
INVALID_STATUS = "0x80048408"
INVALID_OPTION = "0x8004431a"
CANNOT_DELETE = "0x80040227"
NOT_SUPPORTED = "0x80040223"
AGGREGATE_LIMIT = "0x8004e023"
TOO_MANY_LINKS = "0x8004430d"
UNEXPECTED = "0x80040216"


@dataclass(slots=True)
class DataverseError(Exception):
    """An answer that is not a success: `{"error": {"code", "message"}}` with this HTTP status."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.status} {self.code} {self.message}"

    def body(self) -> dict[str, Any]:
        return {"error": {"code": self.code, "message": self.message}}


def bad_request(message: str, code: str = QUERY) -> DataverseError:
    return DataverseError(400, code, message)


def bad_payload(message: str) -> DataverseError:
    """A body that does not fit the model (0x80048d19)."""
    return DataverseError(400, PAYLOAD, message)


def not_found(table: str, key: str) -> DataverseError:
    return DataverseError(404, DOES_NOT_EXIST, f"{table} With Id = {key} Does Not Exist")


def no_segment(name: str) -> DataverseError:
    return DataverseError(404, UNKNOWN_SEGMENT, f"Resource not found for the segment '{name}'.")


def not_implemented(what: str) -> DataverseError:
    """Something that Dataverse may know and this emulator does not: refused, never half-answered."""
    return DataverseError(501, NOT_SUPPORTED, f"{what} is not supported by this emulator.")
