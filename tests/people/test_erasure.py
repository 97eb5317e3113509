"""Erasing a person: every byte of the data folder and everything in it that the key opens is searched afterwards."""

import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from slack_sdk.oauth.installation_store import Installation

from bots import audit_command
from bots.database import database
from bots.playground.answer import until
from bots.settings import load
from bots.slack.installations import Installations
from bots.teams.conversations import Conversations
from commands.audit import Audit
from commands.cipher import FernetCipher
from commands.connections import Asked, Connections
from commands.erasure import erase_from_journal
from commands.following import FollowedThreads
from commands.press import Do, Press
from commands.request import Place, PlaceKind, Principal, Request, Typed
from commands.state import State
from commands.threads import Following
from commands.waiting import WaitingCommands
from crm.entra import SignedIn
from crm.records import Ref
from tests.bot import Bot
from tests.jobs.harness import outside
from tests.jobs.postgres import postgres

from .test_identity import STAFF, rows

NOWHERE = Path("none.env")
FARID = next(p for p in STAFF if p.key == "farid")
KEY = f"slack:T1:{FARID.slack}"


def opened(cipher: FernetCipher, value: object) -> str:
    """A stored value, decrypted if it can be."""
    data = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else str(value).encode()
    try:
        return cipher.decrypt(data).decode()
    except ValueError:
        return data.decode(errors="replace")


