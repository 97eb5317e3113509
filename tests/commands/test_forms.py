"""Forms: what they ask, what stands in them, and what comes back."""

import json
from uuid import UUID

import pytest

from commands import forms
from commands.cards import Form, Input, InputKind, Submission
from commands.fields import Reading
from commands.operation import CATALOG
from commands.press import Do
from crm.records import Ref

from .organisation import Desk


def _input(form: Form, name: str) -> Input:
    return next(i for i in form.inputs if i.name == name)


async def test_an_empty_create_opens_the_form_with_what_the_organisation_requires(desk: Desk) -> None:
    reply = await desk.say("lead create")
    assert reply.form
    assert {i.name for i in reply.form.inputs if i.required} == {"topic", "last_name"}
    assert reply.form.title == "Create lead"
    assert _input(reply.form, "topic").label == "Topic"
    assert _input(reply.form, "topic").max_length == 300


async def test_what_was_typed_stands_in_the_form(desk: Desk) -> None:
    reply = await desk.say("case create 'No customer yet' priority=high resolve_by='2027-01-05 14:00' type=prob")
    assert reply.form
    assert _input(reply.form, "title").value == "No customer yet"
    priority = _input(reply.form, "priority")
    assert priority.kind is InputKind.CHOICE
    assert next(o.label for o in priority.options if o.value == priority.value) == "High"
    assert _input(reply.form, "resolve_by").value.startswith("2027-01-05T14:00")
    assert _input(reply.form, "customer").kind is InputKind.LOOKUP
    assert _input(reply.form, "customer").required


async def test_submitting_the_form_is_the_command(desk: Desk) -> None:
    ctx = desk.context()
    reply = await desk.say("case create 'From a form'", ctx)
    assert reply.form
    options = await forms.suggest(CATALOG["case create"], "customer", "conto", desk.context())
    chosen = next(o for o in options if o.label.startswith("Contoso"))
    typed = {i.name: i.value for i in reply.form.inputs if i.value} | {"customer": chosen.value, "description": "a\nb"}
    submit = reply.form.submit
    assert (submit.do, submit.key, submit.owner) == (Do.SUBMIT, ctx.key, ctx.principal.key)
    args = forms.filled(submit, Submission(typed))
    done = await desk.run(CATALOG["case create"].read(args, Reading()), desk.context(submit.key))
    assert done.card
    assert "Case created." in done.card.text


async def test_a_change_is_filled_with_what_the_record_holds_and_sends_only_what_differs(desk: Desk) -> None:
    created = await desk.say("account create 'Form Ltd' city=Bern phone='+41 31 555 01 00' category=standard")
    assert created.card
    edit = next(a.press for a in created.card.actions if a.label == "Edit")
    assert edit
    form = await forms.form(CATALOG[edit.verb], edit.args, desk.context(etag=edit.etag))
    assert form.submit.etag == created.card.etag
    assert _input(form, "name").value == "Form Ltd"
    category = _input(form, "category")
    assert next(o.label for o in category.options if o.value == category.value) == "Standard"
    typed = {i.name: i.value for i in form.inputs if i.value} | {"name": "Form AG"}
    del typed["phone"]
    args = forms.filled(form.submit, Submission(typed))
    assert args == {"record": edit.args["record"], "name": "Form AG", "clear": "phone"}
    with desk.requests() as calls:
        saved = await desk.run(CATALOG["account update"].read(args), desk.context(etag=form.submit.etag))
    assert saved.card
    assert saved.card.title == "Form AG"
    assert (calls[0].body, calls[0].headers["If-Match"]) == ({"name": "Form AG", "telephone1": None}, form.submit.etag)


async def test_an_unchanged_form_asks_again_and_saves_nothing(desk: Desk) -> None:
    await desk.say("account create 'Unchanged Ltd'")
    form = await forms.form(CATALOG["account update"], {"record": "it"}, desk.context())
    args = forms.filled(form.submit, Submission({i.name: i.value for i in form.inputs if i.value}))
    operation = CATALOG["account update"].read(args)
    assert forms.missing(operation, desk.dataverse.metadata)


