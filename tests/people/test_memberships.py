"""Rules that name roles and teams of Dynamics; and what no lookup may find."""

import uuid
from pathlib import Path

import aiohttp
import pytest

from commands.errors import NotAllowed
from commands.policy import Policy
from commands.policy_file import PolicyError, load
from commands.press import Do, Press
from commands.request import Place, Principal
from crm.emulator import Fault
from tests.bot import Bot

from .policies import under
from .test_identity import STAFF, customer, rows, said

MANAGERS = """
rules:
- rule: Leads are for sales managers
  deny: {nouns: [lead], except: ["role:sales manager"]}
- rule: Service looks after cases
  deny: {nouns: [case], verbs: [write], except: ["team:Service"]}
"""


@pytest.mark.parametrize("face", ["slack", "teams"])
async def test_roles_and_teams_decide(bot: Bot, tmp_path: Path, face: str) -> None:
    name = f"Member{uuid.uuid4().hex[:6]}"
    await customer(bot, f"Customer {name}")
    with under(bot, tmp_path, MANAGERS):
        assert name in await said(bot, face, "anna", f"lead create Jane {name} company=Acme topic=Pumps")
        answer = await said(bot, face, "ben", f"lead create Joe {name} company=Acme topic=Pumps")
        assert "Leads are for sales managers" in answer
        assert "crm-desk@contoso.example" in answer
        words = f"case create 'Case {name}' account='Customer {name}'"
        assert "Service looks after cases" in await said(bot, face, "ben", words)
        assert name in await said(bot, face, "dmitri", words)
    assert len(await rows(bot, "leads", f"lastname eq '{name}'")) == 1
    (case,) = await rows(bot, "incidents", f"title eq 'Case {name}'")
    assert case["_createdby_value@OData.Community.Display.V1.FormattedValue"] == "Dmitri Volkov"


async def test_a_role_held_through_a_team_counts(bot: Bot, tmp_path: Path) -> None:
    (role,) = await rows(bot, "roles", "name eq 'Sales Manager'")
    (team,) = await rows(bot, "teams", "name eq 'Sales'")
    root = f"{bot.emulator.url}/api/data/v9.2"
    link = f"{root}/teams({team['teamid']})/teamroles_association"
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{link}/$ref", json={"@odata.id": f"{root}/roles({role['roleid']})"}) as answer:
            assert answer.status == 204, await answer.text()
        try:
            with under(bot, tmp_path, MANAGERS):
                assert "sales managers" not in await said(bot, "slack", "ben", "lead list")
        finally:
            async with session.delete(f"{link}({role['roleid']})/$ref") as answer:
                assert answer.status == 204, await answer.text()


async def test_asked_once_and_only_where_the_file_names_roles(bot: Bot, tmp_path: Path) -> None:
    def asked() -> int:
        return len([e for e in bot.emulator.requests.entries if e.path.endswith("/$batch")])

    bot.emulator.requests.clear()
    with under(bot, tmp_path, "rules:\n- rule: none\n  deny: {people: [x@y.example]}\n"):
        await said(bot, "slack", "anna", "lead list")
    assert asked() == 0
    with under(bot, tmp_path, MANAGERS):
        for _ in range(3):
            await said(bot, "slack", "anna", "lead list")
    assert asked() == 1


async def test_what_cannot_be_looked_up_is_denied(bot: Bot, tmp_path: Path) -> None:
    # The person is in the role; Dataverse does not say so.
    with under(bot, tmp_path, MANAGERS):
        fault = bot.emulator.faults.add(Fault(match=r"\$batch", code="0x80040220", count=5))
        try:
            answer = await said(bot, "slack", "anna", "lead list")
        finally:
            bot.emulator.faults.clear()
        assert "cannot be looked up" in answer, fault
        bot.app.dispatcher.environments.first.memberships._known.clear()
        assert "cannot be looked up" not in await said(bot, "slack", "anna", "lead list")


def test_nobody_is_allowed_whose_roles_were_not_asked_for(tmp_path: Path) -> None:
    from commands.operation import CATALOG

    path = tmp_path / "p.yaml"
    path.write_text(f"version: 1\nask: x\n{MANAGERS}")
    who = Principal(platform="slack", tenant="T1", user="U1", email="anna.weber@contoso.example")
    with pytest.raises(NotAllowed):
        Policy(load(path)).check_kind(CATALOG["account get"], who, Place(platform="slack", tenant="T", conversation=""))
    path.write_text("version: 1\nask: x\nact_for: ['role:']\n")
    with pytest.raises(PolicyError, match="line 3: 'role:' names no role"):
        load(path)


async def test_lookups_find_nothing_that_policy_hides(bot: Bot, tmp_path: Path) -> None:
    (order, *_) = await rows(bot, "salesorders", "ordernumber ne null")
    anna = next(p for p in STAFF if p.key == "anna")
    who = Principal(platform="slack", tenant="T1", user=anna.slack)
    place = Place(platform="slack", tenant="T1", conversation="C1")
    press = Press(do=Do.SUBMIT, verb="invoice create")
    words = f"invoice create 'X {uuid.uuid4().hex[:6]}' account=Contoso order={order['ordernumber']}"

    async def offered() -> list[str]:
        options = await bot.app.dispatcher.browsing.suggest(press, "order", order["name"][:5], who, place)
        return [o.label for o in options]

    assert any(order["ordernumber"] in label for label in await offered())
    with under(bot, tmp_path, "rules:\n- rule: No orders here\n  deny: {nouns: [order], verbs: [read]}\n"):
        assert await offered() == []
        assert "No orders here" in await said(bot, "slack", "anna", words)
        # An operation that the policy allows still finds what it is about.
        answer = await said(bot, "slack", "anna", f"order update {order['ordernumber']} description=Seen")
        assert "No orders here" not in answer
    (now,) = await rows(bot, "salesorders", f"salesorderid eq {order['salesorderid']}")
    assert now["description"] == "Seen"
