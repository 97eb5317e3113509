"""What stands between a request and Dataverse: who asks, whether they may, in which context, and the record of it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.exc import SQLAlchemyError

from crm.errors import CrmError, Forbidden, SignInRequired
from crm.records import Ref

from .answering import REFUSALS, Refused
from .audit import DENIED, Audit
from .context import Context, Memory
from .environments import FIELD, Environment, Environments
from .errors import UserError
from .fields import Reading
from .following import ThreadMemory, case_here
from .jobs import Jobs
from .operation import Operation
from .policy import Policy
from .rate import Rate, TooFast
from .reminders import JournalledReminders
from .request import Faces, Place, PlaceKind, Principal, Quote, Reply, Request
from .signing_in import SignIn
from .state import State
from .threads import Threads

log = logging.getLogger(__name__)


class Access:
    """One for all requests."""

    def __init__(
        self,
        *,
        environments: Environments,
        policy: Policy,
        state: State,
        faces: Faces,
        jobs: Jobs,
        threads: Threads | None,
        audit: Audit | None,
        sign_in: SignIn | None,
        rate: Rate | None = None,
    ) -> None:
        self.environments, self.policy, self.rate = environments, policy, rate
        self._state, self._faces, self._jobs = state, faces, jobs
        self._threads, self._audit, self._sign_in = threads, audit, sign_in

    async def person(self, principal: Principal, environment: Environment) -> Principal:
        """With what the policy decides by: a proven account, the e-mail address; roles and teams, where it names any.

        Raises SignInNeeded for outsiders who could prove an account, and have not.
        """
        principal = await environment.people.admitted(principal)
        if not self.policy.names_people:
            return principal
        who = await environment.people.identified(principal)
        if self.policy.names_memberships:
            who = replace(who, memberships=await environment.memberships.of(who))
        return who

    async def pace(self, principal: Principal) -> None:
        """One request. Raises TooFast."""
        if self.rate:
            await self.rate.take(principal)

    async def allow(
        self,
        operation: Operation | type[Operation],
        principal: Principal,
        place: Place,
        environment: Environment,
        *,
        public: bool = False,
    ) -> None:
        """Raises NotAllowed and what `person` raises. `public`: the answer is shown to the conversation.

        A kind of operation is asked for before anything was filled in: whether a form may open at all.
        """
        who = await self.person(principal, environment)
        if isinstance(operation, type):
            self.policy.check_kind(operation, who, place, env=environment.name)
        else:
            self.policy.check(operation, who, place, env=environment.name)
        if public:
            self.policy.check_sharing(who, await self._read_by(place))

    @asynccontextmanager
    async def admitting(
        self,
        operation: type[Operation],
        principal: Principal,
        place: Place,
        environment: Environment,
        *,
        public: bool = False,
    ) -> AsyncIterator[None]:
        """Around what is done without a command, as people type, paste or talk: the pace, and the policy.

        A refusal is noted once a minute for each person and kind, so that nobody fills the audit by typing.
        """
        try:
            await self.pace(principal)
            await self.allow(operation, principal, place, environment, public=public)
            yield
        except (*REFUSALS, Forbidden) as e:
            key = _this_minute(operation.verb)
            await self.note(principal, place, operation.verb, key, DENIED, environment.args({}), e, once=True)
            raise

    async def _read_by(self, place: Place) -> Place:
        """The place with whether outsiders read along there, which its platform may have to be asked."""
        if place.shared is not None or place.kind is PlaceKind.PERSONAL:
            return place
        face = self._faces.get(place.platform)
        return replace(place, shared=face is not None and await face.outsiders(place))

    async def note(
        self,
        who: Principal,
        place: Place,
        verb: str,
        key: str,
        outcome: str,
        words: dict[str, str],
        what: Reply | UserError | CrmError,
        *,
        once: bool = False,
    ) -> None:
        """For the record. It cannot stop what has been done, so its own failure is only logged."""
        if self._audit is None:
            return
        card = what.card if isinstance(what, Reply) else None
        record = card.record if card and card.record else ""
        reason = str(what) if isinstance(what, Exception) else card.title if card and not record else ""
        try:
            await self._audit.note(
                who,
                place,
                verb,
                key=key,
                outcome=outcome,
                record=record,
                words=words,
                reason=reason,
                env=words.get(FIELD, ""),
                once=once,
            )
        except SQLAlchemyError as e:
            log.error("the audit could not note %s of %s: %s", verb, key, type(e).__name__)  # noqa: TRY400  no secrets

    def refusal(
        self, request: Request, verb: str, words: dict[str, str] | None = None, environment: Environment | None = None
    ) -> Refused:
        """What notes a refusal of this request."""
        said = environment.args(words or {}) if environment else {}

        async def note(e: UserError | SignInRequired) -> None:
            fast = isinstance(e, TooFast)  # whoever hammers fills no table: once a minute is enough to know
            key = _this_minute("too fast") if fast else request.key
            await self.note(request.principal, request.place, verb, key, DENIED, said, e, once=fast)

        return note

    def memory(self, principal: Principal, place: Place, environment: Environment) -> Memory:
        """What this person was shown here of this environment, and the case that a thread is about."""
        shown = self._state.memory(principal, place, environment.known_as)
        return ThreadMemory(shown, self._threads, place, environment.known_as)

    async def case_here(self, place: Place, environment: Environment) -> Ref | None:
        """The case that this thread follows."""
        return await case_here(self._threads, place, environment.known_as)

    async def context(
        self,
        principal: Principal,
        place: Place,
        environment: Environment,
        *,
        key: str,
        etag: str = "*",
        quote: Quote | None = None,
        user_id: str = "me",
        operation: type[Operation] | None = None,
    ) -> Context:
        people, face = environment.people, self._faces.get(place.platform)
        alone = operation is not None and operation.without_account
        hidden = (
            {} if alone else self.policy.hidden(await self.person(principal, environment), place, env=environment.name)
        )
        if operation and operation.table:
            # The policy allowed the operation, so the record that it is about may be found.
            hidden.pop(operation.table.logical, None)
        return Context(
            principal=principal,
            place=place,
            key=key,
            crm=people.nobody()
            if alone
            else await (people.session(principal) if user_id == "me" else people.session_of(user_id)),
            now=_now(principal),
            memory=self.memory(principal, place, environment),
            links=self._state.links(environment.known_as),
            threads=self._threads,
            reminders=JournalledReminders(self._jobs, principal, place, key, environment.name) if face else None,
            face=face,
            quote=quote,
            sign_in=self._sign_in,
            etag=etag,
            hidden=hidden,
            env=environment.name,
        )


def _this_minute(kind: str) -> str:
    """The key of what is noted once a minute."""
    return f"{kind}/{datetime.now(UTC):%Y-%m-%d %H:%M}"


def reading(principal: Principal) -> Reading:
    """How this person writes dates and numbers, and what their clock says."""
    return Reading(locale=principal.locale, timezone=principal.timezone, now=_now(principal))


def _now(principal: Principal) -> datetime:
    try:
        zone = ZoneInfo(principal.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.now(UTC)
    return datetime.now(zone)
