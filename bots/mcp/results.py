"""From a reply to what an agent gets: data in structured fields, and one sentence of ours.

What records say is data. It stands in fields of its own and is never mixed into our sentences, so that text in a record
cannot pass for an instruction.
"""

import json
from typing import Any

import mcp.types as types

from commands.cards import Action, Card, CardKind, Form, Link, Moment, Value
from commands.operation import CATALOG, Operation
from commands.request import Reply

from .tools import argument_name, offered, tool_name

_CORRECT = "Nothing was done. Call again with this corrected."
_CHOOSE = "Ask the person, or choose the option that they mean, and call its tool with its arguments."
_NONE = "Check the spelling, or look for the record with the tool search."


def result(reply: Reply, operation: type[Operation]) -> types.CallToolResult:
    """The tool's result; `isError` where the agent must change something."""
    if reply.form:
        return _result(_missing(reply.form, operation), error=True)
    card = reply.card
    if card is None:
        return _result({"message": "Done."})
    if reply.pending:
        return _result({"message": "Not finished yet. Read the record in a minute; do not call again."}, error=True)
    data = _card(card)
    if card.kind is CardKind.ERROR:
        command = f"For example: {operation.example}"
        said = [_CORRECT if line == command else line for line in card.text]
        return _result({"error": card.title, "what_to_do": said}, error=True)
    if card.kind is CardKind.CONFIRM:
        asked = {"title": card.title, "text": list(card.text), "facts": {f.label: _value(f.value) for f in card.facts}}
        sentence = "Nothing was done: ask the person whether they agree, then call again with confirm=true."
        return _result({"error": sentence, "question": asked}, error=True)
    if card.kind is CardKind.CHOICE:
        asked = _question(card)
        remedy = _CHOOSE if asked["options"] else _NONE
        data = {"error": "Nothing was done: the call is not clear.", "what_to_do": [remedy], "question": asked}
        return _result(data, error=True)
    return _result({"message": "Done.", **data})


def problem(sentence: str) -> types.CallToolResult:
    """An error of ours in one sentence."""
    return _result({"error": sentence}, error=True)


def _result(data: dict[str, Any], *, error: bool = False) -> types.CallToolResult:
    text = json.dumps(data, ensure_ascii=False, indent=1)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structuredContent=data, isError=error
    )


def _missing(form: Form, operation: type[Operation]) -> dict[str, Any]:
    """What the form would have asked for, by argument name."""
    needed = {}
    for field in form.inputs:
        parameter = operation.parameters.get(field.name)
        if field.problem or (field.required and not field.value):
            name = argument_name(operation, parameter) if parameter else field.name
            problem = field.problem or f"{field.label} is needed."
            needed[name] = f"{problem} {parameter.help}" if parameter else problem
    return {"error": "Nothing was done: arguments are missing or wrong.", "arguments": needed}


def _question(card: Card) -> dict[str, Any]:
    options = [
        {"label": row.title, "detail": [_value(v) for v in row.detail], **_call(row.action)}
        for row in card.rows
        if row.action
    ]
    options += [{"label": a.label, **_call(a)} for a in card.actions if a.press]
    return {"title": card.title, "text": list(card.text), "options": options}


def _call(action: Action | None) -> dict[str, Any]:
    """The tool that does what a button does, and its arguments; {} for what agents cannot do."""
    operation = CATALOG.get(action.press.verb) if action and action.press else None
    if action is None or action.press is None or operation is None or tool_name(operation) not in offered():
        return {}
    known = operation.parameters
    given = {argument_name(operation, known[k]) if k in known else k: v for k, v in action.press.args.items()}
    return {"tool": tool_name(operation), "arguments": given}


def _card(card: Card) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": card.record.partition("/")[2] or None,
        "environment": card.env or None,
        "title": card.title,
        "kind": card.subtitle or None,
        "url": card.url,
        "status": card.status.text if card.status else None,
        "text": list(card.text),
        "facts": {f.label: _value(f.value) for f in card.facts},
        "rows": [
            {
                "title": row.title,
                "status": row.status.text if row.status else None,
                "detail": [_value(v) for v in row.detail],
                **_call(row.action),
            }
            for row in card.rows
        ],
        "sections": [_card(s) for s in card.sections],
    }
    return {k: v for k, v in data.items() if v not in (None, [], {}, "")}


def _value(value: Value) -> Any:
    if isinstance(value, Moment):
        return value.at.isoformat()
    return {"text": value.text, "url": value.url} if isinstance(value, Link) else value
