"""How often Dataverse is asked, by the emulator's own log, from signed bytes to the card; metadata is warm."""

import uuid

import pytest

from crm.emulator import Emulator
from tests.bot import Bot


def asked(emulator: Emulator) -> list[str]:
    """`POST leads` for each request since the last clear, metadata and who people are left out."""
    known = ("RetrieveMetadataChanges", "systemusers")
    return [
        f"{entry.method} {entry.path.removeprefix('/api/data/v9.2/').partition('(')[0]}"
        for entry in emulator.requests.entries
        if not any(name in entry.path for name in known)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lead create Jane {name} topic=Pumps company=Acme", ["POST leads"]),
        ("lead update 'Jane {name}' phone='+1 555 0199'", ["POST $batch", "PATCH leads"]),  # by its name: +1
        ("lead update it phone='+1 555 0198'", ["PATCH leads"]),
        ("lead show it", ["GET leads"]),
        ("lead list topic=Pumps", ["GET leads"]),
        ("case create 'Pump {name} is dry' account=Contoso", ["POST $batch", "POST incidents"]),
    ],
    ids=["create", "update by name", "update", "show", "list", "a reference by name"],
)
async def test_a_command_costs_as_many_requests_as_it_must(bot: Bot, text: str, expected: list[str]) -> None:
    slack, name = bot.slack, f"Trip{uuid.uuid4().hex[:6]}"
    if "create" not in text or text.startswith("case"):
        await slack.command("/crm", f"lead create Jane {name} topic=Pumps company=Acme", user="U1")
        await slack.until(lambda: name in slack.transcript("C1", "U1"))
    before = slack.last("C1", "U1")
    bot.emulator.requests.clear()
    answer = await slack.command("/crm", text.format(name=name), user="U1")
    assert answer.status == 200
    await slack.until(lambda: slack.last("C1", "U1") is not before)
    assert asked(bot.emulator) == expected, slack.text(slack.last("C1", "U1"))


async def test_a_case_with_its_transcript_is_one_request(bot: Bot) -> None:
    slack, title = bot.slack, f"Pump {uuid.uuid4().hex[:6]} is dry"
    message = await slack.say(f"{title}\nSince Monday.", user="U2", channel="C1")
    await slack.say("Which floor?", user="U1", channel="C1", thread=message)
    await slack.shortcut("create_case_from_message", message, user="U1")
    view = await slack.until(lambda: (v := slack.view("U1")) and v.body["callback_id"] == "form" and v)
    customer = (await slack.suggest(view, "Customer", "contoso ltd")).json["options"][0]
    bot.emulator.requests.clear()
    await slack.submit(view, {"Customer": customer}, user="U1")
    stub = await slack.until(
        lambda: next((m for m in slack.messages("C1", "U3", thread=message) if m.bot_id), None), deadline=10
    )
    assert title in slack.text(stub)
    assert asked(bot.emulator) == ["POST incidents"]
    rows = await bot.emulator.service.store.read(
        lambda tx: tx.execute(
            "SELECT a.notetext FROM annotation a JOIN incident i ON i.incidentid = a.objectid WHERE i.title = ?",
            (title,),
        ).fetchall()
    )
    [(note,)] = rows
    assert "Since Monday." in note
    assert "Which floor?" in note
