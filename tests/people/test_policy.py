"""The policy file: every mistake has its line; every denial names its rule and whom to ask."""

import re
import uuid
from pathlib import Path

import pytest

from bots.settings import SettingsError
from commands import operations
from commands.errors import NotAllowed
from commands.operation import CATALOG
from commands.policy import Policy
from commands.policy_file import PolicyError, load
from commands.request import Place, PlaceKind, Principal, Standing
from tests.bot import Bot, settings_for

from .test_identity import customer

assert operations
EXAMPLE = re.search(r"```yaml\n(.*?)```", Path("docs/policy.md").read_text(), re.DOTALL)
PLACE = Place(platform="slack", tenant="T1", conversation="C1", kind=PlaceKind.CHANNEL)


def person(email: str, **more: object) -> Principal:
    return Principal(platform="slack", tenant="T1", user="U1", email=email, **more)  # type: ignore[arg-type]


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    assert EXAMPLE
    path = tmp_path / "policy.yaml"
    path.write_text(EXAMPLE[1])
    return Policy(load(path))


def op(verb: str, **args: str):
    return CATALOG[verb].model_construct(_fields_set=set(args), **args)


def decide(policy: Policy, operation, who: Principal, place: Place, public: bool, env: str = "") -> None:
    policy.check(operation, who, place, env=env)
    if public:
        policy.check_sharing(who, place)


ANNA, BEN, ELENA = (f"{n}@contoso.example" for n in ("anna.weber", "ben.carter", "elena.petrova"))


@pytest.mark.parametrize(
    ("who", "operation", "place", "public", "says"),
    [
        (ELENA, op("invoice create"), PLACE, False, ""),
        (BEN, op("invoice get"), PLACE, False, ""),
        (BEN, op("invoice create"), PLACE, False, "Invoices are changed by finance only"),
        (BEN, op("case create", priority="high"), PLACE, False, "Priorities are set by the desk"),
        (BEN, op("case update", clear="prioritycode"), PLACE, False, "Priorities are set by the desk"),
        (BEN, op("case update", columns='{"prioritycode": "1"}'), PLACE, False, "Priorities are set by the desk"),
        (ANNA, op("case create", priority="high"), PLACE, False, ""),
        ("X@DESK.Contoso.example", op("case create", priority="high"), PLACE, False, ""),
        ("x@evildesk.contoso.example", op("case create", priority="high"), PLACE, False, "Priorities"),
        (ANNA, op("case get", user_id="b@contoso.example"), PLACE, False, ""),
        (BEN, op("case get", user_id="b@contoso.example"), PLACE, False, "Acting for somebody else"),
        (ANNA, op("lead create"), "C0123456789", False, "Nothing can be changed from this channel"),
        (ANNA, op("lead get"), "C0123456789", False, ""),
        (ANNA, op("lead get"), PLACE, True, ""),
        ("x@fabrikam.example", op("lead get"), PLACE, True, "may not share"),
        (ANNA, op("lead get"), "shared", True, "outside the organisation"),
        ("", op("invoice create"), PLACE, False, "finance only"),
    ],
)
def test_who_may_what(policy: Policy, who: str, operation, place, public: bool, says: str) -> None:
    if isinstance(place, str):
        place = Place(platform="slack", tenant="T1", conversation=place, shared=place == "shared")
    if not says:
        return decide(policy, operation, person(who), place, public)
    with pytest.raises(NotAllowed, match=says) as denied:
        decide(policy, operation, person(who), place, public)
    assert "@contoso.example" in denied.value.remedy.lower()
    return None


def test_a_denied_rule_names_its_own_contact(policy: Policy) -> None:
    with pytest.raises(NotAllowed) as denied:
        policy.check(op("invoice update"), person(BEN), PLACE)
    assert "finance@contoso.example" in denied.value.remedy


@pytest.mark.parametrize("standing", [Standing.GUEST, Standing.STRANGER, Standing.BOT])
def test_outsiders_see_nothing_until_they_proved_an_account(policy: Policy, standing: Standing) -> None:
    for each in (policy, Policy()):
        with pytest.raises(NotAllowed):
            each.check(op("case get"), person(ANNA, standing=standing), PLACE)
        proven = person(ANNA, standing=standing, proved=True)
        if standing is Standing.BOT:
            with pytest.raises(NotAllowed):
                each.check(op("case get"), proven, PLACE)
        else:
            each.check(op("case get"), proven, PLACE)
            outside = Place(platform="slack", tenant="T1", conversation="C1", shared=True)
            with pytest.raises(NotAllowed, match="outside the organisation"):
                decide(each, op("case get"), proven, outside, True)


def test_denied_reading_closes_what_looks_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("version: 1\nask: a@b\nrules:\n- rule: no invoices\n  deny: {nouns: [invoice]}\n")
    for verb in ("search", "home", "recent"):
        with pytest.raises(NotAllowed, match="no invoices"):
            Policy(load(path)).check_kind(CATALOG[verb], person(BEN), PLACE)
    Policy(load(path)).check_kind(CATALOG["whoami"], person(BEN), PLACE)


def ruled(tmp_path: Path, rules: str) -> Policy:
    path = tmp_path / "p.yaml"
    path.write_text(f"version: 1\nask: a@b\n{rules}")
    return Policy(load(path))


