"""Who sent the bot away: heard from signed activities, known to every process and after a restart."""

import pytest
import sqlalchemy as sa

from bots.teams.face import TeamsFace
from bots.teams.times import Times
from commands.request import DeliveryFailed, Place, Principal, Reply
from commands.state import TABLES

from .samples import RECORD

REPLY = Reply(card=RECORD)
ROWS = TABLES.tables["teams_conversations"]


async def asked(teams, script, conversation: str = "personal") -> tuple[Place, Principal]:
    await teams.message("hello", conversation=conversation)
    return script.asked[-1].place, script.asked[-1].principal


async def is_silent(face: TeamsFace, teams, where: Place, who: Principal) -> bool:
    """Nothing is sent, and nothing is tried."""
    calls = len(teams.calls)
    with pytest.raises(DeliveryFailed) as caught:
        await face.deliver(where, who, REPLY)
    assert not caught.value.again
    return len(teams.calls) == calls


async def test_removed_is_removed_for_every_process_and_after_a_restart(process, teams, script):
    async with process() as other:
        async with process() as face:
            where, who = await asked(teams, script)
            await teams.uninstall("personal")
            assert await is_silent(face, teams, where, who)
        assert await is_silent(other, teams, where, who)
    async with process() as restarted:
        assert await is_silent(restarted, teams, where, who)
        await teams.install("personal")
        assert await restarted.deliver(where, who, REPLY)
    async with process() as restarted:
        assert await restarted.deliver(where, who, REPLY)


async def test_blocked_is_remembered_until_the_person_writes_again(process, teams, script):
    async with process() as face:
        where, who = await asked(teams, script)
        chat = teams.world.conversation("personal", "anna")
        chat.refuses = "ConversationBlockedByUser"
        assert not await is_silent(face, teams, where, who)
    async with process() as restarted:
        assert await is_silent(restarted, teams, where, who)
        chat.refuses = ""
        await teams.message("hello")
        assert await restarted.deliver(where, who, REPLY)


async def test_what_another_process_heard_is_known_at_the_next_look(process, teams, script):
    async with process(times=Times(reread=0)) as face:
        where, who = await asked(teams, script)
        here = teams.bot_url
        async with process():
            await teams.uninstall("personal")
        teams.bot_url = here
        teams.world.conversation("personal", "anna").bot = True  # unblocked, which Teams does not tell
        assert await is_silent(face, teams, where, who)
        await teams.message("hello")
        assert await face.deliver(where, who, REPLY)


async def test_a_channel_that_removed_the_bot_leads_to_the_own_chat_which_is_opened_once(process, teams, script):
    teams.world.personal(teams.world.person("anna"))
    async with process() as face:
        where, who = await asked(teams, script, "channel")
        await teams.uninstall("channel")
        assert await face.deliver(where, who, REPLY)
    async with process() as restarted:
        assert await restarted.deliver(where, who, REPLY)
        assert [c.route for c in teams.calls].count("POST conversations") == 1
        await teams.uninstall("personal")
        assert await is_silent(restarted, teams, where, who)


async def test_words_cost_no_write_and_no_call_but_the_answer(process, teams, script):
    async with process() as face:
        await asked(teams, script)
        written: list[str] = []
        engine = face._conversations._state.engine.sync_engine
        sa.event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: written.append(statement))
        calls = len(teams.calls)
        for _ in range(3):
            await teams.message("help")
        assert written == []
        assert [c.route for c in teams.calls[calls:]] == ["POST activities"] * 3


async def test_answers_go_out_while_the_database_is_away(process, teams, script, caplog):
    async with process() as face:
        async with face._conversations._state.engine.begin() as db:
            await db.run_sync(ROWS.drop)
        where, who = await asked(teams, script)
        assert await face.deliver(where, who, REPLY)
        await teams.uninstall("personal")
        await teams.install("personal")
    assert "cannot be read" in caplog.text
