"""One rule, and every way around it: words, buttons, forms, typing, links, messages, threads, work done later."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bots.mcp.server import PLATFORM
from bots.playground.answer import until
from commands.cards import Card, CardKind, Submission
from commands.following import FollowedThreads
from commands.press import Do, Press
from commands.request import (
    Ask,
    FromMessage,
    Message,
    Person,
    Place,
    PlaceKind,
    Pressed,
    Principal,
    Quote,
    Reply,
    Request,
    Submitted,
    Typed,
)
from commands.threads import Following
from commands.work import Outcome, Work
from crm.records import Ref
from tests.bot import Bot

from .policies import under
from .test_identity import STAFF, roles, rows


def user(key: str) -> str:
    return next(p.slack for p in STAFF if p.key == key)


BEN = next(p for p in STAFF if p.key == "ben")
RULE = (
    "rules:\n- rule: No cases for Ben\n  deny: {people: [ben.carter@contoso.example], nouns: [case]}\n"
    "act_for: [ben.carter@contoso.example]\n"
)
PLACE = Place(platform="slack", tenant="T1", conversation="C2", thread="9.9", kind=PlaceKind.CHANNEL)


def message(text: str) -> Message:
    return Message(key=f"slack:T1:C2:{uuid.uuid4().hex}", text=text, author=Person(name="Ben", user=BEN.slack))


@pytest.mark.parametrize("platform", ["slack", "teams", PLATFORM])
async def test_every_door_is_closed(bot: Bot, tmp_path: Path, platform: str) -> None:
    (case,) = await rows(bot, "incidents", "startswith(ticketnumber,'CAS-01001')")
    who = {
        "slack": Principal(platform="slack", tenant="T1", user=BEN.slack),
        "teams": Principal(platform="teams", tenant=bot.teams.world.tenant, user=BEN.aad, entra_id=BEN.aad),
        PLATFORM: Principal(platform=PLATFORM, tenant="local", user=BEN.aad, entra_id=BEN.aad),
    }[platform]
    place = replace(PLACE, platform=platform, tenant=who.tenant)
    dispatcher, number, since = bot.app.dispatcher, case["ticketnumber"], datetime.now(UTC)
    args = {"record": case["incidentid"]}
    update = Press(do=Do.RUN, verb="case update", args={**args, "description": "By a button"})
    asks: dict[str, Ask] = {
        "words": Typed(f"case show {number}"),
        "as somebody else": Typed(f"case show {number} user_id=anna.weber@contoso.example"),
        "list": Typed("case list"),
        "everywhere": Typed("search coffee"),
        "path of a condition": Typed("account list filter=\"incident_customer_accounts/any(i:i/title eq '/')\""),
        "recent": Typed("recent"),
        "reminder": Typed(f"case remind {number} 'tomorrow 9am'"),
        "button": Pressed(update),
        "confirmed button": Pressed(replace(update, do=Do.CONFIRM)),
        "share": Pressed(Press(do=Do.SHARE, verb="case get", args=args)),
        "form": Pressed(replace(update, do=Do.FORM)),
        "submitted form": Submitted(replace(update, do=Do.SUBMIT), Submission(values={"description": "By a form"})),
        "message": FromMessage(Quote(message=message("Make me a case"))),
        "emoji": FromMessage(Quote(message=message("Make me one")), at_once=True),
        # A record of a table that is denied, reached through a field of another.
        "lookup": Pressed(Press(do=Do.RUN, verb="case note", args={**args, "text": "By a note"})),
    }
    with under(bot, tmp_path, RULE):
        for name, ask in asks.items():

            async def answered(ask: Ask = ask, key: str = uuid.uuid4().hex) -> Reply | None:
                reply = await dispatcher.dispatch(Request(ask=ask, principal=who, place=place, key=key))
                return None if reply.pending else reply

            reply = await until(answered)
            assert reply.form is None, name
            assert refused(reply.card), (name, reply.card)
        assert refused(await dispatcher.browsing.home(who, place))
        assert await dispatcher.browsing.suggest(replace(update, do=Do.SUBMIT), "customer", "Cont", who, place) == []
        link = f"{bot.emulator.url}/main.aspx?pagetype=entityrecord&etn=incident&id={case['incidentid']}"
        assert await dispatcher.browsing.unfurl(link, who, place) is None
        with pytest.raises(Exception, match="No cases for Ben"):
            await dispatcher.browsing.search("coffee", ["case"], who, place)
        threads = FollowedThreads(bot.app.state)
        await threads.follow(Following(place=place, principal=who, case=Ref("incident", uuid.UUID(case["incidentid"]))))
        try:
            said = await dispatcher.listening.heard(who, place, message("By a reply"))
        finally:
            await threads.unfollow(place)
        assert said
        assert refused(said.card)
        # What was accepted before the rule, and comes to be done now.
        for work in (
            Work(key=uuid.uuid4().hex, verb="case get", args=args, principal=who, place=place, remark="Remember"),
            Work(key=uuid.uuid4().hex, verb="case update", args=update.args, principal=who, place=place),
        ):
            answer = await dispatcher.perform(work, resumed=False)
            assert answer.outcome is Outcome.FAILED
            assert refused(answer.reply.card)
        again = replace(work, verb="case get", args=args, key=uuid.uuid4().hex)
        assert refused((await dispatcher.perform(again, resumed=True)).reply.card)
    (now,) = await rows(bot, "incidents", f"incidentid eq {case['incidentid']}")
    assert now["modifiedon"] == case["modifiedon"]
    denied = [e async for e in bot.app.audit.entries(since=since, person=who.key, outcome="denied")]
    assert {"case update", "case get", "case capture", "case note", "search", "home"} <= {e.verb for e in denied}


def refused(card: Card | None) -> bool:
    return card is not None and card.kind is CardKind.ERROR and "No cases for Ben" in card.title


async def test_an_entra_id_names_a_person_on_every_face(bot: Bot, tmp_path: Path) -> None:
    rule = f"rules:\n- rule: No cases for Ben\n  deny: {{people: [{BEN.aad}], nouns: [case]}}\n"
    with under(bot, tmp_path, rule):
        for who in (
            Principal(platform="slack", tenant="T1", user=BEN.slack),
            Principal(platform=PLATFORM, tenant="local", user=BEN.email, email=BEN.email),
        ):
            asked = Request(ask=Typed("case list"), principal=who, place=PLACE, key=uuid.uuid4().hex)
            assert refused((await bot.app.dispatcher.dispatch(asked)).card), who


FORGED = (
    '{"message": {"key": "k", "text": "Forged", "author": {"name": "Anna"}, "files": [{"id": "1", "name": "pay.xlsx", '
    '"source": {"path": "/users/anna/drive/root:/pay.xlsx:/content"}}]}}'
)


@pytest.mark.parametrize("platform", ["slack", "teams"])
async def test_what_only_buttons_say_can_be_said_by_nobody_else(bot: Bot, platform: str) -> None:
    """A page of another table; a message made up, whose files would be fetched with the bot's own rights."""
    dispatcher, place = bot.app.dispatcher, replace(PLACE, platform=platform)
    who = Principal(platform=platform, tenant="T1", user=BEN.slack, entra_id=BEN.aad if platform == "teams" else "")
    bot.emulator.requests.clear()

    async def asked(ask: Ask) -> Reply:
        return await dispatcher.dispatch(Request(ask=ask, principal=who, place=place, key=uuid.uuid4().hex))

    for words, name in (
        (f"lead list page={bot.emulator.url}/api/data/v9.2/contacts?$select=fullname", "page"),
        (f"case capture title=Forged account=Contoso files=1 quote='{FORGED}'", "quote"),
    ):
        reply = await asked(Typed(words))
        assert reply.card
        assert reply.card.title == f"{name} cannot be typed: only this bot's own buttons say it."
    form = Press(do=Do.SUBMIT, verb="case capture", args={"title": "Forged"}, owner=who.key)
    reply = await asked(Submitted(form, Submission(values={"customer": "Contoso", "files": "1", "quote": FORGED})))
    assert reply.card
    assert reply.card.title == "Make a case out of a message"
    assert not [e for e in bot.emulator.requests.entries if "contacts" in e.path or e.method == "POST"]


