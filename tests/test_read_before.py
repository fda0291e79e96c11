"""Prefixes are read once and kept in the context, passages once and stored; what is stored is believed if it fits."""

from __future__ import annotations

import random

import pytest
from reading_room import (
    SLICE,
    Open,
    Room,
    assert_greedy,
    assert_plain_scores,
    of_slices,
    positions_of,
    prompt,
    scores_of,
    text_of,
)
from watched_context import PlainReader

from qa.decoding.read_before import PREFIXES
from qa.prefill_cache import PrefillCache


def test_a_prefix_is_read_once_for_all(room: Room, plain: PlainReader) -> None:
    prefix = "The rules of the house. " * 8
    prompts = [prompt(prefix, of_slices(1, letter), "Which?") for letter in "abcde"]
    for asked, request in zip(prompts, room.together(lambda: [room.ask(one) for one in prompts]), strict=True):
        assert_plain_scores(plain, asked, scores_of(request))
    assert room.context.tokens() == len(prefix) + 5 * (SLICE + len("Which?"))
    room.context.decoded.clear()
    asked = prompt(prefix, "", "And now?")
    assert_plain_scores(plain, asked, scores_of(room.ask(asked)))
    assert room.context.tokens() == len("And now?")


def test_more_prefixes_than_are_kept_are_read_and_the_last_ones_kept(room: Room, plain: PlainReader) -> None:
    prompts = [prompt(str(number) * 100, "", "Which?") for number in range(PREFIXES + 2)]
    for _ in range(2):
        requests = room.together(lambda: [room.ask(asked, client=f"{asked}") for asked in prompts])
        for asked, request in zip(prompts, requests, strict=True):
            assert_plain_scores(plain, asked, scores_of(request))
        assert room.context.tokens() <= sum(asked.tokens for asked in prompts)
    for asked in prompts:
        scores_of(room.ask(asked))
    room.context.decoded.clear()
    for asked in reversed(prompts):
        assert_plain_scores(plain, asked, scores_of(room.ask(asked)))
    assert room.context.tokens() == sum(asked.tokens for asked in prompts) - PREFIXES * 100


def test_long_prefixes_leave_the_cells_to_requests(opened: Open, plain: PlainReader) -> None:
    room = opened(cells=1024)
    for number in range(PREFIXES + 1):
        asked = prompt(str(number) * 1000, "", "Which?")
        assert_plain_scores(plain, asked, scores_of(room.ask(asked)))
        # Read again each time, and the state behind it is of use all the same.
        with_passage = prompt("p" * 700, "A passage. ", "Which?")
        assert_plain_scores(plain, with_passage, scores_of(room.ask(with_passage)))
    assert room.context.tokens() == 4 * (1006 + 706) + len("A passage. ")
    assert room.is_empty()
    assert room.context.in_use() == []


def test_prompts_without_a_prefix_or_without_a_passage(room: Room, plain: PlainReader) -> None:
    for asked in (prompt("", "", "Only a question?"), prompt("", "Only a passage. ", "And a question?")):
        for _ in range(2):
            assert_plain_scores(plain, asked, scores_of(room.ask(asked)))
    assert room.is_empty()
    assert room.context.in_use() == []


def test_a_passage_that_was_read_is_stored_and_not_read_again(room: Room, plain: PlainReader) -> None:
    prompts = [prompt("System. ", of_slices(3), question) for question in ("The first?", "The second?")]
    scores_of(room.ask(prompts[0]))
    assert prompts[0].key in room.states
    room.context.decoded.clear()
    assert_plain_scores(plain, prompts[1], scores_of(room.ask(prompts[1])))
    assert room.context.tokens() == len("The second?")


def test_a_state_serves_another_loop(opened: Open, plain: PlainReader) -> None:
    states = PrefillCache(None, "00")
    asked = prompt("System. ", of_slices(3))
    scores = [scores_of(opened(states=states).ask(asked)) for _ in range(2)]
    assert scores[0] == scores[1]
    room = opened(states=states)
    assert_greedy(plain, asked, text_of(room.ask(asked, 20)), 20)
    # The prefix is read anew, the passage is not.
    assert [len(rows) for rows in room.context.decoded[:2]] == [len("System. "), len("What is it?")]


@pytest.mark.parametrize("decoding", range(1, 9))
def test_what_is_stored_is_the_passage_and_no_word_of_a_question(room: Room, decoding: int) -> None:
    """Also where the state went, for its passage was deleted, while a question about it was read."""
    asked = prompt("System. ", of_slices(3), "Whose secret question is this, and how long may it be?")
    other = prompt("System. ", of_slices(3), "Another one.")
    room.do_at(decoding, lambda: room.states.keep_only(()))
    for request in room.together(lambda: [room.ask(asked, client="a"), room.ask(other, client="b")]):
        scores_of(request)
    assert room.is_empty()
    assert asked.key
    if state := room.states.get(asked.key):
        assert positions_of(room, state) == (asked.length(asked.prefix), asked.length(asked.kept))


@pytest.mark.parametrize("damage", ["longer", "shorter", "later", "cut", "empty", "noise"])
def test_a_state_that_does_not_fit_is_not_believed(opened: Open, plain: PlainReader, damage: str) -> None:
    room = opened()
    asked = prompt("System. ", of_slices(3))
    others = {
        "longer": prompt("System. ", of_slices(3) + "more"),
        "shorter": prompt("System. ", of_slices(2)),
        "later": prompt("System!! ", of_slices(3)),
    }
    scores_of(room.ask(asked))
    for other in others.values():
        scores_of(room.ask(other))
    assert asked.key is not None
    right = room.states.get(asked.key)
    assert right is not None
    wrong = {"cut": right[: len(right) // 2], "empty": b"", "noise": random.Random(1).randbytes(len(right))}
    wrong |= {name: room.states.get(other.key or "") or b"" for name, other in others.items()}
    fresh = opened(states=PrefillCache(None, "00"))
    fresh.states.put(asked.key, wrong[damage])
    assert_plain_scores(plain, asked, scores_of(fresh.ask(asked)))
    assert fresh.context.tokens() == asked.tokens
    assert fresh.is_empty()


def test_where_nothing_is_kept_all_is_read(opened: Open, plain: PlainReader) -> None:
    room = opened(states=PrefillCache(None, "00", memory_bytes=0))
    asked = prompt("System. ", of_slices(3))
    for _ in range(3):
        assert_plain_scores(plain, asked, scores_of(room.ask(asked)))
    assert room.context.tokens() == 3 * asked.tokens - 2 * len("System. ")
