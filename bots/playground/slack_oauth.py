"""Installing the app in the fake Slack: consent page, code for tokens, rotation with single-use refresh tokens."""

from __future__ import annotations

import base64
import html
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from .slack_records import DEFAULT_SCOPES, TOKEN_SECONDS, SlackError, Token
from .slack_world import World

CODE_SECONDS = 600
_CONSENT = """<!doctype html><meta charset="utf-8"><title>Allow access</title>
<style>body{{font:16px system-ui;max-width:34rem;margin:12vh auto;padding:0 1rem}}</style>
<h1>Allow this app to use {team}?</h1><p>It asks for:</p><ul>{scopes}</ul>
<form method="post" action="{action}">{hidden}
<button name="allow" value="1">Allow</button> <button name="allow" value="0">Cancel</button></form>"""


class OAuth:
    """The authorize page and oauth.v2.access. `rotation` makes tokens expire in 12 h with a refresh token;
    `org_wide` installs on the whole Enterprise organisation (`team` is null in the answer)."""

    def __init__(self, world: World, client_id: str, client_secret: str) -> None:
        self.world = world
        self.client_id = client_id
        self.client_secret = client_secret
        self.rotation = False
        self.org_wide = False
        self.codes: dict[str, dict[str, Any]] = {}
        self.refresh_tokens: dict[str, Token] = {}

    async def authorize(self, request: web.Request) -> web.Response:
        """GET: the consent page. `team` in the query picks the workspace."""
        query = dict(request.query)
        if query.get("client_id") != self.client_id:
            return web.Response(status=400, text="invalid_client_id")
        scopes = [s for s in query.get("scope", "").split(",") if s]
        unknown = [s for s in scopes if s not in DEFAULT_SCOPES]
        if unknown or not scopes:
            return web.Response(status=400, text=f"invalid_scope: {', '.join(unknown) or 'no scopes requested'}")
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">' for k, v in query.items()
        )
        team = self.world.teams.get(query.get("team", "T1"))
        page = _CONSENT.format(
            team=html.escape(team.name if team else "?"),
            scopes="".join(f"<li>{html.escape(s)}</li>" for s in scopes),
            action="authorize",
            hidden=hidden,
        )
        return web.Response(text=page, content_type="text/html")

    async def consent(self, request: web.Request) -> web.Response:
        """POST of that page: back to the app with a code, or with `access_denied`."""
        form = {key: str(value) for key, value in (await request.post()).items()}
        back: dict[str, str] = {"state": form.get("state", "")}
        if form.get("allow") == "1":
            code = secrets.token_urlsafe(24)
            self.codes[code] = {
                "team": form.get("team", "T1"),
                "user": form.get("user", "U1"),
                "scopes": frozenset(form["scope"].split(",")),
                "redirect_uri": form.get("redirect_uri", ""),
                "born": self.world.now(),
            }
            back["code"] = code
        else:
            back["error"] = "access_denied"
        raise web.HTTPFound(f"{form['redirect_uri']}?{urlencode(back)}")

    def access(self, args: Mapping[str, Any], authorization: str) -> dict[str, Any]:
        """oauth.v2.access with a code, or with `grant_type=refresh_token`."""
        if self._client(args, authorization) != (self.client_id, self.client_secret):
            raise SlackError("bad_client_secret")
        if args.get("grant_type") == "refresh_token":
            old = self.refresh_tokens.pop(str(args.get("refresh_token")), None)
            if old is None or old.revoked:
                raise SlackError("invalid_refresh_token")
            return self._grant(old.team or "T1", old.user, old.scopes)
        code = self.codes.pop(str(args.get("code")), None)
        if code is None or self.world.now() - code["born"] > CODE_SECONDS:
            raise SlackError("invalid_code")
        if code["redirect_uri"] and args.get("redirect_uri", code["redirect_uri"]) != code["redirect_uri"]:
            raise SlackError("bad_redirect_uri")
        return self._grant(code["team"], code["user"], code["scopes"])

    def _grant(self, team_id: str, user: str, scopes: frozenset[str]) -> dict[str, Any]:
        team = self.world.teams[team_id]
        mine = [t for t in self.world.tokens.values() if t.kind == "bot" and t.team == team_id and t.expires]
        # at most two live access tokens for an installation: a third one ends the oldest
        for old in [t for t in mine if not t.revoked][:-1]:
            old.revoked = True
        token = Token(
            value=f"xoxb-{'rotated' if self.rotation else 'installed'}-{secrets.token_hex(12)}",
            kind="bot",
            team=None if self.org_wide else team_id,
            enterprise=team.enterprise,
            scopes=scopes,
            expires=self.world.now() + TOKEN_SECONDS if self.rotation else None,
        )
        self.world.tokens[token.value] = token
        answer: dict[str, Any] = {
            "app_id": "APLAYGROUND",
            "authed_user": {"id": user},
            "scope": ",".join(sorted(scopes)),
            "token_type": "bot",
            "access_token": token.value,
            "bot_user_id": team.bot_user,
            "team": None if self.org_wide else {"id": team.id, "name": team.name},
            "enterprise": {"id": team.enterprise, "name": "Grid"} if team.enterprise else None,
            "is_enterprise_install": self.org_wide,
        }
        if self.rotation:
            refresh = f"xoxe-1-{secrets.token_hex(16)}"
            self.refresh_tokens[refresh] = Token(value=refresh, kind="refresh", team=team_id, user=user, scopes=scopes)
            answer |= {"expires_in": TOKEN_SECONDS, "refresh_token": refresh}
        return answer

    def _client(self, args: Mapping[str, Any], authorization: str) -> tuple[str, str]:
        if authorization.startswith("Basic "):
            name, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
            return name, secret
        return str(args.get("client_id")), str(args.get("client_secret"))
