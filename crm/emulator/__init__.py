"""Dataverse Web API v9.2 over SQLite, on a real socket.

    async with Emulator(db=":memory:") as emulator:
        ...  # emulator.url is the organisation's address

How it hangs together, for whoever adds to it:

- `catalog`: the schema as immutable objects. `session.catalog` is what a request sees; `session.tx.save_table(table)`
  and `session.tx.drop_table(name)` change it, with the DDL, in the request's transaction, kept in the database file.
- `registry` + `modules`: a module with `register(registry)`, named in `modules.MODULES`, answers path segments
  (`registry.resource("EntityDefinitions", handler)`), actions and functions, and adds rules that run when rows change.
  A handler is `handler(session, request) -> Response`; raise `errors.DataverseError` to refuse. It runs in a database
  thread, so it may be slow, and it knows no sockets, so it works inside `$batch` too.
- `write.create/update/delete` and `write.insert/modify` (storage values) change rows; `read` answers lists; `sql`
  compiles `odata` trees. `values` converts between JSON and storage.
- `session.Security` decides who calls and what they may do; `service.after_commit` hears of committed changes.
- `server` is aiohttp: the log of requests, limits and faults are middlewares around the Web API; `control` answers
  under `/_emulator/`. They are attributes of `Emulator` (`requests`, `faults`, …), so tests need no HTTP.
"""

from .faults import Fault
from .protection import Limits
from .server import Emulator, run
from .steps import Webhook
from .store_claim import StoreError

__all__ = ["Emulator", "Fault", "Limits", "StoreError", "Webhook", "run"]
