"""The organisation that every database has from the start: one business unit, one administrator, one currency."""
# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

import uuid
from datetime import UTC, datetime
from typing import Any

from .catalog import Catalog, Table
from .sqlite_tables import ACTIVITY_VIEW, create_activity_view, create_table, is_stored, quote, twins
from .steps import message_rows
from .store import Transaction
from .text import fold
from .usersettings import ensure_settings

ORGANIZATION_ID = "6f2d1a3c-0000-4000-8000-000000000001"
ROOT_UNIT_ID = "6f2d1a3c-0000-4000-8000-000000000002"
ADMIN_ID = "6f2d1a3c-0000-4000-8000-000000000003"
CURRENCY_ID = "6f2d1a3c-0000-4000-8000-000000000004"

_ROWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("transactioncurrency", {
        "transactioncurrencyid": CURRENCY_ID, "currencyname": "US Dollar", "isocurrencycode": "USD",
        "currencysymbol": "$", "currencyprecision": 2, "exchangerate": 1.0, "statecode": 0, "statuscode": 1,
    }),
    ("businessunit", {"businessunitid": ROOT_UNIT_ID, "name": "Contoso"}),
    ("organization", {
        "organizationid": ORGANIZATION_ID, "name": "Contoso", "basecurrencyid": CURRENCY_ID, "languagecode": 1033,
    }),
    ("systemuser", {
        "systemuserid": ADMIN_ID, "firstname": "System", "lastname": "Administrator",
        "fullname": "System Administrator", "domainname": "admin@contoso.example",
        "internalemailaddress": "admin@contoso.example", "businessunitid": ROOT_UNIT_ID, "isdisabled": 0,
        "accessmode": 0, "azureactivedirectoryobjectid": str(uuid.UUID(int=0x3C00_0000_0000_4000_8000_0000_0000_0003)),
    }),
)  # fmt: skip


def bootstrap(tx: Transaction) -> None:
    """Insert the rows that must exist before any request; does nothing on a file that has them."""
    for logical_name, values in _ROWS:
        table = tx.catalog.get(logical_name)
        if table is None:
            continue
        key = values[table.primary_id]
        if tx.execute(f"SELECT 1 FROM {quote(logical_name)} WHERE {quote(table.primary_id)} = ?", (key,)).fetchone():
            continue
        _insert(tx, table, values)
    register_messages(tx)
    ensure_settings(tx)


def register_messages(tx: Transaction) -> None:
    """Insert the messages of tables (`sdkmessages`, `sdkmessagefilters`) that are not there yet."""
    if "sdkmessagefilter" not in tx.catalog:
        return
    held = {key for (key,) in tx.execute("SELECT sdkmessagefilterid FROM sdkmessagefilter")}
    held |= {key for (key,) in tx.execute("SELECT sdkmessageid FROM sdkmessage")}
    for name, values in message_rows(tx.catalog):
        table = tx.catalog[name]
        if values[table.primary_id] not in held:
            _insert(tx, table, values)


def wipe(tx: Transaction, schema: Catalog) -> None:
    """Leave the file as if it had just been created with this schema; only the row version goes on."""
    tx.execute(f"DROP VIEW IF EXISTS {quote(ACTIVITY_VIEW)}")
    for table in tx.catalog:
        if table.logical_name != ACTIVITY_VIEW:
            tx.execute(f"DROP TABLE IF EXISTS {quote(table.logical_name)}")
    for name in ("_catalog", "_deleted", "_autonumber", "_file", "_chunk"):
        tx.execute(f"DELETE FROM {name}")
    tx.execute("DELETE FROM _meta WHERE name NOT IN ('format', 'version')")
    tx.catalog = schema
    for table in schema:
        create_table(tx.connection, table)
    create_activity_view(tx.connection, schema)


def _insert(tx: Transaction, table: Table, values: dict[str, Any]) -> None:
    now = int(datetime.now(UTC).timestamp())
    stamped = {
        "createdon": now, "modifiedon": now, "createdby": ADMIN_ID, "modifiedby": ADMIN_ID,
        "versionnumber": tx.next_version(), **values,
    }  # fmt: skip
    row = {name: value for name, value in stamped.items() if name in table.columns and is_stored(table.columns[name])}
    for name in list(row):
        if table.columns[name].type == "string":
            row[twins(table.columns[name])[1]] = fold(row[name])
    names = ", ".join(map(quote, row))
    marks = ", ".join("?" * len(row))
    tx.execute(f"INSERT INTO {quote(table.logical_name)} ({names}) VALUES ({marks})", row.values())
