"""Nobody starves others; the answer is a card that says how long to wait."""

import pytest

from commands.rate import Pace, RateLimit, TooFast
from commands.request import Principal
from tests.bot import Bot


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def who(user: str, tenant: str = "T1") -> Principal:
    return Principal(platform="slack", tenant=tenant, user=user)


def taken(limit: RateLimit, principal: Principal, tries: int) -> int:
    done = 0
    for _ in range(tries):
        try:
            limit.take(principal)
        except TooFast:
            continue
        done += 1
    return done


def test_one_person_and_one_tenant() -> None:
    clock = Clock()
    limit = RateLimit(Pace(60, 5), Pace(600, 12), clock=clock)
    assert taken(limit, who("U1"), 50) == 5
    # What U1 was refused has cost nobody anything; the same id elsewhere is somebody else.
    assert taken(limit, who("U2"), 50) == 5
    assert taken(limit, who("U1", "T2"), 50) == 5
    assert taken(limit, who("U3"), 50) == 2
    with pytest.raises(TooFast, match="organisation"):
        limit.take(who("U4"))
    with pytest.raises(TooFast) as fast:
        limit.take(who("U1"))
    assert "1 second" in fast.value.remedy
    clock.now += 3
    assert taken(limit, who("U1"), 50) == 3
    clock.now += 3600
    assert taken(limit, who("U1"), 50) == 5


async def test_through_the_bot(bot: Bot) -> None:
    dispatcher, slack = bot.app.dispatcher, bot.slack
    before, dispatcher._rate = dispatcher._rate, RateLimit(Pace(1, 2), None)
    try:
        for _ in range(3):
            await slack.command("/crm", "help", user="U5")
        await slack.until(lambda: (m := slack.last("C1", "U5")) and "faster than" in slack.text(m))
        await slack.command("/crm", "help", user="U1")
        assert "faster than" not in slack.text(slack.last("C1", "U1"))
    finally:
        dispatcher._rate = before