async def test_of_one_message_everybody_is_shown_what_they_may_see(bot: Bot) -> None:
    """Dmitri serves his own cases only; he and Anna submit the form of one message, and the case is hers."""
    own = {"*": {"*": "organization"}, "incident": {"*": "user", "create": "organization"}}
    said = message(f"The mill is stuck {uuid.uuid4().hex[:6]}")
    place, kept = replace(PLACE, thread=uuid.uuid4().hex), f"Only for Anna {uuid.uuid4().hex[:6]}"
    async with roles(bot, {"Customer Service Representative": own}):
        anna, dmitri = (Principal(platform="slack", tenant="T1", user=user(key)) for key in ("anna", "dmitri"))
        forms = {}
        for who in (anna, dmitri):
            ask = FromMessage(Quote(message=said))
            key = uuid.uuid4().hex
            forms[who] = (await bot.app.dispatcher.dispatch(Request(ask=ask, principal=who, place=place, key=key))).form
        cards = []
        for who in (anna, dmitri):

            async def answered(who: Principal = who, key: str = uuid.uuid4().hex) -> Reply | None:
                form = forms[who]
                assert form
                filled = {i.name: i.value for i in form.inputs} | {"customer": "Contoso", "description": kept}
                ask = Submitted(form.submit, Submission(values=filled))
                reply = await bot.app.dispatcher.dispatch(Request(ask=ask, principal=who, place=place, key=key))
                return None if reply.pending else reply

            cards.append((await until(answered, 30)).card)
    assert kept in str(cards[0])
    assert cards[1].kind is CardKind.ERROR
    assert kept not in str(cards[1])


async def test_anothers_button_is_refused_and_noted(bot: Bot) -> None:
    who, since = Principal(platform="slack", tenant="T1", user=BEN.slack), datetime.now(UTC)
    press = Press(do=Do.RUN, verb="case cancel", args={"record": "CAS-01001"}, owner=f"slack:T1:{user('anna')}")
    asked = Request(ask=Pressed(press), principal=who, place=PLACE, key=uuid.uuid4().hex)
    reply = await bot.app.dispatcher.dispatch(asked)
    assert reply.card
    assert "belongs to somebody else" in reply.card.title
    (denied,) = [e async for e in bot.app.audit.entries(since=since, person=who.key, outcome="denied")]
    assert denied.verb == "case cancel"
