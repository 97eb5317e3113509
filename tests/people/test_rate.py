"""Nobody starves others; the answer is a card that says how long to wait."""

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from commands.rate import Pace, Rate, RateLimit, SharedRateLimit, TooFast
from commands.request import Principal
from commands.state import TABLES
from tests.bot import Bot
from tests.jobs.postgres import postgres


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def who(user: str, tenant: str = "T1") -> Principal:
    return Principal(platform="slack", tenant=tenant, user=user)


async def taken(limit: Rate, principal: Principal, tries: int) -> int:
    done = 0
    for _ in range(tries):
        try:
            await limit.take(principal)
        except TooFast:
            continue
        done += 1
    return done


async def test_one_person_and_one_tenant() -> None:
    clock = Clock()
    limit = RateLimit(Pace(60, 5), Pace(600, 12), clock=clock)
    assert await taken(limit, who("U1"), 50) == 5
    # What U1 was refused has cost nobody anything; the same id elsewhere is somebody else.
    assert await taken(limit, who("U2"), 50) == 5
    assert await taken(limit, who("U1", "T2"), 50) == 5
    assert await taken(limit, who("U3"), 50) == 2
    with pytest.raises(TooFast, match="organisation"):
        await limit.take(who("U4"))
    with pytest.raises(TooFast) as fast:
        await limit.take(who("U1"))
    assert "1 second" in fast.value.remedy
    clock.now += 3
    assert await taken(limit, who("U1"), 50) == 3
    clock.now += 3600
    assert await taken(limit, who("U1"), 50) == 5


async def test_through_the_bot(bot: Bot) -> None:
    dispatcher, slack = bot.app.dispatcher, bot.slack
    before, dispatcher.access.rate = dispatcher.access.rate, RateLimit(Pace(1, 2), None)
    try:
        for _ in range(3):
            await slack.command("/crm", "help", user="U5")
        await slack.until(lambda: (m := slack.last("C1", "U5")) and "faster than" in slack.text(m))
        await slack.command("/crm", "help", user="U1")
        assert "faster than" not in slack.text(slack.last("C1", "U1"))
    finally:
        dispatcher.access.rate = before


@pytest.mark.postgres
async def test_many_processes_share_one_pace() -> None:
    async with postgres() as database:
        url = "postgresql+psycopg://" + database.url.partition("://")[2]
        engines = [create_async_engine(url, pool_pre_ping=True) for _ in range(3)]
        try:
            async with engines[0].begin() as db:
                await db.run_sync(TABLES.create_all)
            limits = [SharedRateLimit(e, RateLimit(Pace(0.01, 5), Pace(0.01, 12))) for e in engines]
            got = await asyncio.gather(*(taken(limit, who("U1"), 5) for limit in limits))
            assert sum(got) == 5, got
            # What U1 was refused has cost the tenant nothing.
            assert sum(await asyncio.gather(*(taken(limit, who("U2"), 5) for limit in limits))) == 5
            assert sum(await asyncio.gather(*(taken(limit, who("U3"), 5) for limit in limits))) == 2
            with pytest.raises(TooFast, match="organisation"):
                await limits[2].take(who("U4"))
            assert await limits[0].forget_old() == 0
            async with engines[0].begin() as db:
                assert "U1" not in str((await db.execute(sa.text("SELECT * FROM paces"))).all())
                await db.execute(sa.text("UPDATE paces SET at = at - 90000"))
            assert await limits[0].forget_old() > 0

            await database.stop()
            assert await taken(limits[1], who("U1"), 20) == 5  # by this process's own count
            await database.start()
            assert await taken(limits[1], who("U1"), 20) == 5  # forgotten above: full
            assert await taken(limits[0], who("U1"), 20) == 0
        finally:
            for engine in engines:
                await engine.dispose()
