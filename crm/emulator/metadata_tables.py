"""Tables created, changed and deleted at run time, inside the request's transaction.

Bodies: learn.microsoft.com/power-apps/developer/data-platform/webapi/create-update-entity-definitions-using-web-api.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from . import metadata_versions as versions
from . import write
from .catalog import Collection, Column, Option, Table
from .catalog_json import dump_table, read_table
from .errors import NOT_SUPPORTED, DataverseError, bad_payload, bad_request
from .metadata_columns import other_name, read_column, schema_name
from .metadata_labels import BASE_LANGUAGE, Document, read_label
from .organization import register_messages
from .session import Session

DUPLICATE_NAME = "0x80044153"
DEPENDENCY = "0x8004f01f"
_FIRST_OBJECT_TYPE_CODE = 10_000
_NOTES_ON = "annotation"
_ACTIVITIES = ("task", "phonecall")


def authorise(session: Session) -> None:
    """Let only those change the schema who may write the organisation itself, as administrators and customizers may.

    Raises: DataverseError 403.
    """
    session.security.authorise(session, session.table("organization"), "write", None)


def save(session: Session, *tables: Table) -> None:
    """Persist changed tables and note the change for clients that poll.

    Raises: DataverseError 403 for a caller who may not customize the organisation.
    """
    authorise(session)
    session.tx.save_table(*tables)
    versions.record(session.tx, *(table.logical_name for table in tables))


def with_columns(table: Table, *columns: Column) -> Table:
    """The table with columns added or replaced, and what they bring along.

    A money column brings the currency and its twin in the base currency, a file column the name of its file.
    """
    changed = replace(table, columns={**table.columns, **_named(columns)})
    full = read_table(dump_table(changed))
    brought = {
        name: replace(column, custom=True) for name, column in full.columns.items() if name not in changed.columns
    }
    return replace(changed, columns={**changed.columns, **brought})


def _named(columns: Iterable[Column]) -> dict[str, Column]:
    """Columns by name, each file column followed by the one that holds its file's name."""
    found: dict[str, Column] = {}
    for column in columns:
        found[column.name] = column
        if column.type == "file":
            name, schema = f"{column.name}_name", f"{column.schema_name}_Name"
            found[name] = replace(
                column, name=name, schema_name=schema, type="string", max_length=255, create=False, update=False
            )
    return found


def create_table(session: Session, document: Any) -> Table:
    """A custom table with its primary name, states, system columns, and the relationships these bring.

    Raises: DataverseError 400.
    """
    if not isinstance(document, dict):
        raise bad_payload("A table definition must be a JSON object.")
    schema = schema_name(document, "table")
    logical = schema.lower()
    if logical in session.catalog:
        raise bad_request(f"An entity with the specified name {logical} already exists.", DUPLICATE_NAME)
    if document.get("IsActivity"):
        raise DataverseError(501, NOT_SUPPORTED, "Custom activity tables are not supported by this emulator.")
    columns, primary = _own_columns(document, logical)
    labels = read_label(document.get("DisplayName"), {}) or {BASE_LANGUAGE: schema}
    entity_set = other_name(document, "EntitySetName", _plural(logical))
    if entity_set in session.catalog.sets:
        raise bad_request(f"An entity with the specified set name {entity_set} already exists.", DUPLICATE_NAME)
    table = Table(
        logical_name=logical,
        schema_name=schema,
        entity_set=entity_set,
        object_type_code=next_object_type_code(session),
        primary_id=f"{logical}id",
        primary_name=primary,
        ownership="organization" if document.get("OwnershipType") == "OrganizationOwned" else "user",
        labels=labels,
        collection_labels=read_label(document.get("DisplayCollectionName"), {}) or labels,
        description=read_label(document.get("Description"), {}),
        change_tracking=bool(document.get("ChangeTrackingEnabled", True)),
        columns=_named((*columns, *_states())),
        custom=True,
    )
    table = read_table(dump_table(table))
    key = table.columns[table.primary_id]
    table = replace(table, columns={**table.columns, key.name: replace(key, schema_name=f"{schema}Id")})
    save(session, table, *_with_system_collections(session, table))
    if document.get("HasNotes"):
        _regarding(session, table, _NOTES_ON, "objectid")
    if document.get("HasActivities"):
        for activity in _ACTIVITIES:
            _regarding(session, table, activity, "regardingobjectid")
    register_messages(session.tx)
    return session.table(logical)


def _own_columns(document: Document, logical: str) -> tuple[list[Column], str]:
    sent = document.get("Attributes", [])
    if not isinstance(sent, list):
        raise bad_payload("Attributes must be an array.")
    columns = [read_column(item) for item in sent]
    names = [column.name for column in columns]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise bad_request(f"The column '{twice}' occurs twice.", DUPLICATE_NAME)
    primary = [c for c, item in zip(columns, sent, strict=True) if item.get("IsPrimaryName")]
    if len(primary) != 1 or primary[0].type != "string":
        raise bad_payload(f"The table '{logical}' needs exactly one text column with IsPrimaryName: true.")
    indexed = replace(primary[0], indexed=True)
    return [indexed if column is primary[0] else column for column in columns], indexed.name


def _states() -> tuple[Column, Column]:
    """Active and Inactive, as every table that has states begins with."""

    def labelled(german: str, russian: str, english: str) -> dict[int, str]:
        return {BASE_LANGUAGE: english, 1031: german, 1049: russian}

    active, inactive = labelled("Aktiv", "Активный", "Active"), labelled("Inaktiv", "Неактивный", "Inactive")
    state = Column(
        name="statecode",
        schema_name="statecode",
        type="state",
        required="system",
        indexed=True,
        labels=labelled("Status", "Состояние", "Status"),
        options=(Option(value=0, labels=active), Option(value=1, labels=inactive)),
    )
    status = Column(
        name="statuscode",
        schema_name="statuscode",
        type="status",
        labels=labelled("Statusgrund", "Причина состояния", "Status Reason"),
        options=(
            Option(value=1, labels=active, state=0, default=True),
            Option(value=2, labels=inactive, state=1, default=True),
        ),
    )
    return state, status


