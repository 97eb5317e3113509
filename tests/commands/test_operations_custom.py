"""Tables and columns that the settings add work like the others, without code."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commands import forms
from commands.cards import CardKind, to_text
from commands.operation import CATALOG
from commands.operations.custom import (
    CustomTable,
    TableProblem,
    add_columns,
    join_from_file,
    register_table,
    unregister_table,
)
from commands.view import View
from commands.views import VIEWS
from crm.client import Dataverse
from crm.emulator import Emulator
from crm.emulator.catalog_json import load_standard

from .organisation import Desk


@pytest.fixture
async def campaign(desk: Desk) -> AsyncIterator[View]:
    info = await desk.dataverse.metadata.table("campaign")
    view = register_table(info, CustomTable(logical="campaign", noun="campaign", plural="campaigns"))
    yield view
    unregister_table(view)


@pytest.mark.usefixtures("campaign")
async def test_every_verb_works(desk: Desk) -> None:
    created = await desk.say("campaign create 'Autumn fairs'")
    assert created.card
    assert created.card.title == "Autumn fairs"
    assert created.card.text == ("Campaign created.",)
    changed = await desk.say("campaign update it name='Winter fairs'")
    assert changed.card
    assert changed.card.title == "Winter fairs"
    shown = await desk.say("campaign show winter")
    assert shown.card
    assert shown.card.record == created.card.record
    for text in ("campaigns mine", "campaign search winter"):
        found = await desk.say(text)
        assert found.card
        assert "Winter fairs" in to_text(found.card)
    noted = await desk.say("campaign note it 'Booked the stand'")
    assert noted.card
    assert noted.card.title.startswith("Note added")
    given = await desk.say("campaign assign it 'Ben Carter'")
    assert given.card
    assert given.card.text[0] == "Assigned to Ben Carter."


@pytest.mark.usefixtures("campaign")
async def test_its_forms_ask_what_the_organisation_requires(desk: Desk) -> None:
    reply = await desk.say("campaign create")
    assert reply.form
    assert [i.name for i in reply.form.inputs if i.required] == ["name"]


async def test_what_cannot_join_says_why(desk: Desk, campaign: View) -> None:
    del campaign
    metadata = desk.dataverse.metadata
    with pytest.raises(TableProblem, match="is there already"):
        register_table(
            await metadata.table("campaign"), CustomTable(logical="campaign", noun="campaign", plural="campaigns")
        )
    with pytest.raises(TableProblem, match="has no column called 'nosuch'"):
        register_table(
            await metadata.table("queue"),
            CustomTable(logical="queue", noun="queue", plural="queues", columns=("nosuch",)),
        )


def test_nothing_is_left_behind() -> None:
    assert not [verb for verb in CATALOG if verb.startswith(("campaign", "queue"))]


async def test_further_columns_are_on_forms_and_cards(desk: Desk) -> None:
    before = VIEWS["lead"]
    try:
        add_columns(await desk.dataverse.metadata.table("lead"), ["Fax"])
        form = await forms.form(CATALOG["lead create"], {"+all": "yes"}, desk.context())
        assert "fax" in [i.name for i in form.inputs]
        created = await desk.say("lead create Fay Fax topic=x fax='+41 1 555 01 00'")
        assert created.card
        assert created.card.kind is CardKind.RECORD
        shown = await desk.say("lead show it")
        assert shown.card
        assert "Fax: +41 1 555 01 00" in to_text(shown.card)
    finally:
        VIEWS["lead"] = before


async def test_a_settings_file_joins_tables_and_columns(desk: Desk, tmp_path: Path) -> None:
    before = VIEWS["account"]
    file = tmp_path / "tables.yaml"
    file.write_text("tables:\n  - {table: Campaign, noun: campaign}\ncolumns:\n  account: [Fax]\n")
    views = await join_from_file(file, desk.dataverse.metadata)
    try:
        assert [view.plural for view in views] == ["campaigns"]
        assert VIEWS["account"].form_columns == ("fax",)
        assert "campaign create" in CATALOG
    finally:
        VIEWS["account"] = before
        unregister_table(views[0])


async def test_a_table_of_the_second_organisation_joins_too(desk: Desk, tmp_path: Path) -> None:
    before = VIEWS["account"]
    file = tmp_path / "tables.yaml"
    file.write_text("tables:\n  - {table: Campaign, noun: campaign}\ncolumns:\n  account: [Fax]\n")
    poorer = load_standard().without_table("campaign")
    async with Emulator(schema=poorer) as emulator, Dataverse(emulator.url) as first:
        with pytest.raises(TableProblem, match="no table called"):
            await join_from_file(file, first.metadata)
        views = await join_from_file(file, first.metadata, desk.dataverse.metadata)
    try:
        assert [view.table.logical for view in views] == ["campaign"]
        assert VIEWS["account"].form_columns == ("fax",)
    finally:
        VIEWS["account"] = before
        unregister_table(views[0])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tables: 3", "tables"),
        ("tables:\n  - {table: new_nothing, noun: thing}", "no table called"),
        ("columns:\n  unicorn: [Horn]", "no kind of record called 'unicorn'"),
        ("tables:\n  - {table: Campaign, noun: campaign}\ncolumns:\n  account: [Horn]", "Horn"),
        ("tables: [", "tables.yaml"),
    ],
)
async def test_a_wrong_settings_file_says_what_is_wrong(desk: Desk, tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "tables.yaml"
    file.write_text(text)
    with pytest.raises(TableProblem, match=says):
        await join_from_file(file, desk.dataverse.metadata)
    assert "campaign create" not in CATALOG, "all of it joins, or nothing"
