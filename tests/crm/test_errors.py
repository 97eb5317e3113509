"""Every line of the error table, and every kind of nonsense: its class, its sentence, and the right retry or none."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from crm import errors
from crm.auth import Application, Impersonated
from crm.client import Dataverse, Session
from crm.emulator import Emulator
from crm.errors import CrmError
from crm.exchange import Retries
from crm.limits import Breaker
from crm.query import Query
from crm.records import Ref
from tests.crm.certificates import Authority, make_authority
from tests.crm.server import Server

QUICK = Retries(attempts=3, first=0.001, longest=0.002)
ALWAYS = 1000


@pytest.fixture(scope="module")
async def organisation() -> AsyncIterator[Emulator]:
    async with Emulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(organisation: Emulator) -> Emulator:
    """One whose faults and log begin anew."""
    organisation.faults.clear()
    organisation.requests.clear()
    return organisation


@pytest.fixture
async def session(emulator: Emulator) -> AsyncIterator[Session]:
    async with Dataverse(emulator.url, retries=QUICK, breaker=Breaker(failures=1000)) as dataverse:
        yield dataverse.acting_as(Application())


TABLE = [
    # status, code, class, attempts of a read, says
    (401, "0x80044302", errors.Unauthenticated, 1, "does not accept our token"),
    (403, "0x80040220", errors.Forbidden, 1, "prvCreateLead"),
    (403, "0x80048306", errors.Forbidden, 1, "privilege"),
    (403, "0x80072560", errors.NotAMember, 1, "privilege"),
    (404, "0x80040217", errors.NotFound, 1, "does not exist"),
    (404, "0x80060891", errors.NotFound, 1, ""),
    (404, "0x8006088a", errors.UnknownResource, 1, ""),
    (404, "", errors.NotFound, 1, ""),
    (400, "0x80040203", errors.Invalid, 1, ""),
    (400, "0x80040200", errors.RequiredMissing, 1, ""),
    (400, "0x80044331", errors.TooLong, 1, "exceeded the maximum allowed length"),
    (400, "0x8004432f", errors.OutOfRange, 1, ""),
    (400, "0x80044330", errors.OutOfRange, 1, ""),
    (400, "0x80048d19", errors.BadRequest, 1, ""),
    (400, "0x80060888", errors.BadRequest, 1, ""),
    (400, "0x80041103", errors.UnknownResource, 1, ""),
    (400, "0x8004112A", errors.BadRequest, 1, ""),
    (405, "", errors.BadRequest, 1, ""),
    (501, "", errors.BadRequest, 1, ""),
    (400, "0x80040265", errors.BusinessRule, 1, ""),
    (500, "0x80040265", errors.BusinessRule, 1, ""),
    (412, "0x80040237", errors.DuplicateId, 1, ""),
    (412, "0x80060892", errors.DuplicateKey, 1, ""),
    (412, "0x80060882", errors.VersionMismatch, 1, ""),
    (412, "", errors.Conflict, 1, ""),
    (500, "0x80040333", errors.DuplicateDetected, 1, ""),
    (412, "0x80040333", errors.DuplicateDetected, 1, ""),
    (413, "0x8004418a", errors.TooLarge, 1, ""),
    (429, "0x80072322", errors.Throttled, 3, "slow down"),
    (429, "0x80072321", errors.Throttled, 3, "slow down"),
    (429, "0x80072326", errors.Throttled, 3, "slow down"),
    (502, "", errors.Unavailable, 3, ""),
    (503, "0x80072324", errors.Unavailable, 3, ""),
    (504, "", errors.Unavailable, 3, ""),
    (500, "0x80044151", errors.Unavailable, 3, ""),
    (500, "", errors.ServerError, 1, ""),
    (418, "", errors.Invalid, 1, ""),
]
MESSAGES = {
    "0x80040220": "Principal user is missing prvCreateLead privilege (Id=1) on OTC=4 for entity 'lead'.",
    "0x80048306": "Missing privilege.",
    "0x80072560": "The user is not a member; no privilege.",
    "0x80040217": "lead With Id = 1 does not exist",
    "0x80044331": "A validation error occurred.  The length of the 'subject' attribute of the 'lead' entity "
    "exceeded the maximum allowed length of '300'.",
}


@pytest.mark.parametrize(("status", "code", "expected", "attempts", "says"), TABLE)
async def test_each_answer_is_one_class_one_sentence_and_the_right_number_of_attempts(
    emulator: Emulator, session: Session, status: int, code: str, expected: type[CrmError], attempts: int, says: str
) -> None:
    emulator.fail(
        count=ALWAYS,
        status=status,
        code=code,
        message=MESSAGES.get(code, "It failed."),
        retry_after=0 if status == 429 else None,
        headers={"x-ms-service-request-id": "request-7"},
    )
    with pytest.raises(CrmError) as caught:
        await session.page(Query("lead"))
    error = caught.value
    assert type(error) is expected
    assert says in error.message
    assert "\n" not in error.message
    assert (error.status, error.code, error.request_id) == (status, code.lower(), "request-7")
    assert not error.outcome_unknown
    assert emulator.requests.count() == attempts


def test_every_code_and_status_has_one_class() -> None:
    every = errors._every(CrmError)
    codes = [code for cls in every for code in vars(cls).get("codes", ())]
    statuses = [status for cls in every for status in vars(cls).get("statuses", ())]
    assert len(codes) == len(set(codes))
    assert len(statuses) == len(set(statuses))
    assert all(code == code.lower() for code in codes)
    names = {cls.__name__ for cls in every}
    drawn = {word for line in (errors.__doc__ or "").splitlines() for word in line.replace("│", " ").split()[1:2]}
    values = {cls.__name__ for cls in errors._every(errors.ValueProblem)[1:]}
    assert names - values - {"CrmError"} <= drawn


async def test_what_the_message_names_is_carried_along(emulator: Emulator, session: Session) -> None:
    emulator.fail(code="0x80040220", message=MESSAGES["0x80040220"])
    with pytest.raises(errors.Forbidden) as denied:
        await session.create("lead", {"subject": "x"})
    assert (denied.value.privilege, denied.value.table) == ("prvCreateLead", "lead")
    emulator.fail(status=400, code="0x80044331", message=MESSAGES["0x80044331"])
    with pytest.raises(errors.TooLong) as long:
        await session.create("lead", {"subject": "x"})
    assert (long.value.table, long.value.column) == ("lead", "subject")


@pytest.mark.parametrize(
    ("fault", "unknown"),
    [
        ({"status": 503}, True),
        ({"status": 504}, True),
        ({"status": 504, "commit": True}, True),
        ({"drop": "before"}, True),
        ({"drop": "after"}, True),
        ({"status": 500, "code": ""}, True),
        ({"code": "0x80040333"}, False),
        ({"status": 400, "code": "0x80040203"}, False),
        ({"status": 429, "retry_after": 30}, False),
    ],
)
async def test_a_write_that_may_have_happened_says_so_and_is_not_sent_again(
    emulator: Emulator, session: Session, fault: dict[str, Any], unknown: bool
) -> None:
    emulator.fail(**fault)
    with pytest.raises(CrmError) as caught:
        await session.within(5).create("lead", {"subject": "once"})
    assert caught.value.outcome_unknown is unknown
    assert emulator.requests.count() == 1


async def test_an_action_is_not_repeated_after_a_lost_answer(emulator: Emulator, session: Session) -> None:
    emulator.fail(drop="before")
    with pytest.raises(errors.Unreachable) as caught:
        await session.action("WinOpportunity", {"Status": 3})
    assert caught.value.outcome_unknown
    assert emulator.requests.count() == 1


async def test_retry_after_is_honoured_exactly_and_pauses_that_person_only() -> None:
    one, other = (Impersonated(UUID(f"00000000-0000-4000-8000-0000000000a{n}")) for n in (1, 2))
    async with Emulator(seed="contoso") as emulator, Dataverse(emulator.url) as dataverse:
        emulator.fail(status=429, retry_after=1)
        start = time.monotonic()
        waiting = asyncio.create_task(dataverse.acting_as(one).who_am_i())
        while not emulator.requests.count():
            assert time.monotonic() - start < 5
            await asyncio.sleep(0.002)
        await dataverse.acting_as(other).who_am_i()
        assert time.monotonic() - start < 0.9
        await waiting
        assert 1.0 <= time.monotonic() - start < 1.5


@pytest.mark.parametrize("text", ["nonsense", "nan", "inf", "-5", "Thu, 01 Jan 2026 00:00:00 -0000", ""])
async def test_a_retry_after_that_says_nothing_useful_does_no_harm(
    emulator: Emulator, session: Session, text: str
) -> None:
    emulator.fail(status=429, headers={"Retry-After": text})
    await session.within(2).who_am_i()
    assert emulator.requests.count() == 2


async def test_a_wait_beyond_the_deadline_is_not_begun(emulator: Emulator, session: Session) -> None:
    emulator.fail(status=429, retry_after=60)
    start = time.monotonic()
    with pytest.raises(errors.Throttled) as caught:
        await session.within(2).who_am_i()
    with pytest.raises(errors.Throttled):  # the pause stands for the next call, too
        await session.within(2).who_am_i()
    assert time.monotonic() - start < 1
    assert caught.value.retry_after == 60
    assert emulator.requests.count() == 1


async def test_the_deadline_wins_over_a_slow_server(emulator: Emulator, session: Session) -> None:
    emulator.fail(delay=5, count=ALWAYS)
    start = time.monotonic()
    with pytest.raises(errors.DeadlineExceeded) as caught:
        await session.within(0.2).create("lead", {"subject": "x"})
    assert caught.value.outcome_unknown
    assert time.monotonic() - start < 1


async def test_after_repeated_failure_calls_fail_at_once_and_say_when_to_come_back(emulator: Emulator) -> None:
    emulator.fail(status=503, count=ALWAYS)
    breaker = Breaker(failures=6, pause=0.3)
    async with Dataverse(emulator.url, retries=QUICK, breaker=breaker) as dataverse:
        session = dataverse.acting_as(Application())
        for _ in range(2):
            with pytest.raises(errors.Unavailable):
                await session.who_am_i()
        with pytest.raises(errors.CircuitOpen) as caught:
            await session.create("lead", {"subject": "x"})
        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after <= 0.3
        assert not caught.value.outcome_unknown
        assert emulator.requests.count() == 6
        emulator.faults.clear()
        ends = time.monotonic() + 5
        while True:
            try:
                await session.who_am_i()
                break
            except errors.CircuitOpen as error:
                assert time.monotonic() < ends
                await asyncio.sleep(error.retry_after or 0)


# Bad input: one clear sentence each


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "malformed"),
        ("contoso.crm.dynamics.com", "malformed"),
        ("https://", "malformed"),
        ("ftp://contoso.crm.dynamics.com", "malformed"),
        ("https://contoso.crm.dynamics.com:notaport", "malformed"),
        ("https://[::1", "malformed"),
        ("http://contoso.crm.dynamics.com", "unprotected"),
        ("http://192.168.1.5:8065", "unprotected"),
        ("https://evil.example", "not a Dataverse address"),
        ("https://crm.dynamics.com.evil.example", "not a Dataverse address"),
        ("https://dynamics.com", "not a Dataverse address"),
        ("https://contoso.dynamics.com", "not a Dataverse address"),
        ("https://contoso.crmx.dynamics.com", "not a Dataverse address"),
        ("https://user:secret@contoso.crm.dynamics.com", "user name or password"),
    ],
)
def test_an_address_that_a_token_must_not_go_to_is_refused(url: str, says: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=says) as caught:
        Dataverse(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://contoso.crm.dynamics.com",
        "https://contoso.crm4.dynamics.com/main.aspx?x=1",
        "https://contoso.api.crm11.dynamics.com/",
        "https://contoso.crm.microsoftdynamics.us",
        "https://contoso.crm.appsplatform.us",
        "https://contoso.crm.dynamics.cn",
        "http://localhost:8065",
        "http://[::1]:8065",
        "https://127.0.0.2",
    ],
)
async def test_addresses_of_every_cloud_and_of_this_machine_are_taken(url: str) -> None:
    async with Dataverse(url) as dataverse:
        assert dataverse.url == "/".join(url.split("/")[:3])


async def test_without_a_sign_in_nothing_is_sent_to_a_real_organisation() -> None:
    async with Dataverse("https://contoso.crm.dynamics.com") as dataverse:
        with pytest.raises(errors.ConfigurationError, match="No application sign-in"):
            dataverse.acting_as(Application())


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        ("<!DOCTYPE html><html>Please log in</html>", "text/html", "web page"),
        ("<html>proxy</html>", "application/json", "web page"),
        ('{"value": [{"leadid": "', "application/json", "cut off"),
        ("plain", "text/plain", "text/plain instead of JSON"),
        ('{"something": "else"}', "application/json", "something else"),
        ("[]", "application/json", "something else"),
        ("", "application/json", "something else"),
    ],
)
async def test_an_answer_that_is_not_dataverses_is_told(
    emulator: Emulator, session: Session, body: str, content_type: str, says: str
) -> None:
    emulator.fail(status=200, body=body, content_type=content_type)
    with pytest.raises(errors.BadAnswer, match=says):
        await session.page(Query("lead"))


@pytest.mark.parametrize("write", ["create", "create returning", "update", "delete", "action"])
async def test_a_captive_portals_page_is_not_taken_for_a_write(
    emulator: Emulator, session: Session, write: str
) -> None:
    emulator.fail(status=200, body="<html>Welcome to the hotel network</html>", count=ALWAYS)
    ref = Ref("lead", uuid4())
    writes = {
        "create": lambda: session.create("lead", {"subject": "x"}, id=ref.id),
        "create returning": lambda: session.create("lead", {"subject": "x"}, id=ref.id, returning=["subject"]),
        "update": lambda: session.update(ref, {"subject": "x"}),
        "delete": lambda: session.delete(ref),
        "action": lambda: session.action("WinOpportunity", {}),
    }
    with pytest.raises(errors.BadAnswer, match="web page") as caught:
        await writes[write]()
    assert caught.value.outcome_unknown
    emulator.faults.clear()
    with pytest.raises(errors.NotFound):
        await session.get(ref)


async def test_a_missing_privilege_names_its_table(emulator: Emulator, session: Session) -> None:
    message = "Principal user (Id=1, type=8) is missing prvAppendToAccount privilege (Id=2) on OTC=1. context.Caller=1"
    emulator.fail(code="0x80040220", message=message)
    with pytest.raises(errors.Forbidden) as caught:
        await session.create("contact", {"lastname": "x"})
    assert (caught.value.privilege, caught.value.table) == ("prvAppendToAccount", "account")


async def test_a_proxys_error_page_is_told(emulator: Emulator, session: Session) -> None:
    emulator.fail(status=403, body="<html><h1>Access denied by policy</h1></html>")
    with pytest.raises(errors.Forbidden, match="web page"):
        await session.page(Query("lead"))


async def test_a_redirect_is_not_followed(emulator: Emulator, session: Session) -> None:
    emulator.fail(status=302, body="", headers={"Location": "https://evil.example/login?token=1"})
    with pytest.raises(errors.BadAnswer, match=r"evil\.example/login") as caught:
        await session.page(Query("lead"))
    assert "token" not in str(caught.value)


async def test_a_paging_link_that_leads_away_is_not_followed(emulator: Emulator, session: Session) -> None:
    body = '{"value": [], "@odata.nextLink": "https://evil.example/api/data/v9.2/leads?$skiptoken=1"}'
    emulator.fail(status=200, body=body, content_type="application/json")
    with pytest.raises(errors.BadAnswer, match="leads away"):
        [row async for row in session.list(Query("lead"))]


async def test_a_truncated_answer_is_told(emulator: Emulator, session: Session) -> None:
    emulator.fail(drop="during", count=ALWAYS)
    with pytest.raises(errors.BadAnswer, match="cut off"):
        await session.page(Query("lead"))
    assert emulator.requests.count() == QUICK.attempts


async def test_a_closed_port_is_told(unused_tcp_port: int) -> None:
    async with Dataverse(f"http://127.0.0.1:{unused_tcp_port}", retries=QUICK) as dataverse:
        with pytest.raises(errors.Unreachable, match="cannot be reached") as caught:
            await dataverse.acting_as(Application()).create("lead", {"subject": "x"})
        assert not caught.value.outcome_unknown


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize(
    ("name", "starts", "trusted", "says"),
    [
        ("localhost", -20, True, "has expired"),
        ("localhost", 5, True, "not valid yet"),
        ("elsewhere", -2, True, "another host"),
        ("localhost", -2, False, "not trusted"),
    ],
)
async def test_a_bad_certificate_is_told(
    authority: Authority, name: str, starts: int, trusted: bool, says: str
) -> None:
    tls = authority.server(name, starts=dt.timedelta(days=starts))
    ca_file = authority.ca_file if trusted else None
    async with Server(tls) as server, Dataverse(server.url, ca_file=ca_file, retries=QUICK) as dataverse:
        with pytest.raises(errors.CertificateProblem, match=says):
            await dataverse.acting_as(Application()).who_am_i()
        assert server.seen == []


async def test_tls_spoken_to_a_plain_port_is_told(server: Server) -> None:
    async with Dataverse(server.url.replace("http", "https"), retries=QUICK) as dataverse:
        with pytest.raises(errors.CertificateProblem, match="speak TLS"):
            await dataverse.acting_as(Application()).who_am_i()


async def test_a_good_certificate_is_taken(authority: Authority) -> None:
    async with Server(authority.server()) as server, Dataverse(server.url, ca_file=authority.ca_file) as dataverse:
        await dataverse.acting_as(Application()).who_am_i()
