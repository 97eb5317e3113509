"""Which record is meant: exact, partial, several, none; and every way to write an id."""

import pytest

from commands.cards import CardKind, to_text
from commands.fields import Reading
from commands.operation import CATALOG
from commands.press import Do
from commands.request import Reply

from .organisation import Desk


async def test_one_exact_name_is_taken_and_the_card_says_which(desk: Desk) -> None:
    reply = await desk.say("case create 'Exact' account='CONTOSO'")
    assert reply.card
    assert "Customer: Contoso" in to_text(reply.card)


async def test_accents_do_not_matter(desk: Desk) -> None:
    reply = await desk.say("case create 'Accents' account='rene valdes'")
    assert reply.card
    assert "Customer: René Valdés" in to_text(reply.card)


async def test_a_partial_name_is_offered_never_taken_for_a_write(desk: Desk) -> None:
    reply = await desk.say("case create 'Partial' account=Wingtip priority=low")
    assert reply.card
    assert reply.card.kind is CardKind.CHOICE
    assert [r.title for r in reply.card.rows] == ["Wingtip Toys"]
    chosen = await _choose(desk, reply, 0)
    assert chosen.card
    assert "Customer: Wingtip Toys" in to_text(chosen.card)
    assert "Priority: Low" in to_text(chosen.card)


async def test_a_partial_name_is_enough_to_look_at(desk: Desk) -> None:
    reply = await desk.say("account show wingtip")
    assert reply.card
    assert reply.card.title == "Wingtip Toys"


async def test_several_are_a_card_that_carries_the_command(desk: Desk) -> None:
    await desk.say("contact create Sam Twin email=sam1@example.com")
    await desk.say("contact create Sam Twin email=sam2@example.com")
    ctx = desk.context()
    reply = await desk.say("case create 'Which Sam?' account='Sam Twin'", ctx)
    assert reply.card
    assert reply.card.kind is CardKind.CHOICE
    assert len(reply.card.rows) == 2
    press = reply.card.rows[0].action and reply.card.rows[0].action.press
    assert press
    assert (press.do, press.key, press.owner) == (Do.RUN, ctx.key, ctx.principal.key)
    chosen = await _choose(desk, reply, 1)
    assert chosen.card
    assert "Customer: Sam Twin" in to_text(chosen.card)


async def test_nobody_by_that_name_gives_the_nearest_and_offers_to_create(desk: Desk) -> None:
    reply = await desk.say("case create 'Misspelt' account='Fabrikan'")
    assert reply.card
    assert "Fabrikam, Inc." in [r.title for r in reply.card.rows]
    assert [a.label for a in reply.card.actions] == ["Create account “Fabrikan”", "Create contact “Fabrikan”"]
    press = reply.card.actions[0].press
    assert press
    assert (press.do, press.args) == (Do.FORM, {"name": "Fabrikan"})


async def test_inactive_records_are_left_out_of_writes(desk: Desk) -> None:
    reply = await desk.say("case create 'Closed down' account='Blue Yonder Airlines'")
    assert reply.card
    assert reply.card.kind is CardKind.CHOICE
    shown = await desk.say("account show 'Blue Yonder Airlines'")
    assert shown.card
    assert shown.card.title == "Blue Yonder Airlines"


@pytest.mark.parametrize("written", ["{id}", "{{{id}}}", "{upper}", "{bare}", "/accounts({id})", "accounts({upper})"])
async def test_an_id_in_any_dress(desk: Desk, written: str) -> None:
    account = await desk.say("account show 'Contoso'")
    assert account.card
    guid = account.card.record.partition("/")[2]
    text = written.format(id=guid, upper=guid.upper(), bare=guid.replace("-", ""))
    with desk.requests() as calls:
        reply = await desk.say(f"case create 'By id' account_id={text}")
    assert reply.card
    assert "Customer: Contoso" in to_text(reply.card)
    assert len(calls) == 1


async def test_the_address_of_a_card_leads_back_to_its_record(desk: Desk) -> None:
    account = await desk.say("account show 'Contoso'")
    assert account.card
    reply = await desk.say(f"case create 'By address' account={account.card.url}")
    assert reply.card
    assert "Customer: Contoso" in to_text(reply.card)


async def test_an_address_of_another_organisation_is_refused(desk: Desk) -> None:
    url = "https://evil.example/main.aspx?etn=account&id=00000000-0000-4000-8000-000000000001"
    reply = await desk.say(f"case create 'Elsewhere' account={url}")
    assert reply.card
    assert reply.card.kind is CardKind.ERROR
    assert "evil.example is not this organisation's address" in reply.card.title


async def test_a_path_of_another_kind_is_refused(desk: Desk) -> None:
    reply = await desk.say("case create 'Kinds' account=/leads(00000000-0000-4000-8000-000000000001)")
    assert reply.card
    assert reply.card.title.startswith("Customer must be an account or a contact")


async def test_a_number_is_enough_without_its_random_tail(desk: Desk) -> None:
    reply = await desk.say("case show CAS-01001")
    assert reply.card
    assert reply.card.subtitle == "Case CAS-01001-K3F7Q1"


async def test_it_is_the_record_last_shown_of_that_kind(desk: Desk) -> None:
    await desk.say("case show CAS-01002")
    await desk.say("account show 'Contoso'")
    reply = await desk.say("case show it")
    assert reply.card
    assert reply.card.subtitle == "Case CAS-01002-B8M2X5"


async def test_it_without_anything_shown_says_so(desk: Desk) -> None:
    desk.memory.shown = []
    reply = await desk.say("invoice show it")
    assert reply.card
    assert reply.card.title.startswith("No invoice was shown to you here")


async def test_me_is_the_person_who_asks(desk: Desk) -> None:
    reply = await desk.say("case create 'Mine' account='Contoso' owner=me")
    assert reply.card
    assert "Owner: System Administrator" in to_text(reply.card)


async def test_people_are_found_by_e_mail_address(desk: Desk) -> None:
    reply = await desk.say("case assign CAS-01002 dmitri.volkov@contoso.example")
    assert reply.card
    assert reply.card.text[0] == "Assigned to Dmitri Volkov."


async def test_one_request_for_a_name_however_many_tables(desk: Desk) -> None:
    with desk.requests() as calls:
        await desk.say("case create 'Count' account='Contoso'")
    assert [c.path.partition("?")[0] for c in calls] == ["$batch", "incidents"]


async def _choose(desk: Desk, reply: Reply, row: int) -> Reply:
    assert reply.card
    action = reply.card.rows[row].action
    assert action
    assert action.press
    operation = CATALOG[action.press.verb].read(action.press.args, Reading())
    return await desk.run(operation, desk.context(action.press.key))