def stored(folder: Path, cipher: FernetCipher) -> Iterator[str]:
    """Everything in every table of every SQLite file."""
    for path in folder.rglob("*.db"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                for row in db.execute(f'SELECT * FROM "{table}"'):
                    yield from (opened(cipher, value) for value in row if value is not None)


def sealed_inputs(folder: Path, job: str) -> bytes:
    with sqlite3.connect(folder / "journal.db") as db:
        (text,) = db.execute("SELECT inputs FROM workflow_input WHERE workflow_uuid LIKE ?", (f"{job}%",)).fetchone()
    return text.encode()


def nowhere(folder: Path, *traces: bytes) -> None:
    for file in (f for f in folder.rglob("*") if f.is_file() and f.name.startswith(("journal.db", "state.db"))):
        content = file.read_bytes()
        for trace in traces:
            assert trace not in content, file


def settings(monkeypatch: pytest.MonkeyPatch, folder: Path, key: str, url: str = "") -> None:
    monkeypatch.setenv("CRMCHAT_DATA_DIR", str(folder))
    monkeypatch.setenv("CRMCHAT_SECRET_KEY", key)
    monkeypatch.setenv("DATABASE_URL", url)


async def in_every_table(folder: Path, key: str) -> Following:
    """Something of the person in each table of the state database; the thread of a case that they made."""
    settings = load(NOWHERE)
    async with database(settings, folder) as engine:
        state = State(engine, FernetCipher(key.encode()))
        who = Principal(platform="slack", tenant="T1", user=FARID.slack, name=FARID.name, email=FARID.email)
        place = Place(
            platform="slack", tenant="T1", conversation="C9", thread="1.5", kind=PlaceKind.CHANNEL,
            address={"team": "T1", "user": FARID.slack, "response_url": f"https://hooks/{FARID.slack}"},
        )  # fmt: skip
        case = Ref("incident", uuid.uuid4())
        following = Following(place=place, principal=who, case=case)
        asked = Asked(principal=who, place=place)
        await FollowedThreads(state).follow(following)
        alone = replace(place, conversation=f"D{FARID.slack}", kind=PlaceKind.PERSONAL)
        await FollowedThreads(state).follow(replace(following, place=alone))
        await state.shown(who, place, case, f"Of {FARID.name}")
        await state.keep(Press(do=Do.RUN, verb="case update", args={"text": FARID.name * 99}, owner=KEY))
        await WaitingCommands(state).keep(Request(ask=Typed(FARID.name), principal=who, place=place, key="k"))
        connections = Connections(state)
        await connections.invite("link", asked)
        await connections.claim(asked)
        account = SignedIn(
            object_id="o", tenant_id="t", username=FARID.email, name=FARID.name, cache="{}"
        )  # fmt: skip
        await connections.keep(KEY, account, client="app", tokens=True)
        await Conversations(state).opened("a:1", KEY)
        await Audit(state).note(who, place, "case create", key="k", outcome="done", words={"name": FARID.name})
        made = Installation(user_id=FARID.slack, team_id="T8", bot_token="xoxb-8")
        await Installations(engine, FernetCipher(key.encode())).async_save(made)
    return following


async def goes_on(folder: Path, key: str, following: Following) -> None:
    """The case's news still find their thread."""
    async with database(load(NOWHERE), folder) as engine:
        threads = FollowedThreads(State(engine, FernetCipher(key.encode())))
        (left,) = await threads.followers(following.case)
        assert (left.place.key, left.principal.user, left.place.address) == (
            following.place.key, "erased", {"team": "T1"},
        )  # fmt: skip


async def ended(bot: Bot, key: str) -> None:
    async def looked() -> bool:
        status = await bot.app.dispatcher.jobs._engine.status(f"{key}~1")
        return status is not None and status.ended

    await until(looked)


async def erase(told: list[str], person: str = KEY) -> None:
    """Until what the person asked has ended: an answer leaves before its job does."""

    async def tried() -> bool:
        return await audit_command.run_audit(NOWHERE, told.append, erase=person) == 0

    await until(tried)


async def test_nothing_of_the_person_is_left(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    slack, folder, name = bot.slack, bot.folder / "demo", f"Gone{uuid.uuid4().hex[:8]}"
    key = bot.app.settings.secret_key.get_secret_value()
    settings(monkeypatch, folder, key)
    answer = await slack.command(
        "/crm", f"case create 'Printer of {name}' account=Contoso description='{'x' * 1200} {name}'", user=FARID.slack
    )
    assert answer.delivery
    # Somebody else's job that names the person.
    await slack.command("/crm", f"lead create Joe Namer{name[4:]} topic='Ask {FARID.name}'", user="U1")
    (case,) = await rows(bot, "incidents", f"title eq 'Printer of {name}'")
    entries = [e async for e in bot.app.audit.entries(person=KEY)]
    (done,) = [e for e in entries if e.record.endswith(case["incidentid"])]
    following = await in_every_table(folder, key)
    ciphertext = sealed_inputs(folder, done.key)
    cipher = FernetCipher(key.encode())
    before = "\n".join(stored(folder, cipher))
    assert name in before
    assert KEY in before

    told: list[str] = []
    await erase(told)
    after = "\n".join(stored(folder, cipher))
    for trace in (name, FARID.name, FARID.email, KEY, f'"{FARID.slack}"'):
        assert trace not in after, trace
    await goes_on(folder, key, following)
    nowhere(folder, KEY.encode(), ciphertext[20:120])
    # The event is kept, and the key: the platform's repetition makes no second case.
    (left,) = [e async for e in bot.app.audit.entries() if e.record == done.record]
    assert (left.verb, left.outcome, left.at) == ("case create", "done", done.at)
    bot.app.dispatcher.jobs._answered.clear()
    await slack.redeliver(answer.delivery)
    assert len(await rows(bot, "incidents", f"title eq 'Printer of {name}'")) == 1


async def test_while_a_job_waits_nothing_is_erased(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, name = bot.folder / "demo", f"Wait{uuid.uuid4().hex[:8]}"
    key = bot.app.settings.secret_key.get_secret_value()
    settings(monkeypatch, folder, key)
    await bot.slack.command("/crm", f"lead create Jane {name} topic=Pumps", user=FARID.slack)
    (done,) = [e async for e in bot.app.audit.entries(person=KEY) if name in str(e.words)]
    await ended(bot, done.key)
    change = "UPDATE workflow_status SET status = ? WHERE workflow_uuid LIKE ?"
    with sqlite3.connect(folder / "journal.db", timeout=10) as db:
        # As a job that another process was to do later has it.
        db.execute(change, ("DELAYED", f"{done.key}%"))
    told: list[str] = []
    try:
        assert await audit_command.run_audit(NOWHERE, told.append, erase=KEY) == 1
        assert "have not ended" in told[0]
        assert [e async for e in bot.app.audit.entries(person=KEY)]
    finally:
        with sqlite3.connect(folder / "journal.db", timeout=10) as db:
            db.execute(change, ("SUCCESS", f"{done.key}%"))
    await erase(told)


async def test_old_jobs_go_and_a_folder_without_a_journal_is_no_error(bot: Bot, tmp_path: Path) -> None:
    folder, name = bot.folder / "demo", f"Old{uuid.uuid4().hex[:8]}"
    cipher = FernetCipher(bot.app.settings.secret_key.get_secret_value().encode())
    await bot.slack.command("/crm", f"lead create Jane {name} topic=Pumps", user=FARID.slack)
    (done,) = [e async for e in bot.app.audit.entries(person=KEY) if name in str(e.words)]
    await ended(bot, done.key)
    ago = timedelta(hours=49) / timedelta(milliseconds=1)
    with sqlite3.connect(folder / "journal.db", timeout=10) as db:
        change = "UPDATE workflow_status SET created_at = created_at - ? WHERE workflow_uuid LIKE ?"
        db.execute(change, (int(ago), f"{done.key}%"))
    erased = await erase_from_journal(folder, cipher, "", KEY, ())
    assert erased.dropped == 1
    assert not any(done.key in text for text in stored(folder, cipher) if "~" in text)
    assert (await erase_from_journal(tmp_path, cipher, "", KEY, ())).kept == 0


@pytest.mark.postgres
async def test_on_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"Gone{uuid.uuid4().hex[:8]}"
    async with postgres() as database, outside(tmp_path) as world:
        server = world.server(DATABASE_URL=database.url, CRMCHAT_DATA_DIR=str(tmp_path / "data"))
        await server.start()
        await server.ready(world.session)
        status, _ = await world.slack(server.url, f"lead create Jane {name} topic=Pumps", "p1")
        assert status == 200
        key = server.env["CRMCHAT_SECRET_KEY"]
        settings(monkeypatch, tmp_path / "data", key, database.url)
        cipher = FernetCipher(key.encode())
        following = await in_every_table(tmp_path / "data", key)

        async def everything() -> str:
            found = []
            async with await psycopg.AsyncConnection.connect(database.url) as db:
                tables = await db.execute(
                    "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'dbos')"
                )
                for schema, table in await tables.fetchall():
                    read = await db.execute(f'SELECT * FROM "{schema}"."{table}"')
                    found += [opened(cipher, v) for row in await read.fetchall() for v in row if v is not None]
            return "\n".join(found)

        assert name in await everything()
        told: list[str] = []
        await erase(told, "slack:T1:U1")
        await erase(told)
        await server.end()
        await erase(told, "slack:T1:U1")  # again, now that no transaction may still have to see the old rows
        after = await everything()
        assert name not in after
        for trace in ("slack:T1:U1\n", KEY, FARID.name, FARID.email):
            assert trace not in after, trace
        await goes_on(tmp_path / "data", key, following)
        engine = sa.create_engine("postgresql+psycopg://" + database.url.partition("://")[2])
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("CHECKPOINT")
        engine.dispose()
        for file in (database.folder / "data" / "base").rglob("*"):
            assert not file.is_file() or b"slack:T1:U1\x00" not in file.read_bytes(), file