def _plural(name: str) -> str:
    """The entity set that Dataverse makes of a logical name."""
    if name.endswith(("s", "x", "z", "ch", "sh")):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}s"


def next_object_type_code(session: Session) -> int:
    highest = max((table.object_type_code for table in session.catalog if table.custom), default=0)
    return max(highest + 1, _FIRST_OBJECT_TYPE_CODE)


_SYSTEM_LOOKUPS = {
    "createdby": "lk_{0}_createdby",
    "modifiedby": "lk_{0}_modifiedby",
    "owninguser": "user_{0}",
    "owningteam": "team_{0}",
    "owningbusinessunit": "business_unit_{0}",
    "transactioncurrencyid": "TransactionCurrency_{0}",
}


def _with_system_collections(session: Session, table: Table) -> list[Table]:
    """The shipped tables, each with the collections that a new table's system lookups give them."""
    changed: dict[str, Table] = {}
    for column_name, pattern in _SYSTEM_LOOKUPS.items():
        column = table.columns.get(column_name)
        for target in column.targets if column else ():
            base = changed.get(target) or session.table(target)
            name = pattern.format(table.logical_name)
            added = Collection(name=name, table=table.logical_name, column=column_name, custom=True)
            changed[target] = replace(base, collections={**base.collections, name: added})
    return list(changed.values())


def _regarding(session: Session, table: Table, referencing: str, column_name: str) -> None:
    """Let notes or activities regard the new table."""
    other = session.table(referencing)
    column = other.columns[column_name]
    suffix = f"_{referencing}" if other.is_activity else ""
    navigation = f"{column_name}_{table.logical_name}{suffix}"
    pointing = replace(column, targets={**column.targets, table.logical_name: navigation}, changed=True)
    name = f"{table.schema_name}_{'Annotations' if referencing == _NOTES_ON else other.entity_set.capitalize()}"
    held = session.table(table.logical_name)
    collection = Collection(name=name, table=referencing, column=column_name, custom=True)
    save(
        session,
        replace(other, columns={**other.columns, column_name: pointing}),
        replace(held, collections={**held.collections, name: collection}),
    )


def update_table(session: Session, table: Table, document: Document, *, merge_labels: bool) -> None:
    """Change labels, description and change tracking.

    Raises: DataverseError 400.
    """
    changes: dict[str, Any] = {}
    for key, name in (
        ("DisplayName", "labels"),
        ("DisplayCollectionName", "collection_labels"),
        ("Description", "description"),
    ):
        if key in document:
            changes[name] = read_label(document[key], getattr(table, name), merge=merge_labels)
    if isinstance(document.get("ChangeTrackingEnabled"), bool):
        changes["change_tracking"] = document["ChangeTrackingEnabled"]
    save(session, replace(table, changed=not table.custom, **changes))


def delete_table(session: Session, table: Table) -> None:
    """Drop a custom table with its rows, and what other tables know of it.

    Raises: DataverseError 400 for shipped tables and for tables that lookups of others point at.
    """
    if not table.custom:
        raise bad_request(
            f"The table '{table.logical_name}' is part of the product and cannot be deleted.", NOT_SUPPORTED
        )
    for other, column in session.catalog.references.get(table.logical_name, []):
        if other is not table and not column.polymorphic:
            raise bad_request(
                f"The Entity({table.logical_name}) component cannot be deleted because it is referenced by the column "
                f"{other.logical_name}.{column.name}. Delete that relationship first.",
                DEPENDENCY,
            )
    if joined := next((c for c in table.collections.values() if c.intersect is not None), None):
        raise bad_request(
            f"The Entity({table.logical_name}) component cannot be deleted because it is part of the relationship "
            f"{joined.schema_name or joined.name}. Delete that relationship first.",
            DEPENDENCY,
        )
    for other in list(session.catalog):
        if other.logical_name != table.logical_name and (trimmed := _without(other, table.logical_name)) is not None:
            save(session, trimmed)
    authorise(session)
    _forget_messages(session, table)
    session.tx.drop_table(table.logical_name)
    versions.record_deleted_table(session.tx, table.logical_name)


def _forget_messages(session: Session, table: Table) -> None:
    """Remove a table's `sdkmessagefilters` and the steps on them."""
    if "sdkmessagefilter" not in session.catalog:
        return
    steps = session.tx.execute(
        "SELECT sdkmessageprocessingstepid FROM sdkmessageprocessingstep WHERE sdkmessagefilterid IN "
        "(SELECT sdkmessagefilterid FROM sdkmessagefilter WHERE primaryobjecttypecode = ?)",
        (table.logical_name,),
    ).fetchall()
    for (step,) in steps:
        write.delete(session, session.table("sdkmessageprocessingstep"), step)
    session.tx.execute("DELETE FROM sdkmessagefilter WHERE primaryobjecttypecode = ?", (table.logical_name,))


def _without(table: Table, gone: str) -> Table | None:
    """The table without collections of, and lookup targets at, a table that goes away; None if it has none."""
    collections = {name: c for name, c in table.collections.items() if c.table != gone}
    columns = {
        name: replace(c, targets={t: n for t, n in c.targets.items() if t != gone}) if gone in c.targets else c
        for name, c in table.columns.items()
    }
    if len(collections) == len(table.collections) and all(columns[name] is c for name, c in table.columns.items()):
        return None
    return replace(table, collections=collections, columns=columns)
