"""A few tables as `RetrieveMetadataChanges` describes them, with one custom table and labels in two languages."""

from typing import Any


def label(english: str, german: str | None = None) -> dict[str, Any]:
    labels = [{"Label": english, "LanguageCode": 1033}]
    if german:
        labels.append({"Label": german, "LanguageCode": 1031})
    return {"LocalizedLabels": labels, "UserLocalizedLabel": labels[0]}


def column(logical: str, kind: str, display: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "LogicalName": logical,
        "SchemaName": logical.title(),
        "AttributeType": kind,
        "AttributeTypeName": {"Value": f"{kind}Type"},
        "AttributeOf": None,
        "DisplayName": display,
        "RequiredLevel": {"Value": "None"},
        "IsValidForCreate": True,
        "IsValidForUpdate": True,
        **more,
    }


def option(value: int, english: str, german: str | None = None) -> dict[str, Any]:
    return {"Value": value, "Label": label(english, german)}


def relation(attribute: str, table: str, navigation: str) -> dict[str, Any]:
    return {
        "ReferencingAttribute": attribute,
        "ReferencedEntity": table,
        "ReferencingEntityNavigationPropertyName": navigation,
    }


def table(logical: str, plural: str, display: str, primary_name: str, *columns: Any, **more: Any) -> dict[str, Any]:
    return {
        "LogicalName": logical,
        "SchemaName": logical.title(),
        "EntitySetName": plural,
        "PrimaryIdAttribute": f"{logical}id",
        "PrimaryNameAttribute": primary_name,
        "DisplayName": label(display),
        "DisplayCollectionName": label(f"{display}s"),
        "ObjectTypeCode": 1,
        "Attributes": [column(f"{logical}id", "Uniqueidentifier", label(display), IsValidForUpdate=False), *columns],
        "ManyToOneRelationships": [],
        "Keys": [],
        **more,
    }


TABLES: list[dict[str, Any]] = [
    table(
        "lead",
        "leads",
        "Lead",
        "fullname",
        column("subject", "String", label("Topic", "Thema"), MaxLength=300, FormatName={"Value": "Text"}),
        column("lastname", "String", label("Last Name", "Nachname"), MaxLength=50),
        column("fullname", "String", label("Name"), IsValidForCreate=False, IsValidForUpdate=False),
        column("emailaddress1", "String", label("Email"), MaxLength=100, FormatName={"Value": "Email"}),
        column("description", "Memo", label("Description", "Beschreibung"), MaxLength=2000),
        column("budgetamount", "Money", label("Budget Amount"), MinValue=0.0, MaxValue=1e12, Precision=2),
        column("numberofemployees", "Integer", label("No. of Employees"), MinValue=0, MaxValue=1000000),
        column(
            "donotemail",
            "Boolean",
            label("Do not allow Emails"),
            OptionSet={
                "TrueOption": option(1, "Do Not Allow", "Nicht zulassen"),
                "FalseOption": option(0, "Allow", "Zulassen"),
            },
        ),
        column(
            "leadqualitycode",
            "Picklist",
            label("Rating", "Bewertung"),
            OptionSet={"Options": [option(1, "Hot", "Heiß"), option(2, "Warm", "Warm"), option(3, "Cold", "Kalt")]},
        ),
        column(
            "new_interests",
            "Virtual",
            label("Interests"),
            AttributeTypeName={"Value": "MultiSelectPicklistType"},
            OptionSet={"Options": [option(10, "Printers"), option(20, "Scanners"), option(30, "Paper")]},
        ),
        column(
            "estimatedclosedate",
            "DateTime",
            label("Est. Close Date"),
            Format="DateOnly",
            DateTimeBehavior={"Value": "DateOnly"},
        ),
        column("new_visit", "DateTime", label("Visit"), Format="DateAndTime", DateTimeBehavior={"Value": "UserLocal"}),
        column("parentaccountid", "Lookup", label("Parent Account")),
        column("parentaccountidname", "String", label("Parent Account Name"), AttributeOf="parentaccountid"),
        column("customerid", "Customer", label("Customer", "Kunde")),
        column("ownerid", "Owner", label("Owner", "Besitzer")),
        column(
            "new_tier",
            "Picklist",
            label("Tier"),
            OptionSet={
                "Options": [option(100000000, "Gold"), option(100000001, "Gold Plus"), option(100000002, "Silver")]
            },
        ),
        ManyToOneRelationships=[
            relation("parentaccountid", "account", "parentaccountid"),
            relation("customerid", "account", "customerid_account"),
            relation("customerid", "contact", "customerid_contact"),
            relation("ownerid", "owner", "ownerid"),
        ],
    ),
    table(
        "account",
        "accounts",
        "Account",
        "name",
        column("name", "String", label("Account Name"), MaxLength=160),
        Keys=[{"LogicalName": "number", "KeyAttributes": ["accountnumber"]}],
    ),
    table("contact", "contacts", "Contact", "fullname", column("lastname", "String", label("Last Name"), MaxLength=50)),
    table("systemuser", "systemusers", "User", "fullname"),
    table("team", "teams", "Team", "name"),
    table(
        "new_machine",
        "new_machines",
        "Machine",
        "new_name",
        column("new_name", "String", label("Machine Name", "Maschinenname"), MaxLength=100),
        DisplayName=label("Machine", "Maschine"),
        DisplayCollectionName=label("Machines", "Maschinen"),
    ),
]