@pytest.mark.parametrize(
    ("deny", "operation"),
    [
        ("nouns: [case], verbs: [create]", op("case capture")),
        ("nouns: [case], verbs: [create], fields: [priority]", op("case capture", priority="high")),
        ("nouns: [invoice], verbs: [write]", op("order invoice")),
        ("nouns: [contact], verbs: [create]", op("lead qualify")),
        ("nouns: [lead], verbs: [get]", op("lead remind")),
        ("nouns: [case], verbs: [assign]", op("case update", owner="ben")),
        ("nouns: [case], verbs: [assign]", op("case create", columns='{"ownerid": "ben"}')),
    ],
)
def test_a_command_does_no_more_than_those_that_it_stands_for(tmp_path: Path, deny: str, operation) -> None:
    policy = ruled(tmp_path, f"rules:\n- rule: hands off\n  deny: {{{deny}}}\n")
    with pytest.raises(NotAllowed, match="hands off"):
        policy.check(operation, person(BEN), PLACE)
    policy.check(op("case update", description="x"), person(BEN), PLACE)


def test_a_rule_of_one_organisation_holds_there_alone(tmp_path: Path) -> None:
    policy = ruled(
        tmp_path,
        "environments:\n  production: {}\n  sandbox: {url: https://s.crm4.dynamics.com}\n"
        "rules:\n- rule: Production is read only\n  deny: {verbs: [write], environments: [production]}\n"
        "- rule: No leads in the sandbox\n  deny: {nouns: [lead], environments: [sandbox]}\n",
    )
    for operation, env, says in (
        (op("case create"), "production", "read only"),
        (op("case create"), "sandbox", ""),
        (op("lead get"), "production", ""),
        (op("lead get"), "sandbox", "No leads"),
        (op("search"), "production", ""),
        (op("search"), "sandbox", "No leads"),
    ):
        if not says:
            policy.check(operation, person(BEN), PLACE, env=env)
            continue
        with pytest.raises(NotAllowed, match=says):
            policy.check(operation, person(BEN), PLACE, env=env)
    assert set(policy.hidden(person(BEN), PLACE, env="sandbox")) == {"lead"}
    assert not policy.hidden(person(BEN), PLACE, env="production")


BAD = {
    "version: 1\nask: x\nruels: []\n": (3, "did you mean rules"),
    "version: 2\nask: x\n": (1, "version"),
    "version: 1\n": (1, "'ask' is missing"),
    "version: 1\nask: x\nrules:\n  - rule: a\n    deny:\n      nouns:\n        - case\n        - invoces\n": (
        8,
        "invoice",
    ),
    "version: 1\nask: x\nrules:\n  - rule: a\n": (4, "either `allow:` or `deny:`"),
    "version: 1\nask: x\nact_for:\n  - anna\n": (4, "is no person"),
    "version: 1\nask: x\nshare: ['group:desk']\ngroups:\n  desks: []\n": (3, "group:desks"),
    "version: 1\nask: x\nask: y\n": (3, "duplicate"),
    "version: 1\nask: [\n": (3, ""),
    "version: 1\nask: x\nenvironments:\n  live: {}\nrules:\n- rule: a\n  deny:\n    environments: [life]\n": (
        8,
        "none of the environments; did you mean live?",
    ),
    "- a\n": (1, "version"),
    "version: 1\nask: x\nrules:\n- rule: a\n  deny: {channels: C1}\n": (5, "channels"),
    "version: 1\nask: x\nrules:\n- rule: a\n  deny: {channels: ['#desk']}\n": (5, "channel's id"),
    "version: 1\nask: x\nread_only_channels: [sales desk]\n": (3, "channel's id"),
    "version: 1\nask: x\nrules:\n- rule: a\n  allow:\n    people: []\n": (6, "would match everything"),
    "version: 1\nask: x\nrules:\n- rule: a\n  deny:\n    nouns: [case]\n    except: []\n": (7, "leave it out"),
}


@pytest.mark.parametrize("text", BAD)
def test_mistakes_have_lines(tmp_path: Path, text: str) -> None:
    line, says = BAD[text]
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError) as wrong:
        load(path)
    assert f"policy.yaml, line {line}:" in str(wrong.value)
    assert says in str(wrong.value)


async def test_a_wrong_file_stops_the_start(bot: Bot, tmp_path: Path) -> None:
    from bots.environments import policy_file

    bad = tmp_path / "policy.yaml"
    bad.write_text("version: 1\n")
    with pytest.raises(SettingsError, match="line 1"):
        policy_file(settings_for(tmp_path, bot.emulator.url, bot.slack, policy=bad))
    with pytest.raises(SettingsError, match="cannot be read"):
        policy_file(settings_for(tmp_path, bot.emulator.url, bot.slack, policy=tmp_path / "none.yaml"))


async def test_through_the_whole_bot(bot: Bot, tmp_path: Path) -> None:
    assert EXAMPLE
    path = tmp_path / "policy.yaml"
    path.write_text(EXAMPLE[1])
    before, bot.app.dispatcher.access.policy = bot.app.dispatcher.access.policy, Policy(load(path))
    slack, name = bot.slack, f"case {uuid.uuid4().hex[:6]}"
    await customer(bot, f"Customer {name}")
    try:
        await slack.command("/crm", f"case create '{name}' account='Customer {name}' priority=high", user="U2")
        await slack.until(lambda: (m := slack.last("C1", "U2")) and "Priorities are set by the desk" in slack.text(m))
        await slack.command("/crm", f"case create '{name}' account='Customer {name}' priority=high", user="U1")
        await slack.until(lambda: (m := slack.last("C1", "U1")) and name in slack.text(m))
    finally:
        bot.app.dispatcher.access.policy = before
