"""`Understanding`: what is meant by typed words, a button, a form or a message, before anything is checked or done."""

import asyncio
import logging
from dataclasses import dataclass, replace

from crm.errors import CrmError
from crm.tables import CASE

from . import forms
from .access import Access, reading
from .cards import Submission
from .environments import Environment
from .errors import BadInput, NotAllowed, StaleButton
from .grammar import Meaning, OfLast, Parsed, Problem, of_last, parse
from .operation import CATALOG, ByButton, Effect, Operation
from .operations.case_from_message import CaptureCase
from .press import Do, Press
from .request import FromMessage, Principal, Quote, Request, Submitted, Typed, Visibility
from .state import State
from .vocabulary import MetadataVocabulary
from .waiting import Command
from .work import Work

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a person wants, understood, not yet checked against the organisation."""

    operation: type[Operation]
    args: dict[str, str]
    environment: Environment
    key: str
    """The intent key."""
    etag: str = "*"
    confirmed: bool = False
    """Its person was asked, where the environment asks before it is changed."""
    form: bool = False
    """It came from a form, so problems go back to its fields."""
    quote: Quote | None = None
    visibility: Visibility = Visibility.PRIVATE
    replace: bool = False
    """The answer takes the place of the card whose button was pressed."""


class Understanding:
    """One for all requests."""

    def __init__(self, access: Access, state: State, *, window: float) -> None:
        self._access, self._state, self._window = access, state, window

    async def words(self, text: str, request: Request) -> tuple[Environment, Meaning]:
        """What the words say, read with the columns of the organisation that they go to. Raises BadInput."""
        environment = self._access.environments.mentioned(text) or self._access.environments.here(request.place)
        said = await self._meant(text, environment, request)
        if isinstance(said, Parsed):
            meant = self._access.environments.of(said.operation, said.args, request.place)
            if meant is not environment:
                environment, said = meant, await self._meant(text, meant, request)
        if isinstance(said, Parsed):
            _refuse_what_only_buttons_say(said)
            said = await self._of_the_thread(said, environment, request)
        return environment, said

    async def _of_the_thread(self, said: Parsed, environment: Environment, request: Request) -> Parsed:
        """In a thread that follows a case, what names no case is about that one."""
        operation = said.operation
        if operation.table is not CASE or "record" not in operation.parameters or "record" in said.args:
            return said
        case = await self._access.case_here(request.place, environment)
        return replace(said, args={"record": str(case.id), **said.args}) if case else said

    async def _meant(self, text: str, environment: Environment, request: Request) -> Meaning:
        vocabulary = MetadataVocabulary(environment.dataverse.metadata)
        said = parse(text, reading(request.principal), vocabulary)
        if isinstance(said, Problem) and said.operation and await self.learn(said.operation, environment):
            said = parse(text, reading(request.principal), vocabulary)  # now it knows the organisation's columns
        if isinstance(said, OfLast):
            last = await self._access.memory(request.principal, request.place, environment).last()
            return of_last(said, last.table if last else "", vocabulary)
        return said

    async def learn(self, operation: type[Operation], environment: Environment) -> bool:
        """Wait for the metadata of its table, within the window; whether it was loaded just now."""
        metadata = environment.dataverse.metadata
        if operation.table is None or metadata.known(operation.table.logical):
            return False
        try:
            async with asyncio.timeout(self._window / 2):
                await metadata.table(operation.table.logical)
        except (TimeoutError, CrmError) as e:
            log.info("%s goes on without metadata: %s", operation.verb, type(e).__name__)
            return False
        return True

    async def opened(self, press: Press, principal: Principal) -> Press:
        """What a button or form stands for, kept parts included. Raises StaleButton; NotAllowed for others' own."""
        if press.owner and press.owner != principal.key:
            raise NotAllowed(
                "This button belongs to somebody else's answer.",
                "Type the command yourself, and you get your own.",
            )
        kept = await self._state.unkeep(press)
        if kept is None:
            raise StaleButton("This button is too old to be used.", "Type the command again.")
        return kept

    def press(self, press: Press, request: Request, submission: Submission | None = None) -> Intent:
        """What a button means, or with its `submission` a form. Raises StaleButton and BadInput."""
        operation = CATALOG.get(press.verb)
        if operation is None:
            raise StaleButton("What this button did is not offered any more.", "Type help to see what is.")
        args = forms.filled(press, submission) if submission else press.args
        share = press.do is Do.SHARE
        return Intent(
            operation=operation,
            args=args,
            environment=self._access.environments.of(operation, args, request.place),
            key=press.key or request.key,
            etag=press.etag or "*",
            confirmed=press.do is Do.CONFIRM,
            form=submission is not None,
            visibility=Visibility.EVERYONE if share else Visibility.PRIVATE,
            replace=not share,
        )

    def message(self, quote: Quote, environment: Environment) -> Intent:
        """A case of this message as it is; what else it needs is read later. Its key is the message's own."""
        bare = CaptureCase(quote=quote)
        key = environment.key(quote.message.key)
        return Intent(operation=type(bare), args=bare.args(), environment=environment, key=key, quote=quote)

    def changes(self, command: Command) -> tuple[bool, Press | None]:
        """Whether a command that waited changes something without a further question; a button that does the same."""
        if isinstance(command, Work):
            if command.verb not in CATALOG:  # what was said in a thread, which nobody asked us for
                return True, None
            return True, command.again()
        ask = command.ask
        if isinstance(ask, FromMessage):
            if not ask.at_once:
                return False, None
            made = self.message(ask.quote, self._access.environments.here(command.place))
            press = Press(do=Do.RUN, verb=made.operation.verb, args=made.args, key=made.key)
        elif isinstance(ask, Typed):
            vocabulary = MetadataVocabulary(self._access.environments.first.dataverse.metadata)
            said = parse(ask.text, reading(command.principal), vocabulary)
            if not isinstance(said, Parsed):
                return False, None
            press = Press(do=Do.RUN, verb=said.operation.verb, args=said.whole_args())
        elif isinstance(ask, Submitted):
            press = replace(ask.press, do=Do.RUN, args=forms.filled(ask.press, ask.submission))
        else:
            press = ask.press
        operation = CATALOG.get(press.verb)
        changes = operation is not None and operation.effect is not Effect.READ and press.do is not Do.FORM
        return changes, replace(press, key=press.key or command.key, owner=command.principal.key)


def _refuse_what_only_buttons_say(said: Parsed) -> None:
    """A message that somebody made up would have its files fetched with the bot's own rights, for example."""
    for name in said.args:
        if said.operation.parameters[name].marked(ByButton):
            raise BadInput(
                f"{name} cannot be typed: only this bot's own buttons say it.",
                f"For example: {said.operation.example}",
                problems={name: "This cannot be typed."},
            )