async def test_text_that_a_form_shows_differently_is_left_alone(desk: Desk) -> None:
    created = await desk.say("case create 'Long story' account=Contoso")
    assert created.card
    table, _, row = created.card.record.partition("/")
    story = "It began so.\r\n" * 100
    await desk.context().crm.update(Ref(table, UUID(row)), {"description": story})
    form = await forms.form(CATALOG["case update"], {"record": row}, desk.context())
    typed = {i.name: i.value.replace("\r\n", "\n") for i in form.inputs if i.value}
    assert set(forms.filled(form.submit, Submission(typed))) == {"record"}
    typed["description"] = typed["description"][:500]
    assert set(forms.filled(form.submit, Submission(typed, frozenset({"description"})))) == {"record"}
    assert forms.filled(form.submit, Submission(typed))["description"] == typed["description"].strip()
    typed["description"] = "It ended so."
    args = forms.filled(form.submit, Submission(typed, frozenset({"description"})))
    assert args["description"] == "It ended so."


async def test_more_fields_keeps_what_was_typed(desk: Desk) -> None:
    reply = await desk.say("lead create 'Ann Lee'")
    assert reply.form
    assert reply.form.more
    args = forms.filled(reply.form.more, Submission({"last_name": "Lee", "topic": "More"}))
    longer = await forms.form(CATALOG["lead create"], args, desk.context())
    assert len(longer.inputs) > len(reply.form.inputs)
    assert longer.more is None
    assert _input(longer, "topic").value == "More"


async def test_a_lookup_stands_in_the_form_by_name_and_goes_back_as_its_id(desk: Desk) -> None:
    form = await forms.form(CATALOG["case update"], {"record": "CAS-01001"}, desk.context())
    customer = _input(form, "customer")
    assert customer.value_label == "Fabrikam, Inc."
    assert customer.value.startswith("/accounts(")
    args = forms.filled(form.submit, Submission({i.name: i.value for i in form.inputs if i.value}))
    assert set(args) == {"record"}


async def test_wrong_values_stay_at_their_fields(desk: Desk) -> None:
    form = await forms.form(CATALOG["lead create"], {"rating": "blue", "topic": "x"}, desk.context())
    assert _input(form, "rating").value == "blue"
    assert "It may be Hot, Warm or Cold" in _input(form, "rating").problem
    operation = CATALOG["lead create"].read({"rating": "blue", "topic": "x" * 301, "last_name": "y"})
    problems = forms.problems(operation, desk.dataverse.metadata)
    assert set(problems) == {"rating", "topic"}
    assert "at most 300" in problems["topic"]


async def test_columns_that_no_operation_names_are_asked_and_kept(desk: Desk) -> None:
    args = {"topic": "x", "columns": json.dumps({"fax": "+41 1"})}
    form = await forms.form(CATALOG["lead create"], args, desk.context())
    assert _input(form, "fax").value == "+41 1"
    back = forms.filled(form.submit, Submission({"topic": "x", "last_name": "y", "fax": "+41 2"}))
    assert json.loads(back["columns"]) == {"fax": "+41 2"}


async def test_choices_with_one_value_are_not_asked(desk: Desk) -> None:
    form = await forms.form(CATALOG["opportunity create"], {"+all": "yes"}, desk.context())
    assert "process_code" not in [i.name for i in form.inputs]
    assert "stage" in [i.name for i in form.inputs]


async def test_a_form_without_its_record_asks_for_it(desk: Desk) -> None:
    form = await forms.form(CATALOG["case resolve"], {}, desk.context())
    assert (form.inputs[0].name, form.inputs[0].kind, form.inputs[0].required) == ("record", InputKind.LOOKUP, True)
    found = await forms.suggest(CATALOG["case resolve"], "record", "grinder is", desk.context())
    assert [o.label for o in found] == ["Grinder is too loud · CAS-01002-B8M2X5"]


async def test_every_command_has_a_form(desk: Desk) -> None:
    for verb, operation in CATALOG.items():
        form = await forms.form(operation, {}, desk.context())
        names = [i.name for i in form.inputs]
        assert len(names) == len(set(names)), verb
        assert all(i.label for i in form.inputs), verb


async def test_a_form_says_what_is_needed(desk: Desk) -> None:
    form = await forms.form(CATALOG["case create"], {}, desk.context())
    assert form.intro == "Open a case for a customer. Needed: Case Title and Customer."
    form = await forms.form(CATALOG["case create"], {"title": "A", "customer": "Contoso"}, desk.context())
    assert form.intro == "Open a case for a customer."
    assert not any(field.problem for field in form.inputs)


@pytest.mark.parametrize(
    ("verb", "title", "label"),
    [("case get", "Show case", "Show"), ("search", "Search", "Search"), ("lead update", "Edit lead", "Save")],
)
async def test_what_only_shows_is_not_saved(desk: Desk, verb: str, title: str, label: str) -> None:
    form = await forms.form(CATALOG[verb], {}, desk.context())
    assert (form.title, form.submit_label) == (title, label)
