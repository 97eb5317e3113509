"""Metadata as it is read: addresses, options, shapes, and the refusals."""

import json
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import pytest

from crm.emulator import seeds

from .documents import Documents, serving

INCIDENT = "EntityDefinitions(LogicalName='incident')"
CRM = "Microsoft.Dynamics.CRM"


@pytest.fixture(scope="module")
async def api() -> AsyncIterator[Documents]:
    async with serving() as found:
        yield found


def labels(label: dict[str, Any]) -> dict[int, str]:
    return {entry["LanguageCode"]: entry["Label"] for entry in label["LocalizedLabels"]}


async def test_one_table_by_name_and_by_id(api: Documents) -> None:
    by_name = await api.document(f"{INCIDENT}?$select=LogicalName,ObjectTypeCode,PrimaryNameAttribute")
    assert by_name["@odata.context"].endswith("$metadata#EntityDefinitions/$entity")
    assert (by_name["ObjectTypeCode"], by_name["PrimaryNameAttribute"]) == (112, "title")
    by_id = await api.document(f"EntityDefinitions({by_name['MetadataId']})?$select=EntitySetName")
    assert by_id == {
        "@odata.context": by_id["@odata.context"],
        "MetadataId": by_name["MetadataId"],
        "EntitySetName": "incidents",
    }


async def test_tables_have_labels_in_three_languages(api: Documents) -> None:
    document = await api.document(f"{INCIDENT}?$select=DisplayName,DisplayCollectionName")
    assert labels(document["DisplayName"]) == {1033: "Case", 1031: "Anfrage", 1049: "Обращение"}
    assert document["DisplayName"]["UserLocalizedLabel"]["Label"] == "Case"
    assert labels(document["DisplayCollectionName"])[1031] == "Anfragen"


async def test_filters_with_and_without_qualified_enum_literals(api: Documents) -> None:
    place = f"{INCIDENT}/Attributes?$select=LogicalName,AttributeType"
    plain = await api.rows(f"{place}&$filter=AttributeType eq 'Memo'")
    qualified = await api.rows(f"{place}&$filter=AttributeType eq {CRM}.AttributeTypeCode'Memo'")
    assert plain == qualified
    assert [column["LogicalName"] for column in plain] == ["description"]
    required = await api.rows(
        f"{INCIDENT}/Attributes?$select=LogicalName"
        f"&$filter=RequiredLevel/Value eq {CRM}.AttributeRequiredLevel'ApplicationRequired'"
    )
    assert [column["LogicalName"] for column in required] == ["title"]
    visible = await api.rows(
        "EntityDefinitions?$select=LogicalName&$filter=IsPrivate eq false and not (IsIntersect eq true)"
    )
    names = {table["LogicalName"] for table in visible}
    assert "incident" in names
    assert "teammembership" not in names


async def test_all_choices_of_a_table_in_one_request(api: Documents) -> None:
    columns = await api.rows(
        f"{INCIDENT}/Attributes/{CRM}.PicklistAttributeMetadata?$select=LogicalName"
        "&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)"
    )
    by_name = {column["LogicalName"]: column for column in columns}
    priority = by_name["prioritycode"]["OptionSet"]["Options"]
    assert [(o["Value"], labels(o["Label"])[1031]) for o in priority] == [(1, "Hoch"), (2, "Normal"), (3, "Niedrig")]
    assert by_name["prioritycode"]["GlobalOptionSet"] is None
    lead = await api.rows(
        f"EntityDefinitions(LogicalName='lead')/Attributes/{CRM}.PicklistAttributeMetadata?$select=LogicalName"
        "&$expand=GlobalOptionSet($select=Name,Options)"
    )
    budget = next(column for column in lead if column["LogicalName"] == "budgetstatus")
    assert budget["GlobalOptionSet"]["Name"] == "budgetstatus"


async def test_states_and_their_statuses(api: Documents) -> None:
    states = await api.rows(f"{INCIDENT}/Attributes/{CRM}.StateAttributeMetadata?$expand=OptionSet")
    assert [(o["Value"], o["DefaultStatus"], o["InvariantName"]) for o in states[0]["OptionSet"]["Options"]] == [
        (0, 1, "Active"),
        (1, 5, "Resolved"),
        (2, 6, "Cancelled"),
    ]
    statuses = await api.rows(f"{INCIDENT}/Attributes/{CRM}.StatusAttributeMetadata?$expand=OptionSet")
    assert {o["Value"]: o["State"] for o in statuses[0]["OptionSet"]["Options"]} == {
        1: 0, 2: 0, 3: 0, 4: 0, 5: 1, 1000: 1, 6: 2, 2000: 2,
    }  # fmt: skip


