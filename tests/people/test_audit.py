"""The audit: every write and every denial once, readable with the key alone, erasable, exported as JSON lines."""

import asyncio
import dataclasses
import json
import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bots import audit_command
from bots.database import database
from bots.playground.answer import until
from bots.settings import SettingsError
from bots.settings import load as load_settings
from commands.audit import _AUDIT, DENIED, ERASED, Audit
from commands.cipher import FernetCipher
from commands.journal import Journal
from commands.policy import Policy
from commands.policy_file import load
from commands.rate import Pace, RateLimit
from commands.request import Place, Principal
from commands.state import State
from tests.bot import Bot
from tests.jobs.postgres import postgres

from .policies import under
from .test_erasure import ended
from .test_identity import as_in_production, rows

NOWHERE = Path("none.env")


async def events(bot: Bot, word: str) -> list:
    return [e async for e in bot.app.audit.entries() if word in str(e.words)]


async def test_writes_denials_and_failures(bot: Bot, tmp_path: Path) -> None:
    slack, name = bot.slack, f"Audit{uuid.uuid4().hex[:6]}"
    answer = await slack.command("/crm", f"lead create Jane {name} company=Acme topic=Pumps", user="U3")
    assert answer.delivery
    await slack.redeliver(answer.delivery)
    (done,) = await events(bot, name)
    assert (done.outcome, done.verb, done.person) == ("done", "lead create", "slack:T1:U3")
    assert done.record.startswith("lead/")
    assert done.words["last_name"] == name
    assert datetime.now(UTC) - done.at < timedelta(minutes=1)

    path = tmp_path / "policy.yaml"
    path.write_text(
        "version: 1\nask: desk@x.example\nrules:\n- rule: hands off\n  deny: {nouns: [lead], verbs: [write]}\n"
    )
    before, bot.app.dispatcher.access.policy = bot.app.dispatcher.access.policy, Policy(load(path))
    try:
        await slack.command("/crm", f"lead create Joe {name} company=Acme topic=Pumps", user="U3")
    finally:
        bot.app.dispatcher.access.policy = before
    denied = (await events(bot, name))[-1]
    assert denied.outcome == "denied"
    assert "hands off" in denied.reason


async def test_what_is_read_as_somebody_else_is_noted(bot: Bot, tmp_path: Path) -> None:
    since = datetime.now(UTC)
    with under(bot, tmp_path, "act_for: [anna.weber@contoso.example]\n"):
        for user in ("U1", "U2"):
            await bot.slack.command("/crm", "lead list user_id=chiara.rossi@contoso.example", user=user)
        await bot.slack.command("/crm", "lead list", user="U1")

    async def noted() -> list[tuple[str, str, str]]:
        there = [e async for e in bot.app.audit.entries(since=since) if e.verb == "lead list"]
        return [(e.person, e.outcome, e.words["user_id"]) for e in there]

    await until(noted)
    chiara = "chiara.rossi@contoso.example"
    assert await noted() == [("slack:T1:U1", "done", chiara), ("slack:T1:U2", "denied", chiara)]


async def test_who_asks_too_fast_is_noted_once_a_minute(bot: Bot) -> None:
    dispatcher, since = bot.app.dispatcher, datetime.now(UTC)
    before, dispatcher.access.rate = dispatcher.access.rate, RateLimit(Pace(0.01, 1), None)
    try:
        await asyncio.gather(*(bot.slack.command("/crm", "recent", user="U4") for _ in range(6)))
    finally:
        dispatcher.access.rate = before
    noted = [e async for e in bot.app.audit.entries(since=since, person="slack:T1:U4", outcome=DENIED)]
    assert len(noted) == len({f"{e.at:%H:%M}" for e in noted})
    assert "faster than" in noted[0].reason
    assert noted[0].place


async def test_who_is_nobody_in_dynamics_is_noted(bot: Bot) -> None:
    slack, world, since = bot.slack, bot.slack.world, datetime.now(UTC)
    world.users["U91"] = dataclasses.replace(world.users["U2"], id="U91", name="no one", email="noone@contoso.example")
    world.channels["C1"].members.append("U91")
    async with as_in_production(bot):
        await slack.command("/crm", "lead list", user="U91")
        await slack.command("/crm", "lead create Jane Nobody topic=Pumps company=Acme", user="U91")

        async def both() -> bool:
            return len([e async for e in bot.app.audit.entries(person="slack:T1:U91")]) >= 2

        await slack.until(both)
    noted = [e async for e in bot.app.audit.entries(since=since, person="slack:T1:U91")]
    assert [(e.verb, e.outcome) for e in noted] == [("lead list", DENIED), ("lead create", DENIED)]
    assert all("no enabled Dynamics 365 user" in e.reason for e in noted)
    assert noted[1].words["last_name"] == "Nobody"


