"""The names that this product uses exist on the server, read over HTTP as any client would read them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from crm.tables import TABLES, Kind, Table

from .documents import Documents, serving

TYPES = {
    Kind.TEXT: {"String"},
    Kind.MULTILINE: {"Memo"},
    Kind.EMAIL: {"String"},
    Kind.PHONE: {"String"},
    Kind.URL: {"String"},
    Kind.CHOICE: {"Picklist", "State", "Status"},
    Kind.CHOICES: {"Virtual"},
    Kind.LOOKUP: {"Lookup", "Customer", "Owner"},
    Kind.DATE: {"DateTime"},
    Kind.DATETIME: {"DateTime"},
    Kind.MONEY: {"Money"},
    Kind.DECIMAL: {"Decimal", "Double"},
    Kind.INTEGER: {"Integer"},
    Kind.BOOLEAN: {"Boolean"},
    Kind.ID: {"Uniqueidentifier"},
}
LANGUAGES = {1033, 1031, 1049}
FORMATS = {Kind.EMAIL: "Email", Kind.PHONE: "Phone", Kind.URL: "Url"}


@pytest.fixture(scope="module")
async def api() -> AsyncIterator[Documents]:
    async with serving() as found:
        yield found


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.logical)
async def test_table_and_columns_exist(api: Documents, table: Table) -> None:
    place = f"EntityDefinitions(LogicalName='{table.logical}')"
    document = await api.document(
        f"{place}?$select=EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute"
        "&$expand=Attributes($select=LogicalName,AttributeType)"
    )
    assert document["EntitySetName"] == table.entity_set
    assert document["PrimaryIdAttribute"] == table.primary_id
    assert document["PrimaryNameAttribute"] == table.primary_name
    types = {column["LogicalName"]: column["AttributeType"] for column in document["Attributes"]}
    lookups = await api.rows(
        f"{place}/Attributes/Microsoft.Dynamics.CRM.LookupAttributeMetadata?$select=LogicalName,Targets"
    )
    targets = {column["LogicalName"]: set(column["Targets"]) for column in lookups}
    strings = await api.rows(
        f"{place}/Attributes/Microsoft.Dynamics.CRM.StringAttributeMetadata?$select=LogicalName,FormatName"
    )
    formats = {column["LogicalName"]: column["FormatName"]["Value"] for column in strings}
    for column in table.columns.values():
        assert types.get(column.logical) in TYPES[column.kind], column
        assert set(column.targets) <= targets.get(column.logical, set()), column
        if column.kind in FORMATS:
            assert formats[column.logical] == FORMATS[column.kind], column
    if table.number is not None:
        assert table.number in types


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.logical)
async def test_what_people_see_has_labels_in_three_languages(api: Documents, table: Table) -> None:
    place = f"EntityDefinitions(LogicalName='{table.logical}')"
    document = await api.document(
        f"{place}?$select=DisplayName,DisplayCollectionName&$expand=Attributes($select=LogicalName,DisplayName)"
    )
    assert _languages(document["DisplayName"]) == _languages(document["DisplayCollectionName"]) == LANGUAGES
    shown = {column.logical for column in table.columns.values() if column.kind is not Kind.ID}
    for column in document["Attributes"]:
        if column["LogicalName"] in shown:
            assert _languages(column["DisplayName"]) == LANGUAGES, column["LogicalName"]
    for cast in ("Picklist", "State", "Status"):
        choices = await api.rows(
            f"{place}/Attributes/Microsoft.Dynamics.CRM.{cast}AttributeMetadata?$select=LogicalName"
            "&$expand=OptionSet($select=Options)"
        )
        for choice in choices:
            if choice["LogicalName"] in shown:
                for option in choice["OptionSet"]["Options"]:
                    assert _languages(option["Label"]) == LANGUAGES, (choice["LogicalName"], option["Value"])


def _languages(label: dict[str, Any]) -> set[int]:
    return {entry["LanguageCode"] for entry in label["LocalizedLabels"]}