async def test_two_options(api: Documents) -> None:
    place = f"EntityDefinitions(LogicalName='phonecall')/Attributes/{CRM}.BooleanAttributeMetadata"
    columns = await api.rows(
        f"{place}?$select=LogicalName,DefaultValue&$expand=OptionSet($select=TrueOption,FalseOption)"
    )
    direction = next(column for column in columns if column["LogicalName"] == "directioncode")
    assert direction["DefaultValue"] is True
    assert labels(direction["OptionSet"]["TrueOption"]["Label"]) == {
        1033: "Outgoing",
        1031: "Ausgehend",
        1049: "Исходящий",
    }
    assert direction["OptionSet"]["FalseOption"]["Value"] == 0


async def test_properties_of_a_kind_come_with_its_cast_only(api: Documents) -> None:
    typed = await api.document(
        f"{INCIDENT}/Attributes(LogicalName='title')/{CRM}.StringAttributeMetadata?$select=MaxLength"
    )
    assert typed["MaxLength"] == 200
    refused = await api("GET", f"{INCIDENT}/Attributes?$select=MaxLength")
    assert (refused.status, refused.code) == (400, "0x80060888")
    wrong = await api("GET", f"{INCIDENT}/Attributes(LogicalName='title')/{CRM}.MemoAttributeMetadata")
    assert wrong.status == 404
    nested = await api.document(
        f"{INCIDENT}/Attributes(LogicalName='prioritycode')/{CRM}.PicklistAttributeMetadata/OptionSet/Options"
    )
    assert [option["Value"] for option in nested["value"]] == [1, 2, 3]


async def test_lookups_name_what_to_bind(api: Documents) -> None:
    rows = await api.rows(
        f"{INCIDENT}/ManyToOneRelationships?$select=ReferencingAttribute,ReferencedEntity,"
        "ReferencingEntityNavigationPropertyName"
    )
    names = {
        (r["ReferencingAttribute"], r["ReferencedEntity"]): r["ReferencingEntityNavigationPropertyName"] for r in rows
    }
    assert names["customerid", "account"] == "customerid_account"
    assert names["customerid", "contact"] == "customerid_contact"
    assert names["primarycontactid", "contact"] == "primarycontactid"
    tasks = await api.rows("EntityDefinitions(LogicalName='task')/ManyToOneRelationships")
    assert "ownerid_task" in {r["ReferencingEntityNavigationPropertyName"] for r in tasks}


async def test_relationships_by_name_kind_and_table(api: Documents) -> None:
    one = await api.rows("RelationshipDefinitions?$filter=SchemaName eq 'Incident_Annotation'")
    assert one[0]["@odata.type"] == f"#{CRM}.OneToManyRelationshipMetadata"
    assert one[0]["ReferencedEntityNavigationPropertyName"] == "Incident_Annotation"
    again = await api.document(f"RelationshipDefinitions({one[0]['MetadataId']})?$select=SchemaName")
    assert again["SchemaName"] == "Incident_Annotation"
    cast = await api.rows(f"RelationshipDefinitions/{CRM}.ManyToManyRelationshipMetadata?$select=SchemaName")
    assert {"systemuserroles_association", "teammembership_association"} <= {r["SchemaName"] for r in cast}
    lists = await api.document(f"{INCIDENT}?$select=LogicalName&$expand=OneToManyRelationships($select=SchemaName)")
    assert {"SchemaName": "Incident_Tasks"}.items() <= next(
        r for r in lists["OneToManyRelationships"] if r["SchemaName"] == "Incident_Tasks"
    ).items()


async def test_global_choices(api: Documents) -> None:
    names = {item["Name"] for item in await api.rows("GlobalOptionSetDefinitions?$select=Name")}
    assert {"budgetstatus", "need", "purchaseprocess", "purchasetimeframe", "initialcommunication"} <= names
    one = await api.document("GlobalOptionSetDefinitions(Name='budgetstatus')")
    assert [option["Value"] for option in one["Options"]] == [0, 1, 2, 3]
    assert (await api("GET", "GlobalOptionSetDefinitions(Name='nothing')")).status == 404


