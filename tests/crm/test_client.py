"""The ordinary calls, over the wire."""

from uuid import UUID, uuid4

import pytest

from crm.auth import Impersonated
from crm.client import Dataverse, Session
from crm.errors import DuplicateId, NotFound, VersionMismatch
from crm.query import Query, col
from crm.records import Ref, Row
from tests.crm.server import Server


async def test_a_row_is_created_read_changed_and_deleted(server: Server, session: Session) -> None:
    ref = await session.create("lead", {"subject": "Hello"})
    assert isinstance(ref, Ref)
    row = await session.get(ref, select=["subject"])
    assert row["subject"] == "Hello"
    assert row.etag
    await session.update(ref, {"subject": "Bye"}, etag=row.etag)
    with pytest.raises(VersionMismatch):
        await session.update(ref, {"subject": "Again"}, etag=row.etag)
    changed = await session.update(ref, {"subject": "Once more"}, returning=["subject", "ownerid"])
    assert isinstance(changed, Row)
    assert changed["subject"] == "Once more"
    assert "_ownerid_value" in server.seen[-1].query
    await session.delete(ref)
    with pytest.raises(NotFound):
        await session.get(ref)
    assert len(server.seen) == 7


async def test_a_client_chosen_id_is_used_and_its_repetition_is_told(session: Session) -> None:
    chosen = uuid4()
    assert await session.create("account", {"name": "Contoso"}, id=chosen) == Ref("account", chosen)
    with pytest.raises(DuplicateId) as caught:
        await session.create("account", {"name": "Contoso"}, id=chosen)
    assert not caught.value.outcome_unknown
    assert await session.holds(Ref("account", chosen), {"name": "Contoso"})
    assert not await session.holds(Ref("account", chosen), {"name": "Fabrikam"})


async def test_a_list_is_read_row_by_row(session: Session) -> None:
    for number in range(3):
        await session.create("account", {"name": f"Company {number}"})
    names = [row["name"] async for row in session.list(Query("account").select("name"))]
    assert sorted(names) == ["Company 0", "Company 1", "Company 2"]


async def test_the_query_travels_encoded_and_quoted(server: Server, session: Session) -> None:
    await session.page(Query("account").where(col("name") == "O'Neil & Söhne + 100%").top(1))
    assert server.seen[-1].query == "$filter=name eq 'O''Neil & Söhne + 100%'&$top=1"


async def test_the_caller_is_named_on_every_call(server: Server) -> None:
    person = UUID(int=7)
    async with Dataverse(server.url) as dataverse:
        await dataverse.acting_as(Impersonated(person)).who_am_i()
    assert server.seen[-1].headers["CallerObjectId"] == str(person)
