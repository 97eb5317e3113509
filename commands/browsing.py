"""`Browsing`: what is shown without a command, while people type, paste an address, or open the home tab."""

import asyncio
import logging
from collections.abc import Sequence

from crm.errors import CrmError
from crm.languages import language_code

from . import forms
from .access import Access
from .cards import Card, Option
from .errors import UserError
from .explain import explain
from .operation import CATALOG, Operation
from .operations import home, search
from .press import Press
from .request import Place, Principal

log = logging.getLogger(__name__)


class Browsing:
    """Changes nothing, and is paced and allowed like the commands that it stands for."""

    def __init__(self, access: Access, *, window: float) -> None:
        self._access, self._window = access, window

    async def suggest(self, press: Press, field: str, typed: str, principal: Principal, place: Place) -> list[Option]:
        """Typeahead for the LOOKUP input `field` of the form that submits `press`; at most 15; under 1.5 s or empty."""
        operation = CATALOG.get(press.verb)
        if operation is None:
            return []
        try:
            async with asyncio.timeout(self._window):
                environment = self._access.environments.of(operation, press.args, place)
                async with self._access.admitting(operation, principal, place, environment):
                    ctx = await self._access.context(principal, place, environment, key="", operation=operation)
                    return await forms.suggest(operation, field, typed, ctx)
        except (TimeoutError, CrmError, UserError, ValueError) as e:
            log.info("no suggestions for %s: %s", field, type(e).__name__)
            return []

    async def home(self, principal: Principal, place: Place) -> Card:
        """The home tab: my cases, leads, opportunities, recent records, connection state (kind HOME, sections)."""
        environment = self._access.environments.here(place)
        try:
            async with self._access.admitting(CATALOG["home"], principal, place, environment):
                card = await home.card(await self._access.context(principal, place, environment, key=""))
        except Exception as e:
            card = explain(e)
        return environment.mark_card(card)

    async def search(self, text: str, nouns: Sequence[str], principal: Principal, place: Place) -> list[Card]:
        """Record cards for the search extension, at most 25; empty `text` gives the person's recent records.

        `nouns`: limit to these (`case`, `lead`); empty searches all seven tables. Raises UserError and CrmError.
        """
        environment = self._access.environments.here(place)
        async with self._access.admitting(CATALOG["search"], principal, place, environment):
            found = await search.cards(await self._access.context(principal, place, environment, key=""), text, nouns)
        return [environment.mark_card(card) for card in found]

    async def unfurl(self, url: str, principal: Principal, place: Place) -> Card | None:
        """The public card (`Card.public()` form) for a record's URL of our organisations; None for any other URL.

        It shows the minimal facts that everyone may see and carries a button that fetches the rest per person.
        """
        environment = self._access.environments.at(url)
        if environment is None:
            return None
        try:
            async with asyncio.timeout(self._window):
                async with self._access.admitting(CATALOG["search"], principal, place, environment, public=True):
                    card = await search.unfurl(await self._access.context(principal, place, environment, key=""), url)
                return environment.mark_card(card) if card else None
        except Exception as e:
            log.info("no preview: %s", type(e).__name__)
            return None

    async def labels(self, operation: type[Operation], principal: Principal) -> dict[str, list[str]]:
        """The organisation's choices by field name, in the person's language; of several organisations, of any of them.

        Empty while metadata is not loaded.
        """
        found: dict[str, dict[str, None]] = {}
        if operation.table is None:
            return {}
        language = language_code(principal.locale)
        for environment in self._access.environments:
            try:
                info = await environment.dataverse.metadata.table(operation.table.logical)
            except CrmError as e:
                log.info("no choices for %s: %s", operation.verb, type(e).__name__)
                continue
            for parameter in operation.parameters.values():
                column = info.columns.get(parameter.column.logical) if parameter.column else None
                if column:
                    labels = dict.fromkeys(choice.label(language) for choice in column.choices)
                    found.setdefault(parameter.name, {}).update(labels)
        return {name: list(labels) for name, labels in found.items()}
