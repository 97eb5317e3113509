"""The actions that change a choice's options: InsertOptionValue, UpdateOptionValue, DeleteOptionValue, OrderOption,
InsertStatusValue, UpdateStateValue. A change shows at once; PublishXml and PublishAllXml are accepted and do nothing.

Parameters: learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/{insertoptionvalue,
updateoptionvalue, deleteoptionvalue, orderoption, insertstatusvalue, updatestatevalue}.
"""

# ruff: noqa: S608 - names in SQL come from the schema through quote(); values are always parameters

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .catalog import Column, Option, Table
from .errors import INVALID_ARGUMENT, DataverseError, bad_payload, bad_request
from .metadata_column_changes import save_column
from .metadata_labels import read_label
from .registry import Call, Registry
from .session import Session
from .sqlite_tables import quote
from .wire import Response, json_response, no_content

_FIRST_CUSTOM_VALUE = 100_000_000
_CHOICES = frozenset({"picklist", "multipicklist", "state", "status"})


def register(registry: Registry) -> None:
    registry.action("InsertOptionValue", insert_option)
    registry.action("UpdateOptionValue", update_option)
    registry.action("DeleteOptionValue", delete_option)
    registry.action("OrderOption", order_options)
    registry.action("InsertStatusValue", insert_status)
    registry.action("UpdateStateValue", update_option)
    registry.action("PublishXml", _publish)
    registry.action("PublishAllXml", _publish)


def _publish(session: Session, call: Call) -> Response:
    del session, call
    return no_content()


def insert_option(session: Session, call: Call) -> Response:
    targets = _targets(session, call, _CHOICES - {"state", "status"})
    held = {option.value for _, column in targets for option in column.options}
    value = call.parameters.get("Value")
    if value is None:
        value = max([_FIRST_CUSTOM_VALUE - 1, *held]) + 1
    _check_new(value, held)
    added = Option(value=value, labels=_label(call))
    _change(session, targets, lambda options: (*options, added))
    return _new_value(session, "InsertOptionValueResponse", value)


def insert_status(session: Session, call: Call) -> Response:
    targets = _targets(session, call, frozenset({"status"}))
    table, column = targets[0]
    state = call.parameters.get("StateCode")
    states = table.state_column
    if not isinstance(state, int) or states is None or states.option(state) is None:
        raise bad_payload(f"StateCode must be one of the states of '{table.logical_name}'.")
    held = {option.value for option in column.options}
    value = call.parameters.get("Value")
    if value is None:
        value = max([_FIRST_CUSTOM_VALUE - 1, *held]) + 1
    _check_new(value, held)
    added = Option(value=value, labels=_label(call), state=state)
    _change(session, targets, lambda options: (*options, added))
    return _new_value(session, "InsertStatusValueResponse", value)


def update_option(session: Session, call: Call) -> Response:
    targets = _targets(session, call, _CHOICES | {"boolean"})
    value = _existing(targets, call)
    merge = call.parameters.get("MergeLabels", False) is True
    sent = call.parameters.get("Label")

    def renamed(options: tuple[Option, ...]) -> tuple[Option, ...]:
        return tuple(
            replace(o, labels=read_label(sent, o.labels, merge=merge)) if o.value == value else o for o in options
        )

    _change(session, targets, renamed)
    return no_content()


def delete_option(session: Session, call: Call) -> Response:
    targets = _targets(session, call, _CHOICES - {"state"})
    value = _existing(targets, call)
    for table, column in targets:
        used = session.tx.execute(
            f"SELECT 1 FROM {quote(table.logical_name)} WHERE {quote(column.name)} = ? LIMIT 1", (value,)
        ).fetchone()
        if used:
            raise bad_request(
                f"The option {value} of '{column.name}' is used by rows and cannot be deleted.", INVALID_ARGUMENT
            )
        if len(column.options) == 1:
            raise bad_request(f"The option {value} is the last one of '{column.name}'.", INVALID_ARGUMENT)
    _change(session, targets, lambda options: tuple(o for o in options if o.value != value))
    return no_content()


def order_options(session: Session, call: Call) -> Response:
    targets = _targets(session, call, _CHOICES)
    values = call.parameters.get("Values")
    held = [option.value for option in targets[0][1].options]
    if not isinstance(values, list) or any(isinstance(v, bool) or not isinstance(v, int) for v in values):
        raise bad_payload("Values must be a list of option values.")
    if sorted(values) != sorted(held):
        raise bad_payload("Values must name every option of the choice exactly once.")
    _change(session, targets, lambda options: tuple(sorted(options, key=lambda o: values.index(o.value))))
    return no_content()


def _targets(session: Session, call: Call, kinds: frozenset[str]) -> list[tuple[Table, Column]]:
    """The columns whose options are meant: one column, or all that use a global choice.

    Raises: DataverseError 400.
    """
    shared = call.parameters.get("OptionSetName")
    if shared:
        found = [
            (table, column)
            for table in session.catalog
            for column in table.columns.values()
            if column.global_option_set == shared
        ]
        if not found:
            raise bad_request(f"The global option set '{shared}' does not exist.", INVALID_ARGUMENT)
        return found
    table = session.table(str(call.parameters.get("EntityLogicalName")))
    name = str(call.parameters.get("AttributeLogicalName"))
    column = table.columns.get(name)
    if column is None:
        raise bad_request(f"The attribute '{name}' does not exist on '{table.logical_name}'.", "0x80041103")
    if column.type not in kinds:
        raise bad_request(
            f"The attribute '{name}' of '{table.logical_name}' has no options that this action changes.",
            INVALID_ARGUMENT,
        )
    if column.global_option_set:
        raise bad_request(
            f"The attribute '{name}' uses the global option set '{column.global_option_set}': give OptionSetName.",
            INVALID_ARGUMENT,
        )
    return [(table, column)]


def _existing(targets: list[tuple[Table, Column]], call: Call) -> int:
    value = call.parameters.get("Value")
    if isinstance(value, int) and not isinstance(value, bool) and all(c.option(value) for _, c in targets):
        return value
    raise bad_request(f"The option {value!r} does not exist.", INVALID_ARGUMENT)


def _check_new(value: Any, held: set[int]) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise bad_payload("Value must be a whole number from 0 to 2147483647.")
    if value in held:
        raise DataverseError(400, INVALID_ARGUMENT, f"The option {value} exists already.")


def _label(call: Call) -> dict[int, str]:
    labels = dict(read_label(call.parameters.get("Label"), {}))
    if not labels:
        raise bad_payload("Label must have a text in at least one language.")
    return labels


def _change(
    session: Session,
    targets: list[tuple[Table, Column]],
    change: Callable[[tuple[Option, ...]], tuple[Option, ...]],
) -> None:
    for table, column in targets:
        held = session.table(table.logical_name)
        save_column(session, held, replace(column, options=change(column.options)))


def _new_value(session: Session, type_name: str, value: int) -> Response:
    return json_response(
        {"@odata.context": session.context(f"Microsoft.Dynamics.CRM.{type_name}"), "NewOptionValue": value}
    )
