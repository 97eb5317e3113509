"""`crmchat serve` is killed with -9 after it answered an invoke and before Teams took the message behind it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientSession, web

from bots.playground.teams_server import FakeTeams
from crm.emulator import Emulator
from tests.jobs.harness import Outside, Sink


class Slow(FakeTeams):
    """A Teams that takes no message while it is `busy`, and lets its callers wait."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = False
        self.waiting = 0

    def app(self) -> web.Application:
        app = super().app()
        app.middlewares.append(self._keep_waiting)
        return app

    @web.middleware
    async def _keep_waiting(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not self.busy or "activities" not in request.path:
            return await handler(request)
        self.waiting += 1
        while request.transport and not request.transport.is_closing():  # noqa: ASYNC110  until the caller is dead
            await asyncio.sleep(0.05)
        raise web.HTTPServiceUnavailable


@pytest.mark.timeout(180)
async def test_what_was_to_be_posted_behind_an_invoke_is_posted_by_the_next_process(tmp_path) -> None:
    async with Emulator(seed="contoso") as emulator, ClientSession() as session, Slow() as teams:
        world = Outside(emulator, session, Sink(), "", tmp_path)
        server = world.server(SLACK_SIGNING_SECRET="", SLACK_BOT_TOKEN="")
        teams.bot_url = f"{server.url}/api/messages"

        async def rows(query: str) -> list[dict]:
            async with session.get(f"{emulator.url}/api/data/v9.2/{query}") as answer:
                return (await answer.json())["value"]

        try:
            await server.start()
            await server.ready(session)
            asked = await teams.message("lead create Jane Killed topic=Pumps company=Before")
            card = await teams.until(lambda: (m := teams.last()) and "Killed" in teams.text(m) and m)
            assert (await teams.press(card, "Edit")).error == ""
            await teams.message("The killed conveyor stands still", user="ben", conversation="channel", mention=False)
            message = teams.last("channel", "ben", bot=False)
            assert (await teams.compose_fetch_task(message, user="ben")).error == ""
            found = await teams.typeahead("case create/customer", "Contoso", user="ben")
            customer = found.json["value"]["results"][0]["value"]

            teams.busy = True
            saved, made = await asyncio.gather(
                teams.submit_dialog({"Company Name": "Afterwards"}, "Save"),
                teams.submit_dialog({"Customer": customer}, "Create", user="ben"),
            )
            assert (saved.error, made.error) == ("", "")
            (case,) = await rows("incidents?$filter=contains(title,'killed conveyor')")
            assert case["ticketnumber"] in teams.text(teams.dialog("ben"), "ben")
            assert teams.waiting >= 2
            await server.end()
            teams.busy = False
            await server.start()

            def told(conversation: str, user: str, words: str) -> bool:
                message = teams.last(conversation, user)
                return bool(message) and words in teams.text(message, user)

            await teams.until(lambda: told("personal", "anna", "Afterwards"))
            await teams.until(lambda: told("channel", "chiara", case["ticketnumber"]))
            # What the former process has answered is not answered again when Teams brings it once more.
            seen = len(teams.messages("personal"))
            assert (await teams.redeliver(asked.delivery)).status == 200
            assert len(teams.messages("personal")) == seen
            assert [r["companyname"] for r in await rows("leads?$filter=lastname eq 'Killed'")] == ["Afterwards"]
            assert len(await rows("incidents?$filter=contains(title,'killed conveyor')")) == 1
        finally:
            await server.end()
