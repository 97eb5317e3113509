"""Operation -> text that reads as the same operation."""

from commands.fields import ColumnsMark, Named
from commands.filters import FilterMark
from commands.operation import Operation

from . import markup, references
from .quotes import quote


def unparse(operation: Operation) -> str:
    """A command that `parse` reads as this operation again, in every locale."""
    kind = type(operation)
    pieces = [kind.verb]
    for name, text in operation.args().items():
        parameter = kind.parameters[name]
        if parameter.marked(ColumnsMark):
            pieces += (
                f"{quote(column)}={quote(markup.escape(value))}" for column, value in getattr(operation, name).items()
            )
        elif parameter.marked(FilterMark) or _is_person(getattr(operation, name)):
            pieces.append(f"{name}={quote(text)}")
        else:
            pieces.append(f"{name}={quote(markup.escape(text))}")
    return " ".join(pieces)


def _is_person(value: object) -> bool:
    """Somebody of the chat platform, written as the platform does."""
    return isinstance(value, Named) and value.form is references.Form.MENTION
