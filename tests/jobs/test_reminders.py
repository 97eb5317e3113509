"""A reminder is journalled before it is promised, comes when its time has come, and can be taken back."""

from datetime import UTC, datetime, timedelta

from dbos import DBOS

from commands.engine import Engine
from tests.bot import Bot


def moment(seconds: float) -> str:
    return f"{datetime.now(UTC) + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}Z"


async def test_it_comes_in_its_time(bot: Bot) -> None:
    slack = bot.slack
    await slack.command("/crm", f"case remind CAS-01002 '{moment(2)}' note='Call back'", user="U1")
    await slack.until(lambda: (m := slack.last("C1", "U1")) and "You will be reminded of" in slack.text(m))
    await slack.until(lambda: (m := slack.last("C1", "U1")) and "Reminder: Call back" in slack.text(m))
    assert "CAS-01002" in slack.text(slack.last("C1", "U1"))


async def test_taken_back(bot: Bot) -> None:
    slack, jobs = bot.slack, bot.app.dispatcher.jobs
    engine: Engine = jobs._engine
    before = await waiting_jobs()
    await slack.command("/crm", "remind me of CAS-01002 'in 3 days'", user="U1")
    card = await slack.until(lambda: (m := slack.last("C1", "U1")) and "You will be reminded of" in slack.text(m) and m)
    (waiting,) = await waiting_jobs() - before
    # Nobody else takes it back, not even by its id.
    await slack.command("/crm", f"unremind {waiting.removesuffix('~1')}", user="U2")
    await slack.until(lambda: (m := slack.last("C1", "U2")) and "no such reminder" in slack.text(m))
    assert await engine.waiting(waiting)
    await slack.click(card, "Cancel reminder", user="U1")
    await slack.until(lambda: (m := slack.last("C1", "U1")) and "is cancelled" in slack.text(m))
    assert await engine.waiting(waiting) is None


async def test_a_moment_that_cannot_be(bot: Bot) -> None:
    slack = bot.slack
    for when, told in (("2020-01-01", "has passed"), ("2099-01-01", "a year away"), ("whenever", "not a date")):
        await slack.command("/crm", f"case remind CAS-01002 '{when}'", user="U1")
        await slack.until(lambda told=told: (m := slack.last("C1", "U1")) and told in slack.text(m))


async def test_a_chore_is_done_once_for_all(bot: Bot) -> None:
    engine: Engine = bot.app.dispatcher.jobs._engine
    done = []

    async def chore() -> None:
        done.append(1)

    assert await engine.once("test/2026-11-24T07", chore)
    assert not await engine.once("test/2026-11-24T07", chore)
    assert await engine.once("test/2026-11-24T08", chore)
    assert len(done) == 2


async def waiting_jobs() -> set[str]:
    return {w.workflow_id for w in await DBOS.list_workflows_async(status=["DELAYED", "ENQUEUED"], load_input=False)}
