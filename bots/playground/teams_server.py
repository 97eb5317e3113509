"""A Teams that runs on loopback: the Bot Framework connector, its OpenID issuer and token endpoint, and people.

Every gesture is one signed HTTP activity to `bot_url` and returns an `Answer` (status, json, seconds, error, problems:
what breaks the invoke's contract). `user` takes a key of `seed.json` ("anna"), an e-mail or an id; `conversation` takes
"personal", "group", "channel", a room's name ("support") or an id.

    message(text, user=, conversation=, mention=True, reply_to=, targeted=False)
    edit(post, text) · delete(post) · undelete(post) · react(post, kind)
    install(conversation) · uninstall(conversation)
    press(post, button, inputs) any button · execute(...) Action.Execute · submit_action(...) Action.Submit or fallback
    refresh(post, user=)                              the card's automatic refresh
    task_fetch(data) · task_submit(data)              dialogs
    compose_fetch_task(post, command="createCase") · compose_submit(data) · preview_send()
    submit_dialog(inputs, button="", user=)           fill in and submit whatever dialog is open
    sign_on(post, token)                              single sign-on: a client answers an OAuthCard
    query(command, text) · insert(index, conversation=) · query_link(url) · typeahead(dataset, typed)
    invoke(name, value, user=, conversation=, reply_to=)   any other invoke
    redeliver(answer.delivery) · raw(activity, authorization) · authorization(exp=, aud=, iss=, key=, algorithm=)

What a person sees: `last(conversation, user)`, `messages(...)`, `dialog(user)`, `toast(user)`, `text(post)`,
`transcript(conversation, user)`. What the bot did: `calls`, and `card_problems` (cards that break a limit; keep it
empty). Configure the bot with `service_url` (it comes in every activity), `openid_url` and `token_url`. Switches:
`connector.throttle`, `fail(route, status, code, times=, retry_after=)`, `issuer.rollover()`, `issuer.endorsements`,
`hears_everything`, `world.conversations[id].bot` and `.refuses`.

Without `app_id` nothing is signed and the connector asks for no token, as in local development.
"""

from __future__ import annotations

from typing import Self

from aiohttp import web

from . import seed as seeds
from .answer import Wire
from .teams_connector import Connector, ConnectorCall
from .teams_issuer import Issuer
from .teams_people import TeamsPeople
from .teams_world import World


class FakeTeams(TeamsPeople):
    """`async with FakeTeams() as teams` serves on a loopback port of its own; `app()` gives the same routes to mount
    elsewhere, and then `service_url` says where."""

    def __init__(
        self,
        *,
        app_id: str = "",
        app_password: str = "",
        bot_url: str = "",
        service_url: str = "",
        seed: seeds.Seed | None = None,
        wire: Wire | None = None,
    ) -> None:
        super().__init__()
        self.wire = wire or Wire()
        self.world = World(seed or seeds.load())
        self.issuer = Issuer(app_id=app_id, app_password=app_password, tenant=self.world.tenant)
        self.connector = Connector(self.world, self.issuer, self.wire)
        self.bot_url = bot_url
        self.service_url = service_url
        self.hears_everything = False
        self._runner: web.AppRunner | None = None

    @property
    def openid_url(self) -> str:
        """Where the bot finds the keys of inbound tokens (in place of login.botframework.com)."""
        return f"{self.service_url}openid/v1/.well-known/openidconfiguration"

    @property
    def token_url(self) -> str:
        """Where the bot gets its own tokens with client credentials."""
        return f"{self.service_url}{self.world.tenant}/oauth2/v2.0/token"

    @property
    def calls(self) -> list[ConnectorCall]:
        return self.connector.calls

    @property
    def card_problems(self) -> list[str]:
        return self.connector.card_problems

    def fail(self, route: str, status: int, code: str, *, times: int = 1, retry_after: float | None = None) -> None:
        """Make the next calls of a route fail: "POST activities", "PUT activities", "POST conversations", "*" …"""
        self.connector.fail(route, status, code, times=times, retry_after=retry_after)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self, port: int = 0) -> Self:
        """Serve on 127.0.0.1; port 0 takes a free one."""
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.service_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        return self

    async def close(self) -> None:
        await super().close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1024**2)
        app.add_routes([*self.connector.routes(), *self.issuer.routes()])
        return app
