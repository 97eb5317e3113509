"""The sign-in pages under /auth: who is about to be connected, on to the provider, and back.

A link may have fallen into other hands, and programs that preview links open it too. So opening it changes nothing: the
page names the chat person whom it connects, and only a press there, with this browser's cookie, goes on.

The cookie's `__Host-` prefix (RFC 6265bis) makes browsers refuse it from any other host: a neighbour under the same
domain cannot plant a value that it knows, and finish in this browser what it began in its own.
"""

import hmac
import html
import logging
import secrets
from typing import Final

from aiohttp import web

from commands.connections import Connections
from commands.errors import UserError
from commands.explain import explain
from commands.people import Identity
from commands.sign_in_flow import SignInFlow
from commands.signing_in import CALLBACK, START, SignIn, named
from commands.state import State
from crm.credentials import Certificate, Secret
from crm.entra import Entra
from crm.errors import CrmError

from .settings import Settings

log = logging.getLogger(__name__)

_COOKIE: Final = "crmchat-sign-in"
_LASTS: Final = 600
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
}
_PAGE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>{title}</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;"
    "padding:0 1rem}}button{{font:inherit;padding:.5rem 1rem}}</style><h1>{title}</h1>{body}</html>"
)


def open_sign_in(settings: Settings, state: State) -> SignIn | None:
    """How people connect their own account; None where these settings do not let them."""
    secret = settings.azure_client_secret.get_secret_value()
    certificate = settings.azure_client_certificate_path
    ready = settings.public_url and settings.one_tenant and settings.azure_client_id and (secret or certificate)
    if not ready or settings.identity is Identity.APPLICATION:
        return None

    def registration(client: str, credential: Secret | Certificate) -> Entra:
        host = settings.azure_authority_host
        return Entra(tenant=settings.azure_tenant_id, client_id=client, credential=credential, authority_host=host)

    password = settings.microsoft_app_password.get_secret_value()
    return SignIn(
        Connections(state),
        registration(settings.azure_client_id, Certificate(certificate) if certificate else Secret(secret)),
        organisation=settings.dataverse_url,
        public_url=settings.public_url,
        keeps_tokens=settings.identity is Identity.DELEGATED,
        # A token from Teams is for the bot's own registration, and no other may exchange it.
        bot=registration(settings.microsoft_app_id, Secret(password)) if password else None,
    )


class SignInPages:
    """The handlers of `routes`."""

    def __init__(self, flow: SignInFlow, public_url: str) -> None:
        self._flow = flow
        self._secure = public_url.startswith("https://")
        self._cookie = f"__Host-{_COOKIE}" if self._secure else _COOKIE

    @property
    def routes(self) -> list[web.RouteDef]:
        """For the web application."""
        return [web.get(START, self.ask), web.post(START, self.begin), web.get(CALLBACK, self.finish)]

    async def ask(self, request: web.Request) -> web.Response:
        """Whom this link connects; nothing has happened yet."""
        link = request.query.get("state", "")
        try:
            who = await self._flow.who(link)
        except UserError as e:
            return _problem(e)
        browser = self._browser(request) or secrets.token_urlsafe(32)
        answer = _page(
            "Connect to Dynamics 365",
            f"<p>This connects <strong><bdi>{html.escape(who)}</bdi></strong> with the account that you sign in "
            "with.</p>"
            "<p>If that is not you, close this page, and tell your administrator who sent you here: whoever has the "
            "link could act as you.</p>"
            # Relative, so that a path before it in PUBLIC_URL stays.
            f'<form method="post" action="{START.rpartition("/")[2]}">'
            f'<input type="hidden" name="state" value="{html.escape(link)}">'
            f'<input type="hidden" name="browser" value="{html.escape(browser)}">'
            "<button>Yes, this is me: sign in</button></form>",
        )
        answer.set_cookie(
            self._cookie, browser, max_age=_LASTS, path="/", httponly=True, samesite="Lax", secure=self._secure
        )
        return answer

    async def begin(self, request: web.Request) -> web.Response:
        """The person pressed the button: to the provider."""
        form = await request.post()
        link, browser = str(form.get("state", "")), str(form.get("browser", ""))
        if not browser or not hmac.compare_digest(browser.encode(), self._browser(request).encode()):
            text = "Allow cookies for this page, open the link from the chat, and press the button there."
            return _page("The button was not pressed in the browser where the page was opened.", f"<p>{text}</p>", 400)
        try:
            address = await self._flow.begin(link, browser)
        except (UserError, CrmError) as e:
            return _problem(e)
        return web.Response(status=303, headers={**_HEADERS, "Location": address})

    async def finish(self, request: web.Request) -> web.Response:
        """Back from the provider."""
        try:
            asked, connection = await self._flow.finish(dict(request.query), self._browser(request))
        except (UserError, CrmError) as e:
            return _problem(e)
        chat = "Slack" if asked.principal.platform == "slack" else "Teams"
        account = html.escape(connection.username or connection.name)
        answer = _page(
            "You are connected",
            f"<p>as <strong>{account}</strong>. Go back to {chat}; you may close this.</p>"
            f"<p>From now on <bdi>{html.escape(named(asked.principal))}</bdi> acts in Dynamics 365 as this account. If "
            "that is not you, tell your administrator at once.</p>",
        )
        answer.del_cookie(self._cookie, path="/", httponly=True, samesite="Lax", secure=self._secure)
        return answer

    def _browser(self, request: web.Request) -> str:
        return request.cookies.get(self._cookie, "")


def _page(title: str, body: str, status: int = 200) -> web.Response:
    text = _PAGE.format(title=html.escape(title), body=body)
    return web.Response(text=text, content_type="text/html", status=status, headers=_HEADERS)


def _problem(e: UserError | CrmError) -> web.Response:
    """Every error is a page that says what to do."""
    card = explain(e)
    log.info("a sign-in did not go on: %s", type(e).__name__)
    text = "".join(f"<p>{html.escape(line)}</p>" for line in (*card.text, "To begin again, type in the chat: connect"))
    return _page(card.title, text, 400 if isinstance(e, UserError) else 502)
