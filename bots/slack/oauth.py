"""Installing into further workspaces: `/slack/install`, `/slack/oauth_redirect`; Bolt's flow on our own stores."""

import html
import logging
from collections.abc import Sequence

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from .api import SlackApi, web_client
from .installations import Installations, OAuthStates
from .manifest import BOT_SCOPES
from .settings import SlackSettings

log = logging.getLogger(__name__)

_WRONG = {
    "access_denied": "You cancelled the installation. Nothing was changed.",
    "invalid_browser": "This installation was begun in another browser, or more than ten minutes ago.",
    "invalid_state": "This installation link was used before, or is older than ten minutes.",
    "missing_code": "Slack sent no code along.",
    "invalid_code": "Slack did not accept the code: it works once, for ten minutes.",
}


class OAuth:
    """The two routes; both answer 404 with a sentence where no client id is set."""

    def __init__(
        self, settings: SlackSettings, api: SlackApi, installations: Installations, states: OAuthStates
    ) -> None:
        self._settings, self._api, self._installations, self._states = settings, api, installations, states

    async def install(self, request: web.Request) -> web.Response:
        """On to Slack's consent page; sets the cookie that binds the state to this browser."""
        if not (self._settings.client_id and self._settings.client_secret):
            return _off()
        return await to_aiohttp_response(await self._flow(request).handle_installation(_read(request)))

    async def redirect(self, request: web.Request) -> web.Response:
        """Where Slack sends the browser back to, with the code."""
        if not (self._settings.client_id and self._settings.client_secret):
            return _off()
        return await to_aiohttp_response(await self._flow(request).handle_callback(_read(request)))

    def _flow(self, request: web.Request) -> AsyncOAuthFlow:
        """Without a public address the one that the browser used counts; Slack takes only those in the manifest."""
        base = self._settings.public_url.rstrip("/") or str(request.url.origin())
        quiet = logging.getLogger("crmchat.slack.oauth")
        quiet.setLevel(logging.ERROR)  # below, Bolt's flow logs the code
        return AsyncOAuthFlow(
            client=web_client(self._settings.api_url, self._api.session),
            logger=quiet,
            settings=AsyncOAuthSettings(
                client_id=self._settings.client_id,
                client_secret=self._settings.client_secret,
                scopes=list(BOT_SCOPES),
                user_scopes=[],
                redirect_uri=f"{base}/slack/oauth_redirect",
                authorization_url=self._settings.authorize_url,
                installation_store=self._installations,
                state_store=self._states,
                install_page_rendering_enabled=False,
                callback_options=AsyncCallbackOptions(success=_installed, failure=_failed),
            ),
        )


def _read(request: web.Request) -> AsyncBoltRequest:
    cookies: dict[str, str | Sequence[str]] = (
        {"cookie": request.headers["Cookie"]} if "Cookie" in request.headers else {}
    )
    return AsyncBoltRequest(body="", query=request.query_string, headers=cookies)


def _off() -> web.Response:
    sentence = "This crmchat serves one workspace, by its bot token."
    return web.Response(status=404, text=f"{sentence} To let others install it, set SLACK_CLIENT_ID and _SECRET.")


async def _installed(args: AsyncSuccessArgs) -> BoltResponse:
    installation = args.installation
    where = installation.enterprise_name if installation.is_enterprise_install else installation.team_name
    log.info("installed in %s", installation.team_id or installation.enterprise_id)
    team = installation.team_id or installation.enterprise_id or ""
    cookie = args.settings.state_utils.build_set_cookie_for_deletion()
    return _page(cookie, 200, "Installed", f"crmchat is installed in {where or team}. Open Slack and type /crm.")


async def _failed(args: AsyncFailureArgs) -> BoltResponse:
    log.warning("an installation failed: %s", args.reason)
    text = _WRONG.get(args.reason, f"Slack said: {args.reason}.")
    cookie = args.settings.state_utils.build_set_cookie_for_deletion()
    return _page(cookie, args.suggested_status_code, "Not installed", f"{text} Start again at /slack/install.")


def _page(cookie: str, status: int, title: str, text: str) -> BoltResponse:
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><h1>{title}</h1><p>{html.escape(text)}</p></html>"
    )
    headers: dict[str, str | Sequence[str]] = {"Content-Type": "text/html; charset=utf-8", "Set-Cookie": cookie}
    return BoltResponse(status=status, body=body, headers=headers)
