"""What people can ask for. Importing this package joins every module's operations to the catalog, in this order.

To add a feature, add a module here and name it below.
"""

# The order is that of help and of the command reference.
# isort: off
from . import cases, leads, opportunities, accounts, contacts, orders, invoices
from . import notes, reminders, search, home, case_from_message, case_threads, connecting

# isort: on

__all__ = [
    "accounts",
    "case_from_message",
    "case_threads",
    "cases",
    "connecting",
    "contacts",
    "home",
    "invoices",
    "leads",
    "notes",
    "opportunities",
    "orders",
    "reminders",
    "search",
]
