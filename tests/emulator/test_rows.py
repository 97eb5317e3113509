"""Rows over HTTP: create, read, change, delete, and what is refused, with Dataverse's statuses and codes."""

import asyncio
import base64
import uuid

import pytest

from .api import Api

NOWHERE = "00000000-0000-0000-0000-00000000dead"
REPRESENTATION = {"Prefer": "return=representation"}
ALL_ANNOTATIONS = {"Prefer": 'odata.include-annotations="*"'}
FORMATTED = "OData.Community.Display.V1.FormattedValue"


async def test_a_created_row_has_what_the_server_sets(dataverse: Api) -> None:
    me = (await dataverse.get("WhoAmI")).body["UserId"]
    answer = await dataverse("POST", "incidents", await _case(dataverse), headers=REPRESENTATION)
    assert answer.status == 201
    assert "OData-EntityId" not in answer.headers
    assert answer.headers["Preference-Applied"] == "return=representation"
    row = answer.body
    assert row["_ownerid_value"] == row["_createdby_value"] == row["_owninguser_value"] == me
    assert row["_owningteam_value"] is None
    assert (row["statecode"], row["statuscode"], row["prioritycode"]) == (0, 1, 2)
    assert row["ticketnumber"].startswith("CAS-")
    assert row["createdon"] == row["modifiedon"]
    assert row["@odata.etag"] == f'W/"{row["versionnumber"]}"'


async def _case(dataverse: Api, **more: object) -> dict[str, object]:
    account = await dataverse.create("accounts", {"name": "Contoso"})
    return {"title": "Printer on fire", "customerid_account@odata.bind": f"/accounts({account})", **more}


async def test_a_client_chooses_the_id_and_a_repeat_is_412(dataverse: Api) -> None:
    key = str(uuid.uuid4())
    assert await dataverse.create("leads", {"leadid": key.upper(), "lastname": "A"}) == key
    again = await dataverse("POST", "leads", {"leadid": key, "lastname": "B"})
    assert (again.status, again.code) == (412, "0x80040237")
    assert again.message == "A record with matching key values already exists."
    assert (await dataverse.get(f"leads({key})", select="lastname")).body["lastname"] == "A"


