"""Price lists and currencies of orders and invoices: named by the person, or derived where that leaves no doubt."""

from commands import forms
from commands.context import Context
from commands.errors import Question
from crm.lifecycle import State, state_number
from crm.query import Query, col
from crm.records import Ref, Row
from crm.tables import CURRENCY, PRICE_LIST

from .customers import CustomerOf
from .records import Create

_LIST, _CURRENCY = "pricelevelid", "transactioncurrencyid"
_DOUBT = 2
"""Price lists that must be seen to know that there are several."""


class Priced(CustomerOf):
    """A base for tables with a price list: the only one (in that currency) is taken; of several, a form asks.

    A price list that is named says the currency, too: Dataverse wants both to agree.
    """

    async def values(self, ctx: Context) -> dict[str, object]:
        """What was said, and for a new record the price list with its currency."""
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
