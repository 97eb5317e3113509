"""A person's own account: `connect`, `disconnect`."""

from typing import ClassVar

from commands.cards import Card, CardKind
from commands.connections import Asked
from commands.context import Context
from commands.operation import Operation
from commands.request import Reply
from commands.signing_in import connected_card


class Connect(Operation, verb="connect", example="connect", also=("sign in", "log in")):
    """Connect your own Dynamics 365 account by signing in."""

    without_account: ClassVar[bool] = True

    async def run(self, ctx: Context) -> Reply:
        """A fresh link each time; for those who need none, how they are known or connected."""
        if ctx.sign_in is None:
            text = "Nobody signs in here: Dynamics 365 knows you by your account in this chat. Try: whoami"
            return Reply(card=Card(kind=CardKind.NOTICE, title="There is nothing to connect", text=(text,)))
        connections = ctx.sign_in.connections
        asked = await connections.last_asked(ctx.principal.key)
        if asked is None and (connection := await connections.find(ctx.principal.key)):
            return Reply(card=connected_card(connection, note="To use another account, disconnect first."))
        # Whoever is connected and was asked must answer what Microsoft demands of that sign-in.
        claims = asked.claims if asked else ""
        return Reply(card=await ctx.sign_in.card(Asked(principal=ctx.principal, place=ctx.place, claims=claims)))


class Disconnect(Operation, verb="disconnect", example="disconnect", also=("sign out", "log out")):
    """Forget your sign-in; nothing else is lost."""

    without_account: ClassVar[bool] = True
    noted: ClassVar[bool] = True

    async def run(self, ctx: Context) -> Reply:
        """Tokens and link go; records, threads and what waits stay."""
        if ctx.sign_in is not None and await ctx.sign_in.connections.forget(ctx.principal.key):
            text = "Your sign-in was forgotten. Nothing else was lost; to come back, type: connect"
            return Reply(card=Card(kind=CardKind.NOTICE, title="Disconnected", text=(text,)))
        return Reply(card=Card(kind=CardKind.NOTICE, title="You had not connected an account"))
