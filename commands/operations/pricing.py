"""Price lists and currencies of orders and invoices: named by the person, or derived where that leaves no doubt."""

from typing import Self

from commands import forms
from commands.context import Context
from commands.errors import Question
from commands.fields import Form, Named
from commands.finding import plain_text
from commands.language.references import reference
from crm.lifecycle import State, state_number
from crm.query import Expand, Query, col
from crm.records import Ref, Row
from crm.tables import CURRENCY, PRICE_LIST

from .customers import CustomerOf
from .records import Create

_LIST, _CURRENCY = "pricelevelid", "transactioncurrencyid"
_READ = 100
"""Price lists among which one in a currency is looked for."""
_DOUBT = 2
"""Price lists that must be seen to know that there are several."""


class Priced(CustomerOf):
    """A base for tables with a price list: the only one (in that currency) is taken; of several, a form asks.

    A price list that is named says the currency, too: Dataverse wants both to agree.
    """

    async def values(self, ctx: Context) -> dict[str, object]:
        """What was said, and for a new record the price list with its currency."""
        told = await self._with_currency_found(ctx)
        if told is not self:
            return await told.values(ctx)
        values = await super().values(ctx)
        if isinstance(self, Create) and not {_LIST, _CURRENCY} <= set(values):
            found = await self._price_lists(ctx, values.get(_LIST), values.get(_CURRENCY))
            if len(found) == 1:
                currency = found[0].lookup(_CURRENCY)
                derived: dict[str, object] = {_LIST: found[0].ref}
                if currency:
                    derived[_CURRENCY] = Ref(CURRENCY.logical, currency.id, currency.name)
                values = derived | values
            elif found:
                asked = await forms.form(type(self), self.args(), ctx)
                problem = "There are several price lists; choose the one that counts here."
                raise Question.form(asked.with_problems({}, {"price_list": problem}))
        return values

    async def _with_currency_found(self, ctx: Context) -> Self:
        """A currency given by name is found together with its price list: one request for both."""
        currency, price_list = getattr(self, "currency", None), getattr(self, "price_list", None)
        if (
            not isinstance(self, Create)
            or price_list
            or not isinstance(currency, Named)
            or currency.form is not Form.NAME
        ):
            return self
        query = Query(PRICE_LIST.logical).select(PRICE_LIST.name.logical, _CURRENCY)
        query = query.where(col("statecode") == state_number(PRICE_LIST.logical, State.OPEN)).top(_READ)
        expanded = query.expand(Expand(_CURRENCY, (CURRENCY.name.logical, CURRENCY.code.logical)))
        wanted = plain_text(currency.text)
        same = [row for row in (await ctx.crm.page(expanded)).rows if wanted in _currency_names(row)]
        found = same[0].lookup(_CURRENCY) if same else None
        if found is None:
            return self
        update = {"currency": reference(found.path(CURRENCY.entity_set))}
        if len(same) == 1:
            update["price_list"] = reference(same[0].ref.path(PRICE_LIST.entity_set))
        return self.model_copy(update=update)

    async def _price_lists(self, ctx: Context, price_list: object, currency: object) -> list[Row]:
        """The one that was named, or those that may be meant."""
        query = Query(PRICE_LIST.logical).select(PRICE_LIST.name.logical, _CURRENCY)
        if isinstance(price_list, Ref):
            query = query.where(col(PRICE_LIST.id.logical) == price_list.id)
        else:
            query = query.where(col("statecode") == state_number(PRICE_LIST.logical, State.OPEN))
        if isinstance(currency, Ref):
            query = query.where(col(_CURRENCY) == currency)
        return (await ctx.crm.page(query.top(_DOUBT))).rows


def _currency_names(price_list: Row) -> set[str]:
    currency = price_list.one(_CURRENCY, CURRENCY.logical, CURRENCY.primary_id)
    columns = (CURRENCY.name.logical, CURRENCY.code.logical)
    return {plain_text(str(currency.get(c))) for c in columns} if currency else set()
