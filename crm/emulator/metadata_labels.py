"""Labels and choices as the metadata part of the Web API writes and reads them.

Shapes: learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api and
.../webapi/reference/label, .../optionsetmetadata, .../booleanoptionsetmetadata.
"""

from contextvars import ContextVar
from typing import Any

from .catalog import Column, Labels, Option, Table, metadata_id
from .errors import bad_payload

BASE_LANGUAGE = 1033
INSTALLED = (1033, 1031, 1049)
TYPE = "#Microsoft.Dynamics.CRM."

Document = dict[str, Any]

USER_LANGUAGE: ContextVar[int] = ContextVar("user_language", default=BASE_LANGUAGE)
"""Whose label is UserLocalizedLabel: set around each request for metadata."""


def label(labels: Labels, *path: str) -> Document:
    """A Label: one entry per language that has a text, the base language first. `path` makes the MetadataIds.

    The person's own is in their language, else in the base language.
    """
    entries = [
        {
            "Label": labels[code],
            "LanguageCode": code,
            "IsManaged": True,
            "MetadataId": metadata_id(*path, str(code)),
            "HasChanged": None,
        }
        for code in sorted(labels, key=lambda code: (code != BASE_LANGUAGE, code))
    ]
    language = USER_LANGUAGE.get()
    own = next((entry for entry in entries if entry["LanguageCode"] == language), entries[0] if entries else None)
    return {"LocalizedLabels": entries, "UserLocalizedLabel": own}


def read_label(value: Any, held: Labels, *, merge: bool = True) -> Labels:
    """The languages of a Label that a client sent, over (`merge`) or instead of those held.

    Raises: DataverseError 400.
    """
    if value is None:
        return held
    entries = value.get("LocalizedLabels") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise bad_payload("A label must be an object with LocalizedLabels: [{Label, LanguageCode}].")
    found: dict[int, str] = {}
    for entry in entries:
        text = entry.get("Label") if isinstance(entry, dict) else None
        code = entry.get("LanguageCode") if isinstance(entry, dict) else None
        if not isinstance(text, str) or not isinstance(code, int):
            raise bad_payload("A localized label must have a text in Label and a number in LanguageCode.")
        if code not in INSTALLED:
            raise bad_payload(f"The language {code} is not installed; installed are {', '.join(map(str, INSTALLED))}.")
        found[code] = text
    return {**held, **found} if merge else found


def option_set(table: Table, column: Column) -> Document:
    """The OptionSet of a choice column; a boolean's has TrueOption and FalseOption."""
    shared = column.global_option_set
    name = shared or f"{table.logical_name}_{column.name}"
    path = ("optionset", shared) if shared else (table.logical_name, column.name, "optionset")
    document: Document = {
        "@odata.type": TYPE + ("BooleanOptionSetMetadata" if column.type == "boolean" else "OptionSetMetadata"),
        "MetadataId": metadata_id(*path),
        "HasChanged": None,
        "IsCustomOptionSet": column.custom,
        "IsGlobal": shared is not None,
        "IsManaged": not column.custom,
        "Name": name,
        "OptionSetType": _OPTION_SET_TYPES.get(column.type, "Picklist"),
        "IntroducedVersion": "5.0.0.0",
        "DisplayName": label(column.labels, *path, "name"),
        "Description": label({}, *path, "description"),
    }
    options = [option(column, item, path) for item in column.options]
    if column.type == "boolean":
        document["FalseOption"] = next((item for item in options if item["Value"] == 0), None)
        document["TrueOption"] = next((item for item in options if item["Value"] == 1), None)
    else:
        document["Options"] = options
    return document


_OPTION_SET_TYPES = {"state": "State", "status": "Status", "boolean": "Boolean"}


def option(column: Column, item: Option, path: tuple[str, ...]) -> Document:
    """One option; a status tells its state, a state its default status."""
    document: Document = {
        "Value": item.value,
        "Label": label(item.labels, *path, str(item.value)),
        "Description": label({}, *path, str(item.value), "description"),
        "Color": None,
        "ExternalValue": "",
        "ParentValues": [],
        "Tag": None,
        "IsHidden": False,
        "IsManaged": not column.custom,
        "MetadataId": None,
        "HasChanged": None,
    }
    if column.type == "status":
        document = {
            "@odata.type": TYPE + "StatusOptionMetadata", **document, "State": item.state, "TransitionData": None
        }  # fmt: skip
    elif column.type == "state":
        document = {
            "@odata.type": TYPE + "StateOptionMetadata", **document, "InvariantName": item.labels.get(BASE_LANGUAGE)
        }  # fmt: skip
    return document


def with_default_status(table: Table, document: Document) -> Document:
    """Complete a state column's OptionSet with each state's DefaultStatus."""
    status = table.status_column
    for entry in document["Options"]:
        reasons = [o for o in status.options if o.state == entry["Value"]] if status else []
        chosen = next((o for o in reasons if o.default), reasons[0] if reasons else None)
        entry["DefaultStatus"] = chosen.value if chosen else None
    return document


def read_options(values: Any) -> tuple[Option, ...]:
    """The Options of a choice column that a client sent.

    Raises: DataverseError 400.
    """
    if not isinstance(values, list):
        raise bad_payload("Options must be an array of {Value, Label}.")
    found: dict[int, Option] = {}
    for entry in values:
        value = entry.get("Value") if isinstance(entry, dict) else None
        if not isinstance(value, int) or isinstance(value, bool):
            raise bad_payload("An option must have a whole number in Value.")
        if value in found:
            raise bad_payload(f"The option value {value} occurs twice.")
        labels = read_label(entry.get("Label"), {})
        if not labels:
            raise bad_payload(f"The option {value} must have a label in at least one language.")
        found[value] = Option(value=value, labels=labels)
    return tuple(found.values())
