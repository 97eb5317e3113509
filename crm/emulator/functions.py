"""Functions about the organisation as a whole."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

from typing import Any

from .errors import bad_request
from .organization import ORGANIZATION_ID
from .registry import Call, Registry
from .session import Session
from .sqlite_tables import quote
from .wire import Response, json_response


def register(registry: Registry) -> None:
    registry.function("WhoAmI", who_am_i)
    registry.function("RetrieveTotalRecordCount", total_record_count)
    registry.function("RetrieveVersion", version)


def who_am_i(session: Session, call: Call) -> Response:
    del call
    return json_response(
        {
            "@odata.context": session.context("Microsoft.Dynamics.CRM.WhoAmIResponse"),
            "BusinessUnitId": session.caller.business_unit_id,
            "UserId": session.caller.user_id,
            "OrganizationId": ORGANIZATION_ID,
        }
    )


def version(session: Session, call: Call) -> Response:
    del call
    return json_response(
        {"@odata.context": session.context("Microsoft.Dynamics.CRM.RetrieveVersionResponse"), "Version": "9.2.0.0"}
    )


def total_record_count(session: Session, call: Call) -> Response:
    """The number of rows per table. Dataverse answers from a snapshot up to a day old; this counts."""
    names: Any = call.parameters.get("EntityNames")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise bad_request("RetrieveTotalRecordCount needs EntityNames=['account', …].")
    tables = [session.table(name) for name in names]
    counts = [session.tx.execute(f"SELECT count(*) FROM {quote(t.logical_name)}").fetchone()[0] for t in tables]
    return json_response(
        {
            "@odata.context": session.context("Microsoft.Dynamics.CRM.RetrieveTotalRecordCountResponse"),
            "EntityRecordCountCollection": {
                "Count": len(names), "IsReadOnly": False, "Keys": names, "Values": counts,
            },
        }
    )  # fmt: skip
