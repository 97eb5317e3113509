"""Copies of signed requests: one of many is taken on, whatever comes first, and what is remembered has a limit."""

import asyncio

from bots.slack.copies import Copies


def signature(number: int) -> str:
    return f"v0={number:032x}" + "0" * 32


async def test_a_copy_waits_for_the_end_of_the_first() -> None:
    copies = Copies(600)
    assert await copies.taken(signature(1)) is None
    waiting = [asyncio.create_task(copies.taken(signature(1))) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    copies.ended(signature(1), taken=True)
    assert await asyncio.gather(*waiting) == [True] * 3
    assert await copies.taken(signature(1)) is True
    assert await copies.taken(signature(2)) is None


async def test_what_was_not_taken_on_may_come_again() -> None:
    copies = Copies(600)
    assert await copies.taken(signature(1)) is None
    waiting = asyncio.create_task(copies.taken(signature(1)))
    await asyncio.sleep(0)
    copies.ended(signature(1), taken=False)
    assert await waiting is False
    assert await copies.taken(signature(1)) is None


async def test_a_copy_that_is_given_up_keeps_the_first_as_it_is() -> None:
    copies = Copies(600)
    assert await copies.taken(signature(1)) is None
    waiting = asyncio.create_task(copies.taken(signature(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    copies.ended(signature(1), taken=True)
    assert await copies.taken(signature(1)) is True


async def test_the_newest_are_remembered_when_there_are_too_many() -> None:
    copies = Copies(600, most=100)
    for number in range(1000):
        assert await copies.taken(signature(number)) is None
        copies.ended(signature(number), taken=True)
    assert [await copies.taken(signature(number)) for number in range(900, 1000)] == [True] * 100
    assert await copies.taken(signature(1)) is None
