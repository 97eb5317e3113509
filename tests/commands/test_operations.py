"""What people ask for, against the emulator: answers, round trips, repetition, changes by others."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from urllib.parse import unquote_plus

import pytest

from commands.cards import CardKind, to_text
from commands.fields import Reading
from commands.operation import CATALOG, by_slug
from commands.operations.lists import List
from commands.press import Do
from commands.record_cards import look
from crm.client import Dataverse
from crm.query import Query
from crm.records import Page

from .organisation import Desk, pressed

SLUGS = [op.slug for op in CATALOG.values() if op.slug]


def test_the_twelve_are_there() -> None:
    assert sorted(s.removeprefix("DYNAMICS365_DYNAMICSCRM_") for s in SLUGS) == [
        "CREATE_ACCOUNT",
        "CREATE_CASE",
        "CREATE_CONTACT",
        "CREATE_INVOICE",
        "CREATE_LEAD",
        "CREATE_OPPORTUNITY",
        "CREATE_SALES_ORDER",
        "GET_ALL_LEADS",
        "GET_A_LEAD",
        "UPDATE_LEAD",
        "UPDATE_OPPORTUNITY",
        "UPDATE_SALES_ORDER",
    ]


@pytest.mark.parametrize(
    ("slug", "names"),
    [
        ("CREATE_LEAD", "firstname lastname emailaddress1 telephone1 companyname subject"),
        ("UPDATE_LEAD", "lead_id leadid id firstname lastname emailaddress1 telephone1 companyname subject"),
        ("GET_A_LEAD", "lead_id leadid id"),
        ("GET_ALL_LEADS", "filter select orderby top"),
        ("CREATE_ACCOUNT", "name description revenue accountcategorycode creditonhold"),
        (
            "CREATE_CONTACT",
            """firstname lastname emailaddress1 telephone1 mobilephone jobtitle address1_city address1_stateorprovince
            address1_postalcode address1_country""",
        ),
        (
            "CREATE_OPPORTUNITY",
            "name description estimatedvalue estimatedclosedate customer_account_id customer_contact_id",
        ),
        (
            "UPDATE_OPPORTUNITY",
            """opportunity_id opportunityratingcode salesstagecode name description estimatedvalue estimatedclosedate
            customer_account_id customer_contact_id""",
        ),
        ("CREATE_SALES_ORDER", "name description account_id currency_id price_level_id"),
        ("UPDATE_SALES_ORDER", "salesorder_id name discountamount freightamount"),
        ("CREATE_INVOICE", "name description account_id currency_id price_level_id"),
        ("CREATE_CASE", "title description prioritycode caseorigincode account_id contact_id"),
    ],
)
def test_toolkit_names_are_accepted(slug: str, names: str) -> None:
    operation = by_slug(f"DYNAMICS365_DYNAMICSCRM_{slug}")
    assert operation
    accepted = {name for p in operation.parameters.values() for name in p.names}
    assert {*names.split(), "user_id"} <= accepted


@pytest.mark.parametrize("verb", list(CATALOG))
async def test_every_example_works(desk: Desk, verb: str) -> None:
    """In the order of the catalog, so that what an example opens again has been closed by one before."""
    operation = CATALOG[verb]
    with desk.requests() as calls:
        reply = await desk.say(operation.example)
    assert reply.card, reply.form
    assert reply.card.kind not in {CardKind.ERROR, CardKind.CHOICE}, to_text(reply.card)
    given = desk.read(operation.example).given().values()
    named = sum(1 for value in given if getattr(value, "form", None) in _TO_LOOK_UP)
    named += "='Contoso'" in operation.example and "list" in verb  # a reference within a filter
    assert len(calls) <= 1 + named, [c.path for c in calls]


@pytest.mark.soak
@pytest.mark.parametrize("verb", list(CATALOG))
async def test_first_use_takes_no_more_requests(desk: Desk, verb: str) -> None:
    """By a client that has learnt nothing yet but metadata."""
    operation = CATALOG[verb]
    async with Dataverse(desk.dataverse.url) as fresh:
        await fresh.metadata.load()
        new = Desk(fresh, desk.recorder)
        with new.requests() as calls:
            await new.say(operation.example)
    given = new.read(operation.example).given().values()
    named = sum(1 for value in given if getattr(value, "form", None) in _TO_LOOK_UP)
    named += "='Contoso'" in operation.example and "list" in verb
    assert len(calls) <= 1 + named, [c.path for c in calls]


_TO_LOOK_UP = {"name", "number", "email"}


async def test_a_lead_from_its_first_word_to_its_last(desk: Desk) -> None:
    with desk.requests() as calls:
        created = await desk.say("lead create Ann Lee topic='Ten machines' company=Acme rating=hot")
    assert created.card
    assert created.card.title == "Ann Lee"
    assert "Rating: Hot" in to_text(created.card)
    assert [c.method for c in calls] == ["POST"]
    with desk.requests() as calls:
        updated = await desk.say("lead update it rating=3 phone='+1 555 0199'")
    assert updated.card
    assert "Rating: Cold" in to_text(updated.card)
    assert [(c.method, c.headers.get("If-Match")) for c in calls] == [("PATCH", "*")]
    with desk.requests() as calls:
        shown = await desk.say("lead show it")
    assert shown.card
    assert [c.method for c in calls] == ["GET"]
    assert shown.card.facts == updated.card.facts
    cleared = await desk.say("lead update it clear=phone,rating")
    assert cleared.card
    assert "Business Phone" not in to_text(cleared.card)


async def test_the_same_wish_twice_makes_one_record(desk: Desk) -> None:
    operation = desk.read("account create 'Twice Ltd' city=Bern")
    first = await desk.run(operation, desk.context("wish-1"))
    again = await desk.run(operation, desk.context("wish-1"))
    assert first.card
    assert again.card
    assert first.card.record == again.card.record
    assert "Account created." in again.card.text
    listed = await desk.say("account list name='Twice Ltd'")
    assert listed.card
    assert listed.card.title == "1 account"


async def test_a_lost_answer_makes_one_record(desk: Desk) -> None:
    desk.recorder.lose_answers = 1
    reply = await desk.say("account create 'Lost Answer Ltd'")
    assert reply.card
    assert "Account created." in reply.card.text
    listed = await desk.say("account list name='Lost Answer Ltd'")
    assert listed.card
    assert listed.card.title == "1 account"


async def test_other_values_under_the_same_wish_are_never_reported_as_ours(desk: Desk) -> None:
    await desk.run(desk.read("account create 'Mine Ltd' city=Bern"), desk.context("wish-2"))
    other = await desk.run(desk.read("account create 'Mine Ltd' city=Basel"), desk.context("wish-2"))
    assert other.card
    assert "Nothing was changed" in other.card.text[0]
    assert "City: Bern" in to_text(other.card).replace("Address 1: ", "")


async def test_an_edit_of_an_old_card_is_not_saved_over_a_newer_one(desk: Desk) -> None:
    created = await desk.say("account create 'Changing Ltd' city=Bern")
    assert created.card
    await desk.say("account update 'Changing Ltd' city=Basel")
    stale = desk.context(etag=created.card.etag)
    reply = await desk.run(desk.read("account update 'Changing Ltd' phone='+41 31 000 00 00'"), stale)
    assert reply.card
    assert "nothing was saved" in reply.card.text[0]
    assert [a.label for a in reply.card.actions] == ["Edit again", "Save mine anyway"]
    assert "Phone" not in to_text(reply.card)
    anyway = await desk.run(pressed(reply, "Save mine anyway"), desk.context())
    assert anyway.card
    assert "Saved." in anyway.card.text


async def test_our_own_change_after_a_lost_answer_is_success(desk: Desk) -> None:
    created = await desk.say("account create 'Echo Ltd'")
    assert created.card
    operation = desk.read("account update 'Echo Ltd' city=Bern")
    first = await desk.run(operation, desk.context("wish-3", etag=created.card.etag))
    assert first.card
    assert "Saved." in first.card.text
    # The job died before it could note its success, and runs again with the version that it saw.
    again = await desk.run(operation, desk.context("wish-3", etag=created.card.etag))
    assert again.card
    assert "Saved." in again.card.text


async def test_a_contact_alone_is_the_customer(desk: Desk) -> None:
    reply = await desk.say("case create 'Whose?' contact_id=maria.campbell@fabrikam.example")
    assert reply.card
    assert "Customer: Maria Campbell" in to_text(reply.card)
    both = await desk.say("case create 'Whose?' account='Fabrikam, Inc.' contact=maria.campbell@fabrikam.example")
    assert both.card
    assert "Customer: Fabrikam, Inc." in to_text(both.card)
    assert "Contact: Maria Campbell" in to_text(both.card)


async def test_a_bare_guid_may_be_of_a_contact(desk: Desk) -> None:
    contact = await desk.say("contact show maria.campbell@fabrikam.example")
    assert contact.card
    guid = contact.card.record.partition("/")[2].upper()
    reply = await desk.say(f"case create 'By id' account_id={{{guid}}}")
    assert reply.card
    assert "Customer: Maria Campbell" in to_text(reply.card)


async def test_money_says_the_currency(desk: Desk) -> None:
    reply = await desk.say("opportunity create 'In euros' account='Contoso' value='€1,500'")
    assert reply.card
    assert "€1,500" in to_text(reply.card)


async def test_several_price_lists_are_asked_for(desk: Desk) -> None:
    reply = await desk.say("order create 'Which prices?' account='Contoso'")
    assert reply.form
    assert "several price lists" in next(i.problem for i in reply.form.inputs if i.name == "price_list")
    by_list = await desk.say("order create 'These prices' account='Contoso' price_list='Retail (EUR)'")
    assert by_list.card
    assert "Price List: Retail (EUR)" in to_text(by_list.card)
    assert "Currency: Euro" in to_text(by_list.card)


async def test_a_list_pages_and_sorts_in_place(desk: Desk) -> None:
    first = await desk.say("contact list")
    assert first.card
    assert len(first.card.rows) == 10
    second = await desk.run(pressed(first, "Next page"), desk.context())
    assert second.card
    assert second.replace
    assert {r.title for r in second.card.rows}.isdisjoint({r.title for r in first.card.rows})
    by_name = await desk.run(pressed(first, "By name"), desk.context())
    assert by_name.card
    titles = [r.title for r in by_name.card.rows]
    assert titles == sorted(titles, key=str.casefold)


async def test_an_empty_list_says_what_to_try(desk: Desk) -> None:
    reply = await desk.say("lead list company~nobody-has-this-name")
    assert reply.card
    assert reply.card.title == "No leads"
    assert [a.label for a in reply.card.actions] == ["All leads", "Create lead"]


async def test_a_raw_filter_that_is_wrong_is_explained(desk: Desk) -> None:
    reply = await desk.say("lead list filter=\"nosuch eq 'x'\"")
    assert reply.card
    assert reply.card.kind is CardKind.ERROR
    assert "nosuch" in to_text(reply.card)


async def test_values_never_become_syntax(desk: Desk) -> None:
    for attack in ("x') or contains(name,'", "'; drop table account; --", "%", "x' eq 'x"):
        reply = await desk.say(f'account list name="{attack}"')
        assert reply.card
        assert reply.card.title == "No accounts", attack


async def test_an_action_that_has_happened_is_recognised(desk: Desk) -> None:
    await desk.say("case create 'Resolve me' account='Contoso'")
    operation = desk.read("case resolve it 'Done'")
    ctx = desk.context()
    assert await operation.landed(ctx) is None
    done = await operation.run(ctx)
    assert done.card
    landed = await operation.landed(ctx)
    assert landed
    assert landed.card
    assert landed.card.status == done.card.status
    assert landed.card.status
    assert landed.card.status.text == "Problem Solved"


async def test_cards_offer_what_the_state_allows(desk: Desk) -> None:
    case = await desk.say("case create 'Live and die' account='Contoso'")
    assert case.card
    assert [a.label for a in case.card.actions] == ["Resolve", "Edit", "Add note", "Assign", "Cancel case"]
    cancelled = await desk.run(pressed(case, "Cancel case"), desk.context())
    assert cancelled.card
    assert [a.label for a in cancelled.card.actions] == ["Reopen", "Add note"]


async def test_every_button_of_every_card_names_a_command(desk: Desk) -> None:
    for text in ("lead list", "case list", "order list", "home", "recent", "search contoso"):
        reply = await desk.say(text)
        assert reply.card
        for action in reply.card.buttons():
            if action.press and action.press.do in {Do.RUN, Do.SHARE}:
                CATALOG[action.press.verb].read(action.press.args, Reading())
            elif action.press:
                assert action.press.verb in CATALOG


async def test_only_cases_have_a_public_form_with_number_title_and_status(desk: Desk) -> None:
    case = await desk.say("case create 'Public?' account='Contoso' description=secret")
    assert case.card
    stub = case.card.public()
    assert stub
    text = to_text(stub)
    assert re.fullmatch(r"Public\? · Case CAS-\S+ · In Progress\n\[Show details\]", text)
    lead = await desk.say("lead show 'Luis Alverca'")
    assert lead.card
    assert lead.card.public() is None


async def test_labels_come_in_the_persons_language(desk: Desk) -> None:
    from dataclasses import replace

    from .organisation import PERSON

    german = replace(PERSON, locale="de-DE")
    english = await desk.say("case create 'Sprache' account='Contoso' priority=high")
    assert english.card
    card = (await desk.run(desk.read("case show it"), desk.context(principal=german))).card
    assert card
    assert "Priorität: Hoch" in to_text(card)


async def test_a_record_that_is_gone_is_said_to_be(desk: Desk) -> None:
    reply = await desk.say("lead show 00000000-0000-4000-8000-00000000dead")
    assert reply.card
    assert reply.card.kind is CardKind.ERROR
    assert reply.card.title.startswith("This lead does not exist")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lead list created>7d rating=1", r"Created in the last 7 days and rating is Hot"),
        ("opportunity list closed<1w", r"Closed more than 1 week ago"),
        ("lead list created<1w", r"Created more than 1 week ago"),
        ("lead list created>=2h", r"Created in the last 2 hours"),
        ("lead list created=2026-06-01", r"Created is 1 Jun 2026"),
        ("lead list close<30d", r"Close before \d{1,2} \w{3} \d{4}"),
        ("lead list close>2026-06-01 OR close=", r"Close after 1 Jun 2026 or close is empty"),
        ("lead list close=this quarter", r"Close is from 1 \w{3} \d{4} to 3[01] \w{3} \d{4}"),
        (
            "case list due<='tomorrow 14:00' NOT priority=high",
            r"Due until \d+ \w+ \d+ 14:00 and not \(priority is High\)",
        ),
        ("opportunity list value>100k customer~contoso", r"Value is above “100k” and customer contains “contoso”"),
    ],
)
async def test_a_list_says_in_words_what_it_looked_for(desk: Desk, text: str, says: str) -> None:
    reply = await desk.say(text)
    assert reply.card
    assert re.match(says, reply.card.text[0]), reply.card.text


async def test_a_span_reaches_back_for_what_is_recorded_and_ahead_for_what_is_planned(desk: Desk) -> None:
    with desk.requests() as calls:
        for text in (
            *("lead list created>7d", "lead list created<3h", "lead list close<30d", "case list due<3d"),
            *("opportunity list closed>30d", "order list fulfilled<7d", "invoice list delivered>7d"),
        ):
            await desk.say(text)
    now = datetime.now(UTC)
    told = [re.search(r"(\w+) (ge|lt) (\d{4}-\d\d-\d\d)", unquote_plus(c.path)) for c in calls]
    found = [(m[1], m[2], (date.fromisoformat(m[3]) - now.date()).days) for m in told if m]
    assert [(column, op) for column, op, _ in found] == [
        ("createdon", "ge"), ("createdon", "lt"), ("estimatedclosedate", "lt"), ("resolveby", "lt"),
        ("actualclosedate", "ge"), ("datefulfilled", "lt"), ("datedelivered", "ge"),
    ]  # fmt: skip
    days = [n for *_, n in found]
    assert days[0] in (-8, -7, -6)
    assert days[1] in (-1, 0)
    assert days[2] in (29, 30, 31)
    assert days[3] in (2, 3, 4)
    assert days[4] in (-31, -30, -29)
    assert days[5] in (-8, -7, -6)
    assert days[6] in (-8, -7, -6)


@pytest.mark.parametrize(
    ("page", "title"),
    [
        (Page([], count=5000, count_exceeded=True), "5000+ leads"),
        (Page([], count=5000), "5000 leads"),
        (Page([], count=1), "1 lead"),
    ],
)
async def test_a_count_that_dataverse_gave_up_is_shown_with_a_plus(desk: Desk, page: Page, title: str) -> None:
    read = Query("lead").select("leadid", "fullname").top(1)
    page = replace(page, rows=(await desk.context().crm.page(read)).rows)
    listing = CATALOG["lead list"].read({})
    assert isinstance(listing, List)
    assert listing.card(await look(desk.context(), "lead"), page).title == title
