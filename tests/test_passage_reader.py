"""A context that reads passages beside the one that reads questions and writes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from reading_room import (
    SLICE,
    Open,
    Room,
    assert_greedy,
    assert_plain_scores,
    end_of,
    of_slices,
    prompt,
    scores_of,
    text_of,
)
from watched_context import PlainReader, WatchedContext

from qa.errors import PromptTooLong


@pytest.fixture
def two(any_opened: Open) -> tuple[Room, WatchedContext]:
    """A room with both, and the one that reads."""
    room = any_opened(reading=True)
    assert room.reading
    return room, room.reading


def test_one_reads_passages_and_the_other_questions(two: tuple[Room, WatchedContext], plain: PlainReader) -> None:
    room, reading = two
    prefix = "System. "
    for letter, slices, question in [("a", 3, "Why?"), ("b", 5, "What is it?"), ("b", 2, "Where?"), ("a", 3, "And?")]:
        asked = prompt(prefix, of_slices(slices, letter), question)
        read = room.loop.work().tokens_read
        assert_plain_scores(plain, asked, scores_of(room.ask(asked)))
        assert room.is_empty()
        # The passage that was read last, and none of the question; the other has nothing but the prefix by now.
        stored = room.loop.work().tokens_read - read == len(question)
        assert stored == (question == "And?")
        if not stored:
            assert reading.positions(0) == (0, len(prefix) + slices * SLICE)
        assert reading.positions(1) == (-1, 0)
        assert_greedy(plain, asked, text_of(room.ask(asked, 12)), 12)


def test_what_the_other_has_is_not_read_again(any_opened: Open, plain: PlainReader) -> None:
    """A prefix that was stored, and a passage of which the first part was read before another one's turn came."""
    first = any_opened(reading=True)
    prompts = [replace(prompt("x" * 40, of_slices(6, letter)), prefix_key="ab" * 32) for letter in "abc"]
    requests = first.together(lambda: [first.ask(asked, client=f"{asked}") for asked in prompts])
    for asked, request in zip(prompts, requests, strict=True):
        assert_plain_scores(plain, asked, scores_of(request))
    assert first.context.tokens() == 40 + 3 * (6 * SLICE + len("What is it?"))
    later = any_opened(reading=True, states=first.states)
    asked = replace(prompt("x" * 40, of_slices(4, "d")), prefix_key="ab" * 32)
    assert_plain_scores(plain, asked, scores_of(later.ask(asked)))
    assert later.context.tokens() == 4 * SLICE + len("What is it?")


def test_both_start_over_after_an_error(two: tuple[Room, WatchedContext], plain: PlainReader) -> None:
    """A prefix that was stored goes on from there, not from what the other one held of it."""
    room, reading = two
    first, asked = (replace(prompt("x" * 40, of_slices(6, letter)), prefix_key="ab" * 32) for letter in "ab")
    assert_plain_scores(plain, first, scores_of(room.ask(first)))

    def break_off() -> None:
        reading.forget_all()
        raise RuntimeError("broken")

    room.do_at(2, break_off)
    assert isinstance(end_of(room.ask(asked)), RuntimeError)
    assert_plain_scores(plain, asked, scores_of(room.ask(asked)))


def test_what_there_is_no_room_for_is_an_error(any_opened: Open, plain: PlainReader) -> None:
    room = any_opened(reading=True, cells=300, promised=4000)
    assert isinstance(end_of(room.ask(prompt("System. ", of_slices(40)))), PromptTooLong)
    asked = prompt("System. ", of_slices(6))
    assert_plain_scores(plain, asked, scores_of(room.ask(asked)))
