"""Whatever happens becomes a reply: the answer, a question, a refusal, an error, or that work goes on."""

from collections.abc import Awaitable, Callable

from crm.errors import SignInRequired

from .cards import Card, CardKind
from .environments import Environment
from .errors import NotAllowed, NotConnected, Question, SignInNeeded, UserError
from .explain import explain
from .rate import TooFast
from .request import Reply

REFUSALS = (NotAllowed, NotConnected, TooFast, SignInRequired)
Refused = Callable[[UserError | SignInRequired], Awaitable[None]]


async def explained(
    answering: Awaitable[Reply], environment: Environment | None = None, refused: Refused | None = None
) -> Reply:
    """The answer, whatever happens, marked with the environment that it comes from; `refused` is told of refusals."""
    try:
        reply = await answering
    except Question as question:
        reply = question.reply
    except REFUSALS as e:
        if refused:
            await refused(e)
        if isinstance(e, (SignInNeeded, SignInRequired)):
            raise  # the person is asked to sign in
        reply = Reply(card=explain(e))
    except Exception as e:
        reply = Reply(card=explain(e))
    return environment.mark(reply) if environment else reply


def pending() -> Reply:
    """The acknowledgement of work whose answer comes later."""
    return Reply(
        pending=True,
        card=Card(
            kind=CardKind.NOTICE, title="Working on it …", text=("The answer comes here as soon as it is there.",)
        ),
    )