async def test_service_root_and_csdl(api: Documents) -> None:
    sets = {item["name"]: item for item in await api.rows("")}
    assert sets["opportunities"] == {"name": "opportunities", "kind": "EntitySet", "url": "opportunities"}
    answer = await api("GET", "$metadata")
    assert answer.headers["Content-Type"] == "application/xml"
    root = ElementTree.fromstring(answer.text)
    edm = "{http://docs.oasis-open.org/odata/ns/edm}"
    types = {item.get("Name"): item for item in root.iter(f"{edm}EntityType")}
    incident = types["incident"]
    properties = {item.get("Name"): item.get("Type") for item in incident.iter(f"{edm}Property")}
    assert properties["_customerid_value"] == "Edm.Guid"
    assert properties["prioritycode"] == "Edm.Int32"
    navigations = {item.get("Name"): item.get("Type") for item in incident.iter(f"{edm}NavigationProperty")}
    assert navigations["customerid_account"] == "mscrm.account"
    assert navigations["Incident_Annotation"] == "Collection(mscrm.annotation)"
    known = {f"{CRM}.{name}" for name in types}
    assert {item.get("EntityType") for item in root.iter(f"{edm}EntitySet")} <= known


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("EntityDefinitions(LogicalName='nothing')", 404),
        ("EntityDefinitions(00000000-0000-0000-0000-000000000000)", 404),
        ("EntityDefinitions(nonsense)", 400),
        ("EntityDefinitions(Other='lead')", 400),
        ("EntityDefinitions/Attributes", 404),
        (f"{INCIDENT}/Nothing", 404),
        (f"{INCIDENT}/Attributes(LogicalName='nothing')", 404),
        (f"{INCIDENT}/Attributes/Microsoft.Dynamics.CRM.EnumAttributeMetadata", 404),
        (f"{INCIDENT}/Keys(LogicalName='nothing')", 404),
        ("EntityDefinitions?$top=1", 400),
        ("EntityDefinitions?$orderby=LogicalName", 400),
        ("EntityDefinitions?$select=Nothing", 400),
        ("EntityDefinitions?$filter=Nothing eq 1", 400),
        ("EntityDefinitions?$filter=LogicalName gt 1", 400),
        ("EntityDefinitions?$filter=startswith(LogicalName,'a')", 400),
        ("EntityDefinitions?$expand=Nothing", 400),
        ("EntityDefinitions?$expand=Attributes($top=1)", 400),
        ("RelationshipDefinitions(SchemaName='nothing')", 404),
    ],
)
async def test_what_is_refused(api: Documents, path: str, status: int) -> None:
    answer = await api("GET", path)
    assert answer.status == status, answer
    assert answer.body["error"]["message"]


async def test_wrong_methods(api: Documents) -> None:
    assert (await api("DELETE", "EntityDefinitions")).status == 405
    assert (await api("POST", INCIDENT, {})).status == 405
    assert (await api("POST", "GlobalOptionSetDefinitions", {})).status == 501


async def test_a_persons_own_label_is_in_their_language() -> None:
    path = "EntityDefinitions(LogicalName='lead')/Attributes(LogicalName='leadqualitycode')"
    async with serving(seed="contoso") as api:
        ben = {"MSCRMCallerID": seeds.row_id("systemuser", "ben")}

        async def own(headers: dict[str, str]) -> tuple[str, int]:
            label = (await api.get(path, headers=headers)).body["DisplayName"]
            assert len(label["LocalizedLabels"]) == 3
            return label["UserLocalizedLabel"]["Label"], label["UserLocalizedLabel"]["LanguageCode"]

        english = await own(ben)
        assert english[1] == 1033
        settings = f"usersettingscollection({ben['MSCRMCallerID']})"
        assert (await api("PATCH", settings, {"uilanguageid": 1031})).status == 204
        german = await own(ben)
        assert german[1] == 1031
        assert german[0] != english[0]
        assert await own({}) == english
        query = {"Properties": {"PropertyNames": ["DisplayName"]}}
        changes = await api.get(f"RetrieveMetadataChanges(Query=@p1)?@p1={json.dumps(query)}", headers=ben)
        labels = [table["DisplayName"]["UserLocalizedLabel"] for table in changes.body["EntityMetadata"]]
        assert 1031 in {label["LanguageCode"] for label in labels if label}
        refused = await api("PATCH", settings, {"uilanguageid": 1036})
        assert (refused.status, refused.message) == (
            400,
            "The language 1036 is not installed; installed are 1033, 1031, 1049.",
        )
        assert (await api("DELETE", settings)).status == 405