async def test_two_creates_of_one_id_at_once_make_one_row(dataverse: Api) -> None:
    record = {"leadid": str(uuid.uuid4()), "lastname": "A"}
    answers = await asyncio.gather(*(dataverse("POST", "leads", record) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [204] + [412] * 7
    assert len((await dataverse.get("leads")).value) == 1


async def test_an_etag_guards_and_a_star_only_updates(dataverse: Api) -> None:
    key = await dataverse.create("accounts", {"name": "One"})
    seen = (await dataverse.get(f"accounts({key})")).body["@odata.etag"]
    first = await dataverse("PATCH", f"accounts({key})", {"name": "Two"}, headers={"If-Match": seen})
    assert first.status == 204
    stale = await dataverse("PATCH", f"accounts({key})", {"name": "Three"}, headers={"If-Match": seen})
    assert (stale.status, stale.code) == (412, "0x80060882")
    assert (await dataverse("DELETE", f"accounts({key})", headers={"If-Match": seen})).status == 412
    absent = await dataverse("PATCH", f"accounts({NOWHERE})", {"name": "X"}, headers={"If-Match": "*"})
    assert (absent.status, absent.code) == (404, "0x80040217")
    assert absent.message == f"account With Id = {NOWHERE} Does Not Exist"
    current = (await dataverse.get(f"accounts({key})")).body["@odata.etag"]
    assert (await dataverse.get(f"accounts({key})", headers={"If-None-Match": current})).status == 304
    assert (await dataverse.get(f"accounts({key})", headers={"If-None-Match": seen})).status == 200
    assert (await dataverse.get(f"accounts({key})", headers={"If-None-Match": "null"})).status == 200


async def test_patch_creates_what_is_not_there(dataverse: Api) -> None:
    key = str(uuid.uuid4())
    created = await dataverse("PATCH", f"contacts({key})", {"lastname": "New"})
    assert (created.status, created.id) == (204, key)
    assert (await dataverse("PATCH", f"contacts({key})", {"lastname": "Same"}, headers=REPRESENTATION)).status == 200
    other = str(uuid.uuid4())
    assert (await dataverse("PATCH", f"contacts({other})", {"lastname": "N"}, headers=REPRESENTATION)).status == 201
    refused = await dataverse("PATCH", f"contacts({key})", {"lastname": "No"}, headers={"If-None-Match": "*"})
    assert (refused.status, refused.code) == (412, "0x80040237")


async def test_a_deep_insert_writes_all_or_nothing(dataverse: Api) -> None:
    record = {
        "name": "Contoso",
        "primarycontactid": {"firstname": "Ann", "lastname": "Lee"},
        "Account_Tasks": [{"subject": "Call"}, {"subject": "Write"}],
    }
    key = await dataverse.create("accounts", record)
    row = (
        await dataverse.get(
            f"accounts({key})?$expand=primarycontactid($select=fullname),Account_Tasks($select=subject)"
        )
    ).body
    assert row["primarycontactid"]["fullname"] == "Ann Lee"
    assert {task["subject"] for task in row["Account_Tasks"]} == {"Call", "Write"}
    record["Account_Tasks"] = [{"subject": "fine"}, {"subject": "x" * 201}]
    refused = await dataverse("POST", "accounts", record)
    assert (refused.status, refused.code) == (400, "0x80044331")
    assert len((await dataverse.get("accounts")).value) == 1
    assert len((await dataverse.get("contacts")).value) == 1
    assert len((await dataverse.get("tasks")).value) == 2


@pytest.mark.parametrize(
    ("entity_set", "record", "code", "says"),
    [
        ("leads", {"lastname": "x" * 51}, "0x80044331",
         "A validation error occurred.  The length of the 'lastname' attribute of the 'lead' entity"),
        ("leads", {"mobilephone": "1" * 21}, "0x80044331", "'20'"),
        ("leads", {"numberofemployees": 1_000_001}, "0x8004432f", "outside the valid range"),
        ("leads", {"estimatedamount": 1e13}, "0x80044330", "outside the valid range"),
        ("leads", {"leadsourcecode": 99}, "0x8004431a", "Accepted Values: 1,2,3"),
        ("leads", {"leadsourcecode": "8"}, "0x80048d19", "leadsourcecode"),
        ("leads", {"lastname": 5}, "0x80048d19", "Edm.String"),
        ("leads", {"estimatedclosedate": "tomorrow"}, "0x80048d19", "Edm.Date"),
        ("leads", {"donotemail": "yes"}, "0x80048d19", "Edm.Boolean"),
        ("leads", {"emial": "x"}, "0x80048d19", "emial"),
        ("leads", {"Lastname": "x"}, "0x80048d19", "Lastname"),
        ("leads", {"_ownerid_value": NOWHERE}, "0x80048d19", '"ownerid@odata.bind"'),
        ("leads", {"parentaccountid": NOWHERE}, "0x80048d19", "parentaccountid@odata.bind"),
        ("leads", {"ParentAccountId@odata.bind": f"/accounts({NOWHERE})"}, "0x80048d19", "undeclared property"),
        ("tasks", {"subject": "x", "ownerid@odata.bind": f"/systemusers({NOWHERE})"}, "0x80048d19", "undeclared"),
        ("leads", {"parentaccountid@odata.bind": "accounts"}, "0x80048d19", "is not the URL of a row"),
        ("leads", {"lastname": "x", "statuscode": 3}, "0x80048408", "is not a valid status code for state code"),
        ("incidents", {"title": "No customer"}, "0x80040200", "customerid"),
        ("accounts", {"@odata.type": "Microsoft.Dynamics.CRM.contact", "name": "x"}, "0x80048d19", "not compatible"),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_refused(
    dataverse: Api, entity_set: str, record: dict[str, object], code: str, says: str
) -> None:
    answer = await dataverse("POST", entity_set, record)
    assert (answer.status, answer.code) == (400, code), answer.text
    assert says in answer.message
    assert (await dataverse.get(entity_set)).value == []


async def test_a_bound_row_must_exist(dataverse: Api) -> None:
    answer = await dataverse("POST", "leads", {"lastname": "A", "parentaccountid@odata.bind": f"/accounts({NOWHERE})"})
    assert (answer.status, answer.code) == (404, "0x80040217")


@pytest.mark.parametrize("form", ["/accounts({})", "accounts({})", "{base}/accounts({})", "accounts(accountid={})"])
async def test_a_lookup_is_bound_in_every_form(dataverse: Api, form: str) -> None:
    account = await dataverse.create("accounts", {"name": "Contoso"})
    url = form.format(account, base=dataverse.url("").rstrip("/"))
    key = await dataverse.create("leads", {"lastname": "A", "parentaccountid@odata.bind": url})
    row = (await dataverse.get(f"leads({key})", select="_parentaccountid_value", headers=ALL_ANNOTATIONS)).body
    lookup = "_parentaccountid_value"
    assert row[lookup] == account
    assert row[f"{lookup}@{FORMATTED}"] == "Contoso"
    assert row[f"{lookup}@Microsoft.Dynamics.CRM.lookuplogicalname"] == "account"
    assert row[f"{lookup}@Microsoft.Dynamics.CRM.associatednavigationproperty"] == "parentaccountid"


async def test_one_customer_takes_the_place_of_the_other(dataverse: Api) -> None:
    key = await dataverse.create("incidents", await _case(dataverse))
    contact = await dataverse.create("contacts", {"firstname": "Ann", "lastname": "Lee"})
    bind = {"customerid_contact@odata.bind": f"/contacts({contact})"}
    assert (await dataverse("PATCH", f"incidents({key})", bind)).status == 204
    row = (
        await dataverse.get(f"incidents({key})?$expand=customerid_account,customerid_contact($select=fullname)")
    ).body
    assert (row["_customerid_value"], row["customerid_account"]) == (contact, None)
    assert row["customerid_contact"]["fullname"] == "Ann Lee"


async def test_a_row_is_created_into_a_collection(dataverse: Api) -> None:
    account = await dataverse.create("accounts", {"name": "Contoso"})
    path = f"accounts({account})/Account_Tasks"
    task = await dataverse.create(path, {"subject": "Call back"})
    row = (await dataverse.get(f"tasks({task})")).body
    assert row["_regardingobjectid_value"] == account
    answer = await dataverse("POST", f"{path}?$select=subject", {"subject": "Write"}, headers=REPRESENTATION)
    assert (answer.status, answer.body["subject"]) == (201, "Write")
    assert await dataverse.names(path, "subject", orderby="subject") == ["Call back", "Write"]
    lead = await dataverse.create("leads", {"lastname": "A"})
    joined = await dataverse.create(f"leads({lead})/accountleads_association", {"name": "Joined"})
    assert [r["accountid"] for r in (await dataverse.get(f"leads({lead})/accountleads_association")).value] == [joined]
    for where, status in ((f"accounts({NOWHERE})/Account_Tasks", 404), (f"{path}/$count", 404), (f"{path}/x", 404)):
        assert (await dataverse("POST", where, {"subject": "x"})).status in {status, 405}, where
    assert (await dataverse("PUT", path, {"subject": "x"})).status == 405


async def test_lookups_by_reference(dataverse: Api) -> None:
    account = await dataverse.create("accounts", {"name": "A"})
    contact = await dataverse.create("contacts", {"lastname": "C"})
    reference = {"@odata.id": dataverse.url(f"contacts({contact})")}
    single = f"accounts({account})/primarycontactid/$ref"
    assert (await dataverse("PUT", single, reference)).status == 204
    assert (await dataverse.get(single)).body["@odata.id"] == reference["@odata.id"]
    assert (await dataverse.get(f"accounts({account})/primarycontactid", select="lastname")).body["lastname"] == "C"
    assert (await dataverse("DELETE", single)).status == 204
    assert (await dataverse.get(single)).status == 204
    many = f"accounts({account})/contact_customer_accounts"
    assert (await dataverse("POST", f"{many}/$ref", reference)).status == 204
    assert [row["contactid"] for row in (await dataverse.get(many)).value] == [contact]
    assert (await dataverse.get(f"{many}/$count")).text.lstrip("\ufeff") == "1"
    assert (await dataverse("DELETE", f"{many}({contact})/$ref")).status == 204
    assert (await dataverse.get(many)).value == []


async def test_many_to_many_rows_are_attached_and_detached(dataverse: Api) -> None:
    lead = await dataverse.create("leads", {"lastname": "A"})
    account = await dataverse.create("accounts", {"name": "B"})
    path = f"leads({lead})/accountleads_association"
    reference = {"@odata.id": dataverse.url(f"accounts({account})")}
    for _ in range(2):
        assert (await dataverse("POST", f"{path}/$ref", reference)).status == 204
    assert [row["name"] for row in (await dataverse.get(path, select="name")).value] == ["B"]
    found = await dataverse.get("leads", filter="accountleads_association/any(a:a/name eq 'b')", select="lastname")
    assert [row["lastname"] for row in found.value] == ["A"]
    assert (await dataverse("DELETE", f"{path}({account})/$ref")).status == 204
    assert (await dataverse.get(path)).value == []


async def test_single_properties(dataverse: Api) -> None:
    key = await dataverse.create("accounts", {"name": "A", "creditonhold": True})
    assert (await dataverse.get(f"accounts({key})/name")).body["value"] == "A"
    assert (await dataverse.get(f"accounts({key})/name/$value")).text == "A"
    assert (await dataverse.get(f"accounts({key})/creditonhold/$value")).text == "true"
    assert (await dataverse("PUT", f"accounts({key})/telephone1", {"value": "12"})).status == 204
    assert (await dataverse.get(f"accounts({key})/telephone1")).body["value"] == "12"
    assert (await dataverse("DELETE", f"accounts({key})/telephone1")).status == 204
    assert (await dataverse.get(f"accounts({key})/telephone1")).status == 204
    assert (await dataverse.get(f"accounts({key})/telephone9")).status == 404


async def test_states_and_statuses_stay_together(dataverse: Api) -> None:
    key = await dataverse.create("incidents", await _case(dataverse))

    async def pair() -> tuple[int, int]:
        row = (await dataverse.get(f"incidents({key})", select="statecode,statuscode")).body
        return row["statecode"], row["statuscode"]

    assert (await dataverse("PATCH", f"incidents({key})", {"statecode": 2})).status == 204
    assert await pair() == (2, 6)
    assert (await dataverse("PATCH", f"incidents({key})", {"statecode": 0, "statuscode": 3})).status == 204
    assert await pair() == (0, 3)
    refused = await dataverse("PATCH", f"incidents({key})", {"statuscode": 6})
    assert (refused.status, refused.code) == (400, "0x80048408")
    assert "CaseState.Active" in refused.message or "IncidentState.Active" in refused.message
    assert await pair() == (0, 3)


async def test_amounts_follow_their_currency(dataverse: Api) -> None:
    euro = await dataverse.create("transactioncurrencies", {
        "currencyname": "Euro", "isocurrencycode": "EUR", "currencysymbol": "€", "currencyprecision": 2,
        "exchangerate": 0.8,
    })  # fmt: skip
    record = {"name": "A", "revenue": 80, "transactioncurrencyid@odata.bind": f"/transactioncurrencies({euro})"}
    key = await dataverse.create("accounts", record)
    row = (
        await dataverse.get(f"accounts({key})", select="revenue,revenue_base,exchangerate", headers=ALL_ANNOTATIONS)
    ).body
    assert (row["revenue"], row["revenue_base"], row["exchangerate"]) == (80, 100, 0.8)
    assert row[f"revenue@{FORMATTED}"] == "€80.00"
    assert (await dataverse("PATCH", f"accounts({key})", {"revenue": 8})).status == 204
    assert (await dataverse.get(f"accounts({key})", select="revenue_base")).body["revenue_base"] == 10


async def test_full_names_are_computed_and_not_written(dataverse: Api) -> None:
    key = await dataverse.create("contacts", {"firstname": "Ann", "lastname": "Lee", "fullname": "Nobody"})
    assert (await dataverse.get(f"contacts({key})", select="fullname")).body["fullname"] == "Ann Lee"
    await dataverse("PATCH", f"contacts({key})", {"firstname": None})
    assert (await dataverse.get(f"contacts({key})", select="fullname")).body["fullname"] == "Lee"


async def test_a_deleted_row_takes_its_own_and_frees_the_others(dataverse: Api) -> None:
    account = await dataverse.create("accounts", {"name": "A"})
    lead = await dataverse.create("leads", {"lastname": "L", "parentaccountid@odata.bind": f"/accounts({account})"})
    await dataverse.create("annotations", {"subject": "N", "objectid_account@odata.bind": f"/accounts({account})"})
    await dataverse.create(
        "tasks", {"subject": "T", "regardingobjectid_account_task@odata.bind": f"/accounts({account})"}
    )
    assert (await dataverse("DELETE", f"accounts({account})")).status == 204
    assert (await dataverse("DELETE", f"accounts({account})")).status == 404
    assert (await dataverse.get("annotations")).value == (await dataverse.get("tasks")).value == []
    assert (await dataverse.get(f"leads({lead})")).body["_parentaccountid_value"] is None


async def test_an_assigned_row_has_its_new_owner(dataverse: Api) -> None:
    unit = (await dataverse.get("WhoAmI")).body["BusinessUnitId"]
    bind = {"businessunitid@odata.bind": f"/businessunits({unit})"}
    team = await dataverse.create("teams", {"name": "Service", "teamtype": 0, **bind})
    key = await dataverse.create("tasks", {"subject": "T"})
    assert (await dataverse("PATCH", f"tasks({key})", {"ownerid_task@odata.bind": f"/teams({team})"})).status == 204
    row = (await dataverse.get(f"tasks({key})", headers=ALL_ANNOTATIONS)).body
    assert (row["_ownerid_value"], row["_owningteam_value"], row["_owninguser_value"]) == (team, team, None)
    assert row["_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "team"
    assert row[f"_ownerid_value@{FORMATTED}"] == "Service"


async def test_every_activity_is_an_activity_pointer(dataverse: Api) -> None:
    account = await dataverse.create("accounts", {"name": "A"})
    for kind in ("task", "phonecall"):
        regarding = {f"regardingobjectid_account_{kind}@odata.bind": f"/accounts({account})"}
        await dataverse.create(f"{kind}s", {"subject": kind.title(), **regarding})
    assert sorted(await dataverse.names("activitypointers", "activitytypecode")) == ["phonecall", "task"]
    assert (await dataverse("POST", "activitypointers", {"subject": "x"})).status == 405


async def test_methods_that_a_set_does_not_take(dataverse: Api) -> None:
    for method, path in (("DELETE", "accounts"), ("PATCH", "accounts"), ("PUT", f"accounts({NOWHERE})")):
        assert (await dataverse(method, path, {} if method != "DELETE" else None)).status == 405


async def test_notes_carry_files(dataverse: Api) -> None:
    account = await dataverse.create("accounts", {"name": "A"})
    body = base64.b64encode(b"hello").decode()
    note = {"subject": "N", "filename": "a.txt", "mimetype": "text/plain", "documentbody": body}
    note |= {"objectid_account@odata.bind": f"/accounts({account})"}
    key = await dataverse.create("annotations", note)
    row = (await dataverse.get(f"annotations({key})", select="filesize,isdocument,objecttypecode")).body
    assert (row["filesize"], row["isdocument"], row["objecttypecode"]) == (5, True, "account")
    assert (await dataverse.get(f"annotations({key})/documentbody/$value")).text == body
    big = base64.b64encode(b"x" * 5_300_000).decode()
    refused = await dataverse("POST", "annotations", {**note, "documentbody": big})
    assert (refused.status, refused.code) == (400, "0x80044a02")
    blocked = await dataverse("POST", "annotations", {**note, "filename": "run.exe"})
    assert (blocked.status, blocked.code) == (400, "0x80043e09")


async def test_an_attachment_travels_in_blocks(dataverse: Api) -> None:
    account = await dataverse.create("accounts", {"name": "A"})
    target = {
        "@odata.type": "Microsoft.Dynamics.CRM.annotation", "subject": "N", "filename": "b.bin",
        "objectid_account@odata.bind": f"/accounts({account})",
    }  # fmt: skip
    token = (await dataverse("POST", "InitializeAnnotationBlocksUpload", {"Target": target})).body[
        "FileContinuationToken"
    ]
    labels = [base64.b64encode(f"block{n}".encode()).decode() for n in range(3)]
    for label, content in zip(labels, (b"one", b"two", b"three"), strict=True):
        block = {"BlockId": label, "BlockData": base64.b64encode(content).decode(), "FileContinuationToken": token}
        assert (await dataverse("POST", "UploadBlock", block)).status == 204
    commit = {"Target": target, "BlockList": labels, "FileContinuationToken": token}
    done = (await dataverse("POST", "CommitAnnotationBlocksUpload", commit)).body
    assert done["FileSizeInBytes"] == 11
    target = {"@odata.type": "Microsoft.Dynamics.CRM.annotation", "annotationid": done["AnnotationId"]}
    download = (await dataverse("POST", "InitializeAnnotationBlocksDownload", {"Target": target})).body
    piece = {"Offset": 3, "BlockLength": 5, "FileContinuationToken": download["FileContinuationToken"]}
    data = (await dataverse("POST", "DownloadBlock", piece)).body["Data"]
    assert base64.b64decode(data) == b"twoth"
    assert (await dataverse("POST", "CommitAnnotationBlocksUpload", commit)).status == 400, "a token is used once"
