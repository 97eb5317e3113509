"""Who the customer is, where an account and a contact may both be named."""

from commands.context import Context
from crm.records import Ref

from .records import Create, Writes

_CUSTOMER = "customerid"


class CustomerOf(Writes):
    """A base for tables with a customer: a contact named alone is the customer, beside one it is whom to talk to."""

    async def values(self, ctx: Context) -> dict[str, object]:
        """What was said; the customer, too, where only a contact was named for a new record."""
        values = await super().values(ctx)
        column = self.parameters["contact"].column if "contact" in self.parameters else None
        contact = values.get(column.logical) if column else None
        if column and isinstance(self, Create) and isinstance(contact, Ref) and _CUSTOMER not in values:
            del values[column.logical]
            values[_CUSTOMER] = contact
        return values
