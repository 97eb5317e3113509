"""What is looked up while people type: choices of a form, records, links."""

import asyncio

import pytest

from bots.teams.forms import dataset, read_dataset
from bots.teams.times import Times
from commands.cards import Option
from commands.press import Do, Press

from .samples import CARDS, FORM, RECORD

pytestmark = pytest.mark.usefixtures("face")


async def test_typeahead(teams, script):
    script.options = [Option(f"Contoso {n}", f"id-{n}") for n in range(15)]
    answer = await teams.typeahead("case create/customer", "contoso 1")
    assert answer.error == ""
    assert [r["title"] for r in answer.json["value"]["results"]] == [
        "Contoso 1",
        *(f"Contoso {n}" for n in range(10, 15)),
    ]


def test_a_form_of_another_environment_searches_there():
    press, field = read_dataset(dataset(Press(do=Do.SUBMIT, verb="case create", args={"env": "Sales EU"}), "customer"))
    assert (press.verb, press.args, field) == ("case create", {"env": "Sales EU"}, "customer")
    assert read_dataset(dataset(FORM.submit, "customer"))[0].args == {}
    assert read_dataset("")[1] == ""


async def test_search_previews_and_inserts_only_what_everyone_may_see(teams, script):
    script.found = [RECORD, CARDS["nasty"]]
    answer = await teams.query("searchRecords", "printer")
    assert answer.error == ""
    inserted = teams.insert(0)
    assert "Owner" not in teams.text(inserted)
    assert "Printer on fire" in teams.text(inserted)
    initial = await teams.query("searchRecords")
    previews = [a["preview"]["content"] for a in initial.json["composeExtension"]["attachments"]]
    assert len(previews) == 2
    assert "<" not in previews[1]["title"]
    assert (await teams.query("searchRecords", "zzz")).json["composeExtension"]["type"] == "message"
    assert (await teams.query("searchRecords", "printer", skip=25)).json["composeExtension"]["attachments"] == []


@pytest.mark.parametrize("times", [Times(lookup=0.1)])
async def test_a_search_that_takes_too_long_is_answered_in_time(teams, script):
    async def forever(*_):
        await asyncio.sleep(30)

    script.search = script.unfurl = forever
    answer = await teams.query("searchRecords", "printer")
    assert answer.json["composeExtension"]["type"] == "message"
    assert answer.seconds < 1
    assert (await teams.query_link("https://contoso.crm.dynamics.com/x")).seconds < 1


async def test_links_unfurl_to_the_public_card(teams, script):
    script.found = [RECORD]
    answer = await teams.query_link(RECORD.url)
    assert answer.error == ""
    assert "Owner" not in teams.transcript("channel", "ben")
    assert "CAS-01042" in teams.transcript("channel", "ben")
    script.found = []  # nothing is kept of it here
    assert (await teams.redeliver(answer.delivery)).json["composeExtension"]["attachments"] == []
    script.found = [RECORD]
    assert (await teams.query_link("https://example.com")).json["composeExtension"]["attachments"] == []
    assert (await teams.query_link(RECORD.url, anonymous=True)).json["composeExtension"]["attachments"] == []
