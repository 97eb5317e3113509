"""What people connected by signing in, and sign-ins that are under way; kept in the state database, encrypted.

Keyed by `Principal.key` (platform, tenant, user), never by a bare user id. Several processes share it: who renews a
token keeps it only if nobody has renewed it meanwhile, and of two who finish the same sign-in one is refused.
"""

import hashlib
import json
import logging
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.exc import IntegrityError

from crm.entra import SignedIn

from .request import Place, Principal
from .state import TABLES, State, drop_older

log = logging.getLogger(__name__)

_CONNECTIONS = sa.Table(
    "connections",
    TABLES,
    sa.Column("person", sa.String(200), primary_key=True),
    sa.Column("id", sa.String(36), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("account", sa.LargeBinary, nullable=False),
    sa.Column("tokens", sa.LargeBinary),
    sa.Column("renewed", sa.DateTime(timezone=True), nullable=False, index=True),
)
_SIGN_INS = sa.Table(
    "sign_ins",
    TABLES,
    sa.Column("link", sa.String(64), primary_key=True),
    sa.Column("person", sa.String(200), nullable=False, index=True),
    sa.Column("conversation", sa.String(400), nullable=False),
    sa.Column("asked", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("state", sa.String(64), index=True),
    sa.Column("browser", sa.String(64)),
    sa.Column("flow", sa.LargeBinary),
    sa.Column("begun", sa.DateTime(timezone=True)),
)

MOST_LINKS: Final = 10
"""Links that are kept of one person; the oldest go first."""
LINK_LASTS: Final = timedelta(minutes=10)
"""How long a link to the sign-in page works, and how long the person may take at the provider."""
_KEPT_FOR: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A person's proven account."""

    person: str
    id: str
    """Of this sign-in: after another one the tokens of the former are not used any more."""
    version: int
    object_id: str
    """Entra's."""
    username: str
    name: str
    client: str
    """The app registration that the tokens were given to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who was asked to sign in, and where."""

    principal: Principal
    place: Place
    claims: str = ""
    """A claims challenge of Dataverse's that this sign-in must answer."""


_ACCOUNT: TypeAdapter[Connection] = TypeAdapter(Connection)
_ASKED: TypeAdapter[Asked] = TypeAdapter(Asked)


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in that is at the provider."""

    link: str
    asked: Asked
    flow: dict[str, object] = field(repr=False)


class Connections:
    """One database of them."""

    def __init__(self, state: State) -> None:
        self._engine, self._cipher = state.engine, state.cipher

    # -- accounts and tokens ------------------------------------------------------------------------------------

    async def find(self, person: str) -> Connection | None:
        """The account that this person connected."""
        query = sa.select(_CONNECTIONS.c.account, _CONNECTIONS.c.version).where(_CONNECTIONS.c.person == person)
        async with self._engine.connect() as db:
            row = (await db.execute(query)).first()
        return self._account(*row) if row else None

    async def keep(self, person: str, account: SignedIn, *, client: str, tokens: bool) -> Connection:
        """A new connection in the place of any former one; without `tokens` it is a link to the account alone."""
        made = Connection(
            person=person, id=str(uuid.uuid4()), version=1, object_id=account.object_id, username=account.username,
            name=account.name, client=client,
        )  # fmt: skip
        row = {
            "person": person,
            "id": made.id,
            "version": made.version,
            "account": self._cipher.encrypt(_ACCOUNT.dump_json(made)),
            "tokens": self._cipher.encrypt(account.cache.encode()) if tokens else None,
            "renewed": datetime.now(UTC),
        }
        async with self._engine.begin() as db:
            await db.execute(sa.delete(_CONNECTIONS).where(_CONNECTIONS.c.person == person))
            await db.execute(sa.insert(_CONNECTIONS).values(row))
        return made

    async def tokens(self, person: str) -> tuple[Connection, str] | None:
        """The connection as it is now, and its token cache; None where there is none, or it is a link alone."""
        c = _CONNECTIONS.c
        async with self._engine.connect() as db:
            row = (await db.execute(sa.select(c.account, c.version, c.tokens).where(c.person == person))).first()
        connection = self._account(row[0], row[1]) if row and row[2] else None
        return (connection, self._cipher.decrypt(row[2]).decode()) if row and connection else None

    async def renewed(self, connection: Connection, cache: str) -> bool:
        """Keep newer tokens of it; False where somebody has kept newer ones, or the connection is gone."""
        values = {
            "tokens": self._cipher.encrypt(cache.encode()),
            "version": connection.version + 1,
            "renewed": datetime.now(UTC),
        }
        async with self._engine.begin() as db:
            done = await db.execute(sa.update(_CONNECTIONS).where(*_same(connection)).values(values))
        return done.rowcount == 1

    async def end(self, connection: Connection) -> bool:
        """Forget it, unless it was renewed or replaced meanwhile."""
        async with self._engine.begin() as db:
            done = await db.execute(sa.delete(_CONNECTIONS).where(*_same(connection)))
        return done.rowcount == 1

    async def forget(self, person: str) -> bool:
        """Forget the account, its tokens and sign-ins under way; False where no account was connected."""
        async with self._engine.begin() as db:
            done = await db.execute(sa.delete(_CONNECTIONS).where(_CONNECTIONS.c.person == person))
            await db.execute(sa.delete(_SIGN_INS).where(_SIGN_INS.c.person == person))
        return done.rowcount > 0

    async def idle(self, since: timedelta, *, most: int = 50) -> list[Connection]:
        """Connections whose tokens nobody has renewed for so long; the oldest first."""
        c = _CONNECTIONS.c
        old = sa.select(c.account, c.version).where(c.renewed < datetime.now(UTC) - since, c.tokens.is_not(None))
        async with self._engine.connect() as db:
            rows = (await db.execute(old.order_by(c.renewed).limit(most))).all()
        return [found for row in rows if (found := self._account(*row))]

    # -- sign-ins under way -------------------------------------------------------------------------------------

    async def invite(self, link: str, asked: Asked) -> None:
        """A link that this person was given. Only its hash is kept."""
        c, person = _SIGN_INS.c, asked.principal.key
        newest = sa.select(c.link).where(c.person == person).order_by(c.at.desc()).limit(MOST_LINKS)
        async with self._engine.begin() as db:
            await db.execute(sa.insert(_SIGN_INS).values(self._row(_hash(link), asked)))
            kept = list(await db.scalars(newest))
            await db.execute(sa.delete(_SIGN_INS).where(c.person == person, c.link.not_in(kept)))

    async def claim(self, asked: Asked, *, within: timedelta = LINK_LASTS) -> bool:
        """Whether it falls to the caller to ask this person, in this conversation.

        False where they were asked so lately, and of several who claim it at once, for all but one.
        """
        c, now = _SIGN_INS.c, datetime.now(UTC)
        person, conversation = asked.principal.key, _conversation(asked.place)
        lately = sa.select(c.link).where(c.person == person, c.conversation == conversation, c.at > now - within)
        row = self._row(f"asked {_hash(f'{person} {conversation}')}"[:64], asked)  # no hash of a link: it opens nothing
        older = sa.delete(_SIGN_INS).where(c.link == row["link"], c.at <= now - within)
        try:
            async with self._engine.begin() as db:
                if await db.scalar(lately.limit(1)) is not None:
                    return False
                await db.execute(older)
                await db.execute(sa.insert(_SIGN_INS).values(row))
        except IntegrityError:
            return False
        return True

    async def last_asked(self, person: str) -> Asked | None:
        """What the person was last asked; None where they have signed in since, or were never asked."""
        query = sa.select(_SIGN_INS.c.asked).where(_SIGN_INS.c.person == person).order_by(_SIGN_INS.c.at.desc())
        async with self._engine.connect() as db:
            return self._asked(await db.scalar(query.limit(1)))

    async def asked(self, link: str) -> Asked | None:
        """Whom this link was given to; None where it is unknown, used up or too old."""
        c = _SIGN_INS.c
        query = sa.select(c.asked).where(c.link == _hash(link), c.at > datetime.now(UTC) - LINK_LASTS)
        async with self._engine.connect() as db:
            return self._asked(await db.scalar(query))

    async def begin(self, link: str, state: str, browser: str, flow: dict[str, object]) -> bool:
        """The person goes to the provider with `state`, in the browser that keeps `browser`; False: no such link."""
        values = {
            "state": _hash(state),
            "browser": _hash(browser),
            "flow": self._cipher.encrypt(json.dumps(flow).encode()),
            "begun": datetime.now(UTC),
        }
        async with self._engine.begin() as db:
            done = await db.execute(sa.update(_SIGN_INS).where(_SIGN_INS.c.link == _hash(link)).values(values))
        return done.rowcount == 1

    async def take(self, state: str, browser: str) -> Flow | None:
        """The sign-in that comes back from the provider, once, and only in the browser that went there."""
        c = _SIGN_INS.c
        mine = (c.state == _hash(state), c.browser == _hash(browser), c.begun > datetime.now(UTC) - LINK_LASTS)
        async with self._engine.begin() as db:
            row = (await db.execute(sa.select(c.link, c.asked, c.flow).where(*mine))).first()
            if row is None:
                return None
            taken = await db.execute(sa.update(_SIGN_INS).where(*mine).values(state=None, browser=None, flow=None))
        if taken.rowcount != 1:
            return None  # another process was faster
        asked = self._asked(row.asked)
        return Flow(row.link, asked, json.loads(self._cipher.decrypt(row.flow))) if asked else None

    async def use_up(self, person: str) -> None:
        """The person has signed in: no link that they were given works any more."""
        async with self._engine.begin() as db:
            await db.execute(sa.delete(_SIGN_INS).where(_SIGN_INS.c.person == person))

    async def forget_old(self) -> int:
        """Drop links past their time; how many."""
        return await drop_older(self._engine, _SIGN_INS, _KEPT_FOR)

    def _row(self, link: str, asked: Asked) -> dict[str, object]:
        return {
            "link": link,
            "person": asked.principal.key,
            "conversation": _conversation(asked.place),
            "asked": self._cipher.encrypt(_ASKED.dump_json(asked)),
            "at": datetime.now(UTC),
        }

    def _asked(self, sealed: bytes | None) -> Asked | None:
        try:
            return _ASKED.validate_json(self._cipher.decrypt(sealed)) if sealed else None
        except ValueError:
            log.warning("a sign-in link cannot be decrypted; its person can ask for another one")
            return None

    def _account(self, sealed: bytes, version: int) -> Connection | None:
        try:
            clear = json.loads(self._cipher.decrypt(sealed))
        except ValueError:
            log.warning("a connection cannot be decrypted; its person will be asked to connect again")
            return None
        return _ACCOUNT.validate_python({**clear, "version": version})


def _same(connection: Connection) -> tuple[sa.ColumnElement[bool], ...]:
    c = _CONNECTIONS.c
    return c.person == connection.person, c.id == connection.id, c.version == connection.version


def _conversation(place: Place) -> str:
    return f"{place.platform}:{place.tenant}:{place.conversation}"


def _hash(secret: str) -> str:
    """Links, states and cookies are long and random, so a plain hash cannot be searched through."""
    return hashlib.sha256(secret.encode()).hexdigest()
