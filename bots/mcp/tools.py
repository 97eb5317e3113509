"""From a declared operation to an MCP tool: its name, its JSON schema, and its arguments back to fields.

The twelve operations of the public toolkit carry its slugs and its parameter names to the letter; all others are named
after their verb (`case_resolve`) and take the user's words.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import mcp.types as types

from commands.environments import FIELD
from commands.operation import CATALOG, ByButton, Effect, Operation, Parameter

_PREFIX: Final = "DYNAMICS365_DYNAMICSCRM_"
_LEAD: Final = ("firstname", "lastname", "emailaddress1", "telephone1", "companyname", "subject")
_OPPORTUNITY: Final = (
    "name", "description", "estimatedvalue", "estimatedclosedate", "customer_account_id", "customer_contact_id",
)  # fmt: skip
_DOCUMENT: Final = ("name", "description", "account_id", "currency_id", "price_level_id")
TOOLKIT: Final[dict[str, tuple[str, ...]]] = {
    f"{_PREFIX}CREATE_LEAD": _LEAD,
    f"{_PREFIX}UPDATE_LEAD": ("lead_id", *_LEAD),
    f"{_PREFIX}GET_A_LEAD": ("lead_id",),
    f"{_PREFIX}GET_ALL_LEADS": ("filter", "select", "orderby", "top"),
    f"{_PREFIX}CREATE_ACCOUNT": ("name", "description", "revenue", "accountcategorycode", "creditonhold"),
    f"{_PREFIX}CREATE_CONTACT": (
        "firstname", "lastname", "emailaddress1", "telephone1", "mobilephone", "jobtitle", "address1_city",
        "address1_stateorprovince", "address1_postalcode", "address1_country",
    ),
    f"{_PREFIX}CREATE_OPPORTUNITY": _OPPORTUNITY,
    f"{_PREFIX}UPDATE_OPPORTUNITY": ("opportunity_id", *_OPPORTUNITY, "opportunityratingcode", "salesstagecode"),
    f"{_PREFIX}CREATE_SALES_ORDER": _DOCUMENT,
    f"{_PREFIX}UPDATE_SALES_ORDER": ("salesorder_id", "name", "discountamount", "freightamount"),
    f"{_PREFIX}CREATE_INVOICE": _DOCUMENT,
    f"{_PREFIX}CREATE_CASE": ("title", "description", "prioritycode", "caseorigincode", "account_id", "contact_id"),
}  # fmt: skip
"""Parameter names of the public toolkit `dynamics365`, by slug."""
TOOLKIT_REQUIRED: Final = {f"{_PREFIX}CREATE_OPPORTUNITY": ("name",)}
"""What the toolkit requires beside what the declaration does."""
WITHOUT_A_TOOL: Final = frozenset(
    {"home", "case capture", "case thread", "remind", "unremind", "connect", "disconnect"}
)
"""By the verb or its last word, what needs a chat: its home tab, a message, a thread, a person who signs in."""
CONFIRM: Final = "confirm"


class BadArguments(Exception):
    """Arguments that the tool does not take; the message tells the agent what to change."""


def tool_name(operation: type[Operation]) -> str:
    """`DYNAMICS365_DYNAMICSCRM_CREATE_CASE`, or `case_resolve`."""
    return operation.slug or operation.verb.replace(" ", "_")


def offered() -> dict[str, type[Operation]]:
    """Operation by tool name, in the catalog's order."""
    return {
        tool_name(op): op for op in CATALOG.values() if WITHOUT_A_TOOL.isdisjoint({op.verb, op.verb.rpartition(" ")[2]})
    }


def argument_name(operation: type[Operation], parameter: Parameter) -> str:
    """How agents call this field."""
    return next((n for n in TOOLKIT.get(operation.slug, ()) if n in parameter.names), parameter.name)


def tool(
    operation: type[Operation],
    labels: Mapping[str, list[str]],
    *,
    environments: Sequence[str] = (),
    ask_back: bool = False,
) -> types.Tool:
    """The tool. `labels`: the organisation's choices by field name; `environments`: names, where there are several.

    `ask_back`: somewhere a change must be confirmed.
    """
    own = operation.model_json_schema()["properties"]
    properties: dict[str, Any] = {}
    required = list(TOOLKIT_REQUIRED.get(operation.slug, ()))
    for parameter in _taken(operation):
        name = argument_name(operation, parameter)
        properties[name] = _property(own.get(parameter.name, {}), parameter, labels.get(parameter.name, []))
        if parameter.required and name not in required:
            required.append(name)
    if environments:
        which = f"Which organisation: one of {', '.join(environments)}. Left out: {environments[0]}."
        properties["env"] = {"type": "string", "enum": list(environments), "description": which}
    if ask_back and operation.effect is not Effect.READ:
        agreed = (
            "True only after the person has agreed to this very change, where the answer says that it is asked back."
        )
        properties[CONFIRM] = {"type": "boolean", "default": False, "description": agreed}
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    reads = operation.effect is Effect.READ
    return types.Tool(
        name=tool_name(operation),
        title=operation.verb,
        description=(operation.__doc__ or "").strip(),
        inputSchema=schema,
        annotations=types.ToolAnnotations(
            title=operation.verb,
            readOnlyHint=reads,
            destructiveHint=operation.effect is Effect.ACTION,
            idempotentHint=reads,
            openWorldHint=False,
        ),
    )


def _taken(operation: type[Operation]) -> list[Parameter]:
    """What agents may say, wherever it goes."""
    return [p for p in operation.parameters.values() if p.name != FIELD and not p.marked(ByButton)]


def _property(own: Mapping[str, Any], parameter: Parameter, labels: list[str]) -> dict[str, Any]:
    schema = next((s for s in own.get("anyOf", ()) if s.get("type") != "null"), own)
    kept = {k: v for k, v in schema.items() if k in ("type", "format", "additionalProperties", "items")}
    kept.setdefault("type", "string")
    description = parameter.help
    if labels:
        kept["type"] = ["string", "integer"]
        description += f" One of: {', '.join(labels)}."
    if parameter.name == "user_id":
        kept["default"] = "me"
    return {**kept, "description": description}


def fields(operation: type[Operation], arguments: Mapping[str, Any]) -> dict[str, str]:
    """Text by field name, as a press carries it. Raises BadArguments for a name that the tool does not have."""
    names = {n: p for p in operation.parameters.values() for n in (argument_name(operation, p), *p.names)}
    given: dict[str, str] = {}
    for name, value in arguments.items():
        if value is None:
            continue
        parameter = names.get(name)
        if parameter is None or parameter.marked(ByButton):
            known = ", ".join(argument_name(operation, p) for p in _taken(operation))
            raise BadArguments(f"There is no argument {name!r}. The arguments are: {known}.")
        if parameter.name in given:
            raise BadArguments(f"{name!r} says {parameter.name} a second time; give it once.")
        given[parameter.name] = _text(value)
    return given


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
