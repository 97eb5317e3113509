"""The audit: every write and every denial once, readable with the key alone, erasable, exported as JSON lines."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from bots import audit_command
from commands.audit import _AUDIT, ERASED, Audit
from commands.policy import Policy
from commands.policy_file import load
from tests.bot import Bot


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
    before, bot.app.dispatcher._policy = bot.app.dispatcher._policy, Policy(load(path))
    try:
        await slack.command("/crm", f"lead create Joe {name} company=Acme topic=Pumps", user="U3")
    finally:
        bot.app.dispatcher._policy = before
    denied = (await events(bot, name))[-1]
    assert denied.outcome == "denied"
    assert "hands off" in denied.reason


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
    for key, value in {
        "CRMCHAT_DATA_DIR": str(bot.folder),
        "CRMCHAT_SECRET_KEY": bot.app.settings.secret_key.get_secret_value(),
        "DATABASE_URL": f"sqlite+aiosqlite:///{bot.folder / 'demo' / 'state.db'}",
    }.items():
        monkeypatch.setenv(key, value)
    none = Path("none.env")
    told: list[str] = []
    assert await audit_command.run_audit(none, told.append, person=before.person, as_json=True, since="1h") == 0
    assert json.loads(told[-1])["words"]["last_name"] == name

    told.clear()
    assert await audit_command.run_audit(none, told.append, erase=before.person) == 0
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
