"""Batches, deep inserts, notes, files and searches, against the emulator."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from crm import errors
from crm.auth import Application
from crm.batch import Batch
from crm.client import Dataverse, Session
from crm.emulator import Emulator
from crm.notes import DIRECT, File
from crm.query import Expand, Key, Query, col
from crm.records import Ref, Row
from crm.tables import CASE

ACCOUNT_NUMBER = {
    "SchemaName": "new_account_number",
    "KeyAttributes": ["accountnumber"],
    "DisplayName": {"LocalizedLabels": [{"Label": "Account number", "LanguageCode": 1033}]},
}


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with Emulator(db=":memory:") as emulator, Dataverse(emulator.url) as dataverse:
        yield dataverse.acting_as(Application())


async def test_a_batch_reads_and_a_change_set_writes_altogether(session: Session) -> None:
    known = await session.create("account", {"name": "Contoso"})
    batch = Batch()
    read = batch.get(known, select=["name"])
    with batch.change_set() as together:
        person = together.create("contact", {"lastname": "Smith"})
        company = together.create("account", {"name": "Fabrikam", "primarycontactid@odata.bind": person.reference})
        together.update(known, {"name": "Contoso Ltd."})
    listed = batch.page(Query("account").select("name").order("name"))
    results = await session.batch(batch)
    assert results[read].row()["name"] == "Contoso"
    assert [row["name"] for row in results[listed].rows()] == ["Contoso Ltd.", "Fabrikam"]
    row = await session.get(results[company].ref(), select=["primarycontactid"])
    assert row.lookup("primarycontactid") == results[person].ref()


async def test_a_failed_change_set_leaves_nothing_and_what_came_later_was_not_done(session: Session) -> None:
    batch = Batch()
    with batch.change_set() as together:
        first = together.create("account", {"name": "Contoso"})
        wrong = together.create("account", {"nosuchcolumn": 1})
    later = batch.page(Query("account"))
    results = await session.batch(batch)
    for part in (first, wrong):
        with pytest.raises(errors.Invalid):
            results[part].ref()
    with pytest.raises(errors.NotCarriedOut):
        results[later].rows()
    assert (await session.page(Query("account"))).rows == []


async def test_a_batch_goes_on_after_an_error_where_asked(session: Session) -> None:
    batch = Batch()
    missing = batch.get(Ref("account", uuid4()))
    listed = batch.page(Query("account"))
    results = await session.batch(batch, continue_on_error=True)
    with pytest.raises(errors.NotFound):
        results[missing].row()
    assert results[listed].rows() == []


async def test_a_batch_has_its_limits(session: Session) -> None:
    with pytest.raises(ValueError, match="1 to 1000"):
        await session.batch(Batch())
    batch = Batch()
    for _ in range(1001):
        batch.page(Query("account"))
    with pytest.raises(ValueError, match="1 to 1000"):
        await session.batch(batch)


async def test_a_case_and_its_transcript_are_one_request(session: Session) -> None:
    customer = await session.create("account", {"name": "Contoso"})
    payload = await session.metadata.payload("incident", {"title": "Printer on fire", "customer": customer})
    assert CASE.notes
    notes = [{"subject": "Transcript", "notetext": "It burns."}]
    case = await session.create("incident", {**payload, CASE.notes: notes}, id=uuid4(), returning=["ticketnumber"])
    assert isinstance(case, Row)
    assert case["ticketnumber"]
    expanded = await session.get(case.ref, select=["title"], expand=[Expand(CASE.notes, ("subject", "notetext"))])
    (note,) = expanded.many(CASE.notes, "annotation", "annotationid")
    assert note["notetext"] == "It burns."


@pytest.mark.parametrize("size", [0, 10, DIRECT + 1_000_000])
@pytest.mark.parametrize("on_disk", [False, True])
async def test_a_file_of_any_size_comes_back_as_it_went(
    session: Session, tmp_path: Path, size: int, on_disk: bool
) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    where = tmp_path / "file.bin"
    where.write_bytes(content)
    lead = await session.create("lead", {"subject": "x"})
    file = File("Grüße.bin", "application/octet-stream", where if on_disk else content)
    key = uuid4()
    note = await session.attach(lead, subject="A file", text="Here it is.", file=file, id=key)
    assert note.id == key
    assert await session.read_file(note) == content
    row = await session.get(note, select=["filename", "subject", "notetext", "objectid"])
    assert (row["filename"], row["subject"], row["notetext"]) == ("Grüße.bin", "A file", "Here it is.")
    assert row.lookup("objectid") == lead


@pytest.mark.parametrize("told", [True, False])
async def test_a_file_above_the_organisations_limit_is_refused_and_leaves_nothing(session: Session, told: bool) -> None:
    if told:
        organisation = (await session.page(Query("organization"))).rows[0].ref
        await session.update(organisation, {"maxuploadfilesize": 5_242_880})
    lead = await session.create("lead", {"subject": "x"})
    with pytest.raises(errors.TooLarge, match=r"takes files up to 5\.0 MB" if told else "too big"):
        await session.attach(lead, subject="x", file=File("big.bin", "application/octet-stream", bytes(6_000_000)))
    assert (await session.page(Query("annotation"))).rows == []


async def test_a_large_file_may_be_sent_again_with_the_same_id(session: Session) -> None:
    lead = await session.create("lead", {"subject": "x"})
    file, key = File("x.bin", "application/octet-stream", bytes(DIRECT + 1)), uuid4()
    for _ in range(2):
        note = await session.attach(lead, subject="x", file=file, id=key)
    assert len(await session.read_file(note)) == DIRECT + 1
    with pytest.raises(errors.DuplicateId):
        await session.attach(lead, subject="another", file=file, id=key)


@pytest.mark.parametrize("relevance", [True, False])
async def test_a_search_finds_rows_of_several_tables(session: Session, relevance: bool) -> None:
    await session.create("account", {"name": "Northwind Traders"})
    await session.create("lead", {"lastname": "Northwind", "subject": "Printers"})
    await session.create("contact", {"lastname": "Smith"})
    if not relevance:
        session.metadata.search_is_off(errors.NotFound("off"))
    tables = {"account": ["name"], "lead": ["subject", "fullname"], "contact": ["fullname"]}
    hits = await session.search("northwind", tables)
    assert {hit.row.ref.table for hit in hits} == {"account", "lead"}
    assert await session.search('(nothing) + like "that"', tables) == []


async def test_counts_and_pages(session: Session) -> None:
    for number in range(7):
        await session.create("account", {"name": f"Company {number}"})
    query = Query("account").select("name").where(col("name").startswith("Company")).order("name")
    page = await session.page(query.count(), page_size=3)
    assert (len(page.rows), page.count, page.count_exceeded) == (3, 7, False)
    following = await session.page(query, next_link=page.next_link, page_size=3)
    assert [row["name"] for row in following.rows] == ["Company 3", "Company 4", "Company 5"]
    assert await session.count(query) == (7, False)
    assert len([row async for row in session.list(query, page_size=2)]) == 7


async def test_text_with_wildcards_is_found_as_it_stands(session: Session) -> None:
    for name in ("100% cotton", "100 cotton", "a_b", "axb", "[x]", "x"):
        await session.create("account", {"name": name})
    for text, found in (("100%", ["100% cotton"]), ("a_b", ["a_b"]), ("[x]", ["[x]"])):
        page = await session.page(Query("account").select("name").where(col("name").contains(text)))
        assert [row["name"] for row in page.rows] == found


async def test_an_upsert_creates_and_then_changes(session: Session) -> None:
    ref = Ref("account", uuid4())
    await session.upsert(ref, {"name": "First"})
    row = await session.upsert(ref, {"name": "Second"}, returning=["name"])
    assert row["name"] == "Second"


async def test_actions_and_functions(session: Session) -> None:
    account = await session.create("account", {"name": "Contoso"})
    case = await session.create("incident", {"title": "x", "customerid_account@odata.bind": f"/accounts({account.id})"})
    resolution = {"subject": "Solved", "incidentid@odata.bind": f"/incidents({case.id})"}
    assert await session.action("CloseIncident", {"IncidentResolution": resolution, "Status": 5}) is None
    row = await session.get(case, select=["statecode"])
    assert row.formatted("statecode") == "Resolved"
    lead = await session.create("lead", {"lastname": "Smith", "subject": "x"})
    created = await session.action(
        "QualifyLead",
        {"CreateAccount": False, "CreateContact": True, "CreateOpportunity": False, "Status": 3},
        bound=lead,
    )
    assert len(created["value"]) == 1
    total = await session.function("RetrieveTotalRecordCount", {"EntityNames": ["account"]})
    assert total["EntityRecordCountCollection"]["Values"] == [1]


async def test_a_row_is_reached_by_its_alternate_key(session: Session) -> None:
    await session.action("EntityDefinitions(LogicalName='account')/Keys", ACCOUNT_NUMBER)
    key = Key("account", {"accountnumber": "A'1/2"})
    await session.upsert(key, {"name": "First"})
    row = await session.get(key, select=["name", "accountnumber"])
    assert (row["name"], row["accountnumber"]) == ("First", "A'1/2")
    await session.update(key, {"name": "Second"})
    assert (await session.get(row.ref, select=["name"]))["name"] == "Second"
    await session.delete(key)
    with pytest.raises(errors.NotFound):
        await session.get(key)


async def test_duplicate_rules_speak_where_asked(session: Session) -> None:
    contact = {"lastname": "Smith", "emailaddress1": "smith@contoso.example"}
    await session.create("contact", contact)
    with pytest.raises(errors.DuplicateDetected):
        await session.create("contact", contact, detect_duplicates=True)
    await session.create("contact", contact)
