"""Raw activities: lenient where Teams is, strict where it matters."""

import pytest

from bots.teams.activity import BadActivity, parse

TENANT = "11111111-2222-4333-8444-555555555555"
BOT = "28:00000000-0000-0000-0000-00000000b0b0"


def raw(text: str = "hello", **more):
    return {
        "type": "message",
        "from": {"id": "29:ada"},
        "recipient": {"id": BOT, "name": "Tracker"},
        "conversation": {"id": "c"},
        "text": text,
        **more,
    }


def mention(text: str, account: str = BOT, name: str = "Tracker"):
    return {"type": "mention", "text": text, "mentioned": {"id": account, "name": name}}


@pytest.mark.parametrize(
    ("text", "entities", "heard"),
    [
        ("<at>Tracker</at> create Tracker ticket", [mention("<at>Tracker</at>")], "create Tracker ticket"),
        ("<at>Tracker</at> ask <at>Tracker</at>", [mention("<at>Tracker</at>")], "ask Tracker"),
        ('<at id="0">Tracker</at>&nbsp;help', [mention("<at>Tracker</at>")], "help"),
        (
            "<at>Bob</at> <at>Tracker</at> assign to <at>Bob</at>",
            [mention("<at>Tracker</at>"), mention("<at>Bob</at>", "29:bob", "Bob")],
            "Bob assign to Bob",
        ),
        ("<at>R&amp;D (bot)*</at> lead list", [mention("<at>R&amp;D (bot)*</at>", name="R&D (bot)*")], "lead list"),
        ("a &lt;b&gt; &amp; c\r\nline\u00a0two", [], "a <b> & c\nline two"),
        ("<at>Bob</at> hi", [mention("<at>Bob</at>", "29:bob", "Bob")], "Bob hi"),
        ("<at>Tracker</at>", [mention("<at>Tracker</at>")], ""),
        ("no mention", "not a list", "no mention"),
        ("x", [None, 5, {"type": "mention"}, {"type": 7}], "x"),
    ],
)
def test_only_the_bots_own_mention_goes_and_only_once(text, entities, heard):
    assert parse(raw(text, entities=entities)).text == heard


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a:1chat", "personal"),
        (f"19:ada_{BOT.removeprefix('28:')}@unq.gbl.spaces", "personal"),
        ("19:ada_ben@unq.gbl.spaces", "groupChat"),
    ],
)
def test_a_chat_of_two_people_is_not_the_bots_own(name, kind):
    read = parse(raw(conversation={"id": name, "conversationType": "personal"}))
    assert (read.kind, read.addressed) == (kind, kind == "personal")


def test_who_and_where():
    read = parse(
        raw(
            **{
                "from": {"id": "29:ada", "aadObjectId": "e", "name": "Ada"},
                "conversation": {"id": "19:x@thread.tacv2;messageid=1", "conversationType": "channel"},
                "channelData": {"tenant": {"id": TENANT}, "team": {"id": "t"}},
                "serviceUrl": "https://smba.trafficmanager.net/emea/",
                "localTimezone": "Europe/Berlin",
                "recipient": {"id": BOT, "isTargeted": True},
            }
        )
    )
    assert (read.tenant, read.sender.entra, read.kind, read.timezone, read.team) == (
        TENANT,
        "e",
        "channel",
        "Europe/Berlin",
        "t",
    )
    assert read.targeted


def test_the_tenant_of_the_conversation_serves_where_channel_data_has_none():
    assert parse(raw(conversation={"id": "c", "tenantId": TENANT})).tenant == TENANT


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        {},
        {"type": "message"},
        raw(conversation=None),
        raw(conversation={"id": 5}),
        raw(**{"from": {}}),
        raw(type=""),
    ],
)
def test_what_is_no_activity_is_refused(body):
    with pytest.raises(BadActivity):
        parse(body)


def test_strange_values_do_no_harm():
    read = parse(raw(channelData="?", entities={"a": 1}, locale=7, timestamp="yesterday", recipient=[], value=[1]))
    assert (read.locale, read.bot.id, read.value) == ("", "", [1])