async def test_a_dialogue_is_found_again_by_everything_that_can_be_asked(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ben makes a lead and notes a call; Dmitri, who serves cases, may not see it."""
    slack, name = bot.slack, f"Trail{uuid.uuid4().hex[:6]}"
    began = datetime.now(UTC)
    await slack.command("/crm", f"lead create Ida {name} topic=Pumps company=Acme", user="U2")
    (lead,) = await rows(bot, "leads", f"lastname eq '{name}'")
    await slack.command("/crm", f"lead note {lead['leadid']} 'Called back'", user="U2")
    await slack.command("/crm", f"lead show {lead['leadid']}", user="U4")
    record = f"lead/{lead['leadid']}"
    for key, value in environment(bot).items():
        monkeypatch.setenv(key, value)

    async def asked(**conditions: str) -> list[tuple[str, str, str]]:
        told: list[str] = []
        assert await audit_command.run_audit(NOWHERE, told.append, as_json=True, **conditions) == 0
        events = [json.loads(line) for line in told]
        assert all(set(e) == set(FIELDS) and datetime.fromisoformat(e["at"]).tzinfo for e in events)
        return [(e["person"], e["verb"], e["outcome"]) for e in events]

    ben, dmitri, now = "slack:T1:U2", "slack:T1:U4", began.isoformat()
    made, noted = (ben, "lead create", "done"), (ben, "lead note", "done")
    refused = (dmitri, "lead get", "denied")
    assert await asked(record=record) == [made, noted]
    assert await asked(since=now, person=ben) == [made, noted]
    assert await asked(since=now, outcome="denied") == [refused]
    assert await asked(since=now, outcome="denied", person=ben) == []
    assert await asked(until=now, record=record) == []
    told: list[str] = []
    await audit_command.run_audit(NOWHERE, told.append, since=now, outcome="denied")
    assert f"{dmitri} denied: lead get record='{lead['leadid']}' (" in told[0]
    assert "prvReadLead" in told[0]
    for wrong in ({"since": "yesterday"}, {"until": "soon"}, {"person": "Ben"}):
        with pytest.raises(SettingsError, match=f"--{next(iter(wrong))}|platform:tenant:user"):
            await audit_command.run_audit(NOWHERE, told.append, **wrong)


FIELDS = (
    "at", "person", "name", "place", "verb", "outcome", "record", "key", "words", "reason", "environment"
)  # fmt: skip
"""What docs/configuration.md promises of a line of the export."""


def environment(bot: Bot) -> dict[str, str]:
    return {
        "CRMCHAT_DATA_DIR": str(bot.folder),
        "CRMCHAT_SECRET_KEY": bot.app.settings.secret_key.get_secret_value(),
        "DATABASE_URL": f"sqlite+aiosqlite:///{bot.folder / 'demo' / 'state.db'}",
    }


async def test_a_job_s_key_outlives_two_days(bot: Bot) -> None:
    """Repeated within 48 hours, a command is answered from its job, whatever was cleaned up in between."""
    slack, name = bot.slack, f"Kept{uuid.uuid4().hex[:6]}"
    answer = await slack.command("/crm", f"lead create Jane {name} topic=Pumps company=Acme", user="U2")
    assert answer.delivery
    (done,) = await events(bot, name)
    await ended(bot, done.key)
    journal = await Journal.open(bot.folder / "demo", bot.app.state.cipher)

    async def cleaned_after(hours: int) -> bool:
        """Whether the job is still there."""
        with sqlite3.connect(bot.folder / "demo" / "journal.db", timeout=10) as db:
            at = (datetime.now(UTC) - timedelta(hours=hours)).timestamp() * 1000
            change = "UPDATE workflow_status SET created_at = ?1, updated_at = ?1, completed_at = ?1"
            db.execute(f"{change} WHERE workflow_uuid LIKE ?2", (int(at), f"{done.key}%"))
        await journal.forget_old()
        return await journal.entry(f"{done.key}~1") is not None

    try:
        assert await cleaned_after(hours=49)
        await slack.redeliver(answer.delivery)
        assert len(await rows(bot, "leads", f"lastname eq '{name}'")) == 1
        assert not await cleaned_after(hours=24 * 4)
    finally:
        await journal.close()


@pytest.mark.postgres
async def test_on_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ben = Principal(platform="slack", tenant="T1", user="U2", name="Ben Carter")
    ida = Principal(platform="slack", tenant="T1", user="U8", name="Ida Larsen")
    place = Place(platform="slack", tenant="T1", conversation="C1")
    async with postgres() as server:
        given = {"CRMCHAT_DATA_DIR": str(tmp_path), "CRMCHAT_SECRET_KEY": "a secret", "DATABASE_URL": server.url}
        for key, value in given.items():
            monkeypatch.setenv(key, value)
        async with database(load_settings(NOWHERE), tmp_path) as engine:
            audit = Audit(State(engine, FernetCipher(b"a secret")))
            began = datetime.now(UTC)
            for who in (ben, ida):
                # Two processes at once; a job that is resumed.
                done = [
                    audit.note(
                        who, place, "lead create", key="k1", outcome="done", record="lead/1", words={"a": "x"}, env=env
                    )
                    for env in ("sales", "sales", "sales")
                ]
                await asyncio.gather(*done)
                fast = [
                    audit.note(who, place, "-", key="f", outcome=DENIED, reason="fast", once=True) for _ in range(5)
                ]
                await asyncio.gather(*fast)
            await audit.note(ida, place, "lead note", key="k2", outcome="failed", words={"text": "Ben Carter knows"})
            assert len([e async for e in audit.entries(since=began)]) == 5
            assert [e.environment async for e in audit.entries(record="lead/1", person=ben.key)] == ["sales"]

            told: list[str] = []
            assert await audit_command.run_audit(NOWHERE, told.append, person=ben.key, as_json=True) == 0
            assert [json.loads(line)["verb"] for line in told] == ["lead create", "-"]
            assert json.loads(told[0])["words"] == {"a": "x"}

            assert await audit.erase(ben.key) == 2
            left = [e async for e in audit.entries(record="lead/1")]
            assert [(e.person, e.name, e.words) for e in left] == [
                (ERASED, "", {}),
                (ida.key, "Ida Larsen", {"a": "x"}),
            ]
            assert [e.words async for e in audit.entries(outcome="failed")] == [{}]  # it named Ben

            assert await audit.forget_old(0) == 0
            async with engine.begin() as db:
                at = datetime.now(UTC) - timedelta(days=3)
                await db.execute(sa.update(_AUDIT).where(_AUDIT.c.person == ERASED).values(at=at))
            assert await audit.forget_old(2) == 2
            assert {e.person async for e in audit.entries()} == {ida.key}


async def test_nothing_typed_is_readable_in_the_file(bot: Bot) -> None:
    name = f"Secret{uuid.uuid4().hex[:6]}"
    await bot.slack.command("/crm", f"lead create Jane {name} company=Acme topic=Pumps", user="U3")
    assert await events(bot, name)
    for file in bot.folder.rglob("*.db*"):
        assert name.encode() not in file.read_bytes(), file


async def test_export_erasure_and_retention(bot: Bot, monkeypatch) -> None:
    slack, name = bot.slack, f"Erase{uuid.uuid4().hex[:6]}"
    await slack.command("/crm", f"lead create Jane {name} company=Acme topic=Pumps", user="U2")
    (before,) = await events(bot, name)
    for key, value in environment(bot).items():
        monkeypatch.setenv(key, value)
    told: list[str] = []
    assert await audit_command.run_audit(NOWHERE, told.append, person=before.person, as_json=True, since="1h") == 0
    assert json.loads(told[-1])["words"]["last_name"] == name

    told.clear()
    assert await audit_command.run_audit(NOWHERE, told.append, erase=before.person) == 0
    assert not [e async for e in bot.app.audit.entries(person=before.person)]
    assert not await events(bot, name)
    (left,) = [e async for e in bot.app.audit.entries() if e.record == before.record]
    assert (left.person, left.place, left.key, left.words) == (ERASED, ERASED, ERASED, {})
    assert (left.verb, left.outcome, left.at) == (before.verb, "done", before.at)

    audit: Audit = bot.app.audit
    await audit.forget_old(0)  # never below two days
    assert [e async for e in audit.entries() if e.record == before.record]
    async with bot.app.state.engine.begin() as db:
        old = datetime.now(UTC) - timedelta(days=3)
        await db.execute(sa.update(_AUDIT).where(_AUDIT.c.record == before.record).values(at=old))
    assert await audit.forget_old(2) >= 1
    assert not [e async for e in audit.entries() if e.record == before.record]
