"""`build(settings)`: the only place that wires the rooms together."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import sqlalchemy as sa
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from commands.audit import Audit
from commands.cipher import FernetCipher
from commands.dispatch import Dispatcher
from commands.engine import Engine, EngineError
from commands.environments import Environment, Environments
from commands.following import FollowedThreads
from commands.operations.custom import TableProblem, join_from_file
from commands.policy import Policy
from commands.press import Seal
from commands.rate import Pace, Rate, RateLimit, SharedRateLimit
from commands.request import Face
from commands.state import State
from crm.errors import CrmError
from crm.notifications import read_change

from .database import database
from .environments import open_environments, policy_file
from .jobs_command import look_after, open_journal, postgres_url
from .settings import Settings, SettingsError, keys_of, private_folder
from .signin import SignInPages, open_sign_in
from .web import STOPPING, application
from .webhook import Webhook

if TYPE_CHECKING:  # loaded where they are started: an agent's server has no faces, and saves a quarter of a second
    from .teams.face import TeamsFace

log = logging.getLogger(__name__)

_AGENT_WINDOW = 60.0
"""Seconds that an agent's call waits for its answer; nobody delivers one later."""


@dataclass
class App:
    """Everything that runs, wired; use as an async context manager. `site` is ready to be served."""

    settings: Settings
    demo: bool = False
    agent: bool = False
    """Only the command layer, for agents; beside a process that executes the journal's jobs, its client."""
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    faces: dict[str, Face] = field(default_factory=dict)

    site: web.Application = field(init=False)
    dispatcher: Dispatcher = field(init=False)
    environments: Environments = field(init=False)
    state: State = field(init=False)
    audit: Audit = field(init=False)
    loading: "asyncio.Task[None]" = field(init=False)
    """Reads the organisation's metadata."""
    upkeep: "asyncio.Task[None] | None" = field(init=False, default=None)
    """Measures and cleans the journal, where this process owns it."""
    _shared_rate: SharedRateLimit | None = field(init=False, default=None)
    _teams: "TeamsFace | None" = field(init=False, default=None)

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stack.aclose()

    async def _start(self) -> None:
        settings = self.settings
        folder = private_folder(settings.data_dir / "demo" if self.demo else settings.data_dir)
        keys = keys_of(settings, folder)
        cipher = FernetCipher(*keys)
        self.state = State(await self.stack.enter_async_context(database(settings, folder)), cipher)
        self.audit = Audit(self.state)
        rules = policy_file(settings)
        sign_in = None if self.agent else open_sign_in(settings, self.state)
        self.environments = await open_environments(
            settings, rules, folder=folder, faces=self.faces, demo=self.demo, stack=self.stack, sign_in=sign_in
        )
        engine = Engine(folder, cipher, url=postgres_url(settings.database_url), beside=self.agent)
        self.dispatcher = Dispatcher(
            environments=self.environments,
            policy=Policy(rules),
            state=self.state,
            engine=engine,
            faces=self.faces,
            seal=Seal(*keys),
            threads=FollowedThreads(self.state),
            sign_in=sign_in,
            audit=self.audit,
            rate=None if self.demo or self.agent else self._rate(),
            window=_AGENT_WINDOW if self.agent else settings.ack_window,
            deadline=settings.job_deadline,
        )
        checks = {
            "journal": engine.trouble, "database": self._database_check, "dataverse": self._dataverse_check,
            "tables": self._tables_check,
        }  # fmt: skip
        self.site = application(checks)
        if not self.agent:
            await self._start_faces(cipher)
            secret = settings.dataverse_webhook_secret.get_secret_value()
            for environment in self.environments:
                webhook = Webhook(secret, partial(self._news, environment))
                paths = {"": environment.first, f"/{environment.name}": bool(environment.name)}
                self.site.add_routes(
                    [web.post(f"/dataverse/webhook{path}", webhook.handle) for path, there in paths.items() if there]
                )
        try:
            await self.dispatcher.start()
        except EngineError as e:
            raise SettingsError(str(e)) from e
        self.stack.push_async_callback(self.dispatcher.stop)
        if not self.agent:
            journal = await open_journal(settings, folder)
            self.stack.push_async_callback(journal.close)
            self.upkeep = asyncio.create_task(look_after(journal, engine, self._forget_old))
            self.stack.callback(self.upkeep.cancel)
        self.tables_tried = asyncio.Event()
        """Whether the custom tables have joined, or could not at the first attempt: commands know them from then on."""
        if not settings.tables:
            self.tables_tried.set()
        self.loading = asyncio.create_task(self._load_metadata())
        self.stack.callback(self.loading.cancel)

    async def drain(self) -> None:
        """Take nothing more, and finish or park what runs, while the site still answers."""
        if self.upkeep:
            self.upkeep.cancel()
        await self.dispatcher.stop(STOPPING)

    async def _start_faces(self, cipher: FernetCipher) -> None:
        settings = self.settings
        if self.dispatcher.sign_in:
            self.site.add_routes(SignInPages(self.dispatcher.sign_in, settings.public_url).routes)
        if settings.slack_signing_secret.get_secret_value() or settings.slack_app_token.get_secret_value():
            from .slack.face import SlackFace
            from .slack_settings import slack_settings

            hosts = [e.dataverse.organisation.host for e in self.environments]
            slack = SlackFace(slack_settings(settings, hosts, demo=self.demo), engine=self.state.engine, cipher=cipher)
            self.faces[slack.platform] = slack
            await slack.start(self.dispatcher)
            self.stack.push_async_callback(slack.stop)
            self.site.add_routes(
                [
                    web.post("/slack/events", slack.events),
                    web.get("/slack/events", slack.events),  # Slack looks at the address's certificate so
                    web.get("/slack/install", slack.install),
                    web.get("/slack/oauth_redirect", slack.oauth_redirect),
                ]
            )
        if settings.microsoft_app_id or settings.only_loopback:
            from .teams.face import TeamsFace
            from .teams_settings import teams_settings

            session = await self.stack.enter_async_context(aiohttp.ClientSession())
            try:
                exchange = self.dispatcher.exchange if self.dispatcher.sign_in else None
                teams = TeamsFace(teams_settings(settings), self.dispatcher, session, self.state, exchange=exchange)
            except ValueError as e:
                raise SettingsError(str(e)) from e
            self.faces[teams.platform] = self._teams = teams
            await teams.start()
            self.stack.push_async_callback(teams.stop)
            self.site.add_routes([web.post("/api/messages", teams.handler)])

    async def _load_metadata(self) -> None:
        """Before the first command needs it; a failure is mended by the first command."""
        for environment in self.environments:
            try:
                await environment.dataverse.metadata.load()
            except CrmError as e:
                log.warning("the metadata of %s cannot be read yet: %s", environment.dataverse.url, e)
        if self.settings.tables:
            await self._join_tables(self.settings.tables)

    async def _join_tables(self, file: Path) -> None:
        """Let the custom tables join, however long Dataverse is away."""
        wait = 1.0
        while True:
            try:
                await join_from_file(file, *(e.dataverse.metadata for e in self.environments))
            except CrmError as e:
                log.warning("the organisation's custom tables cannot be read yet: %s", e)
            except TableProblem as e:
                log.error("CRMCHAT_TABLES: %s", e)  # noqa: TRY400  the sentence says it all
                return
            else:
                return
            finally:
                self.tables_tried.set()
            await asyncio.sleep(wait)
            wait = min(2 * wait, 30.0)

    def _rate(self) -> Rate:
        """Shared by every process on one PostgreSQL."""
        alone = RateLimit(_pace(self.settings.rate_person), _pace(self.settings.rate_tenant))
        if self.state.engine.dialect.name != "postgresql":
            return alone
        self._shared_rate = SharedRateLimit(self.state.engine, alone)
        return self._shared_rate

    async def _forget_old(self) -> int:
        gone = await self.state.forget_old() + await self.audit.forget_old(self.settings.audit_days)
        gone += await self.dispatcher.sign_in.forget_old() if self.dispatcher.sign_in else 0
        gone += await self._teams.forget_old() if self._teams else 0
        return gone + (await self._shared_rate.forget_old() if self._shared_rate else 0)

    async def _news(self, environment: Environment, body: Mapping[str, Any]) -> int:
        return await self.dispatcher.listening.news(read_change(body), environment)

    async def _database_check(self) -> str:
        try:
            async with self.state.engine.connect() as db:
                await db.execute(sa.text("SELECT 1"))
        except SQLAlchemyError as e:
            return f"The database does not answer: {type(e).__name__}."
        return ""

    async def _tables_check(self) -> str:
        return "" if self.tables_tried.is_set() else "the tables of CRMCHAT_TABLES are not read yet"

    async def _dataverse_check(self) -> str:
        # Dataverse being away is no reason to take this process out of service: help works, and writes are journalled.
        return ""


def build(settings: Settings, *, demo: bool = False, agent: bool = False) -> App:
    """The whole bot for these settings, not started yet."""
    return App(settings, demo=demo, agent=agent)


def _pace(per_minute: int) -> Pace | None:
    return Pace(per_minute, max(1, per_minute // 3)) if per_minute else None
