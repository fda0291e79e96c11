"""Whoever asks what and how often, nobody waits for much longer than the others: measured in decodings."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from itertools import pairwise

import pytest
from reading_room import (
    SLICE,
    Room,
    assert_greedy,
    assert_plain_scores,
    first_word_at,
    long_winded,
    of_slices,
    outcomes,
    prompt,
    scores_of,
    text_of,
)
from watched_context import PlainReader

from qa.decoding.decode_loop import (
    ALL_COME,
    NEXT_COMES,
    RUNNING,
)
from qa.decoding.fair_turns import LEFT_OVER_ROWS, QUESTION_ROWS, QUESTIONS_A_STEP, TOKENS_A_SECOND
from qa.decoding.request import SLICE_TOKENS, Request


@pytest.mark.parametrize("readers", [2, 8, RUNNING])
def test_who_come_together_get_their_first_words_together(room: Room, readers: int) -> None:
    prompts = [prompt("System. ", of_slices(5, letter)) for letter in "abcdefghijkl"[:readers]]
    requests = room.together(lambda: [room.ask(asked, 5, client=f"{asked}") for asked in prompts])
    for request in requests:
        outcomes(request)
    firsts = [first_word_at(request) for request in requests]
    assert max(firsts) <= 2 * min(firsts)


@pytest.mark.parametrize("clients", ["one", "many"])
def test_questions_about_stored_passages_are_answered_together_too(
    room: Room, plain: PlainReader, clients: str
) -> None:
    prompts = [prompt("System. ", of_slices(2, letter), letter * SLICE) for letter in "abcdefgh"]
    for asked in prompts:
        scores_of(room.ask(asked))
    requests = room.together(
        lambda: [room.ask(asked, 5, client="" if clients == "one" else f"{asked}") for asked in prompts]
    )
    for asked, request in zip(prompts, requests, strict=True):
        assert_greedy(plain, asked, text_of(request), 5)
    firsts = [first_word_at(request) for request in requests]
    assert max(firsts) <= 1.5 * min(firsts)  # one after the other: 8 times


def test_short_questions_and_long_ones_that_come_together_are_answered_together(room: Room, plain: PlainReader) -> None:
    """Token by token in turn, "Why?" would be read to its end in the first of three steps."""
    lengths = [9, 28, 28, 28, 28, 28, 28]
    prompts = [
        prompt("System. ", of_slices(2, letter), (letter * 99)[:length])
        for letter, length in zip("abcdefg", lengths, strict=True)
    ]
    for asked in prompts:
        scores_of(room.ask(asked))
    requests = room.together(lambda: [room.ask(asked, 5, client=f"{asked}") for asked in prompts])
    for asked, request in zip(prompts, requests, strict=True):
        assert_greedy(plain, asked, text_of(request), 5)
    firsts = [first_word_at(request) for request in requests]
    assert max(firsts) <= 2 * min(firsts)


def test_the_first_of_those_who_come_within_a_moment_is_not_read_before_the_others(room: Room) -> None:
    prompts = [prompt("System. ", letter * SLICE, letter * SLICE) for letter in "abcd"]
    for asked in prompts:
        scores_of(room.ask(asked))
    room.context.decoded.clear()
    requests = []
    for asked in prompts:
        requests.append(room.ask(asked, 5))
        time.sleep(NEXT_COMES / 10)
    for request in requests:
        outcomes(request)
    firsts = [first_word_at(request) for request in requests]
    assert max(firsts) <= 1.5 * min(firsts)


def test_an_endless_stream_of_newcomers_does_not_keep_the_first_from_being_read(room: Room) -> None:
    ended = threading.Event()

    def come() -> None:
        while not ended.wait(NEXT_COMES / 4):
            room.loop.wake()
            room.ask(prompt("System. ", question=f"Now {time.monotonic()}?"))

    first = room.ask(prompt("System. ", question="Now?"))
    others = threading.Thread(target=come)
    others.start()
    began = time.monotonic()
    scores_of(first)
    waited = time.monotonic() - began
    ended.set()
    others.join()
    assert waited < 5 * ALL_COME


def test_one_question_does_not_wait_for_the_many_of_another_client(room: Room) -> None:
    many = [prompt("System. ", of_slices(10, letter)) for letter in "abcdefghijkl"]
    one = prompt("System. ", of_slices(10, "z"))
    requests = room.together(
        lambda: [*(room.ask(asked, client="many") for asked in many[:-1]), room.ask(one, client="one")]
    )
    for request in requests:
        scores_of(request)
    # Every second slice is its own.
    assert first_word_at(requests[-1]) <= 2 * len(one.slices) + 1
    assert min(first_word_at(request) for request in requests[:-1]) >= first_word_at(requests[-1])


def test_one_question_read_in_a_batch_has_no_smaller_share_of_it_than_the_many_of_another_client(room: Room) -> None:
    many = [prompt("System. ", "", of_slices(6, letter)) for letter in "abcdefghijk"]
    one = prompt("System. ", "", of_slices(6, "z"))
    requests = room.together(lambda: [*(room.ask(asked, client="many") for asked in many), room.ask(one, client="one")])
    for request in requests:
        scores_of(request)
    # Every second token is its own, where each question by itself would have one in twelve.
    assert first_word_at(requests[-1]) <= 3 * len(one.slices)


@pytest.mark.parametrize("in_flight", [1, 2, 6])
@pytest.mark.parametrize("clients", ["one", "ever new ones"])
def test_a_long_prompt_is_read_beside_an_endless_stream_of_short_ones(room: Room, in_flight: int, clients: str) -> None:
    stream: list[Request] = []
    numbers = iter(range(10_000))

    def keep_asking() -> None:
        stream[:] = [request for request in stream if request.outbox.empty()]
        while len(stream) < in_flight and len(room.context.decoded) < 400:
            number = next(numbers)
            asked = prompt("System. ", f"{number:04d}" * 32)
            stream.append(room.ask(asked, client="many" if clients == "one" else f"{number}"))

    room.context.before = keep_asking
    long = prompt("System. ", of_slices(20))
    request = room.together(lambda: [room.ask(long, client="long")])[0]
    scores_of(request)
    # Clients get equal numbers of tokens; the slices of the short ones are not full.
    share = 2.5 if clients == "one" else in_flight + 2
    assert first_word_at(request) <= share * len(long.slices)
    room.context.before = lambda: None


@pytest.mark.parametrize("in_flight", [1, 2, 6])
def test_nor_does_it_wait_for_ever_where_the_short_ones_are_its_own_client_s(room: Room, in_flight: int) -> None:
    """As behind a proxy, where all readers have one address. A short one comes every second."""
    stream: list[Request] = []
    numbers = iter(range(10_000))

    def keep_asking() -> None:
        stream[:] = [request for request in stream if request.outbox.empty()]
        while len(stream) < in_flight and len(room.context.decoded) < 600:
            number = next(numbers)
            stream.append(room.ask(prompt("System. ", f"{number:04d}" * 32), since=float(number)))

    room.context.before = keep_asking
    long = prompt("System. ", of_slices(20))
    request = room.together(lambda: [room.ask(long)])[0]
    scores_of(request)
    room.context.before = lambda: None
    # So many short ones have fewer tokens, for what it has waited, than the long one; all are read before its end.
    before = long.tokens / TOKENS_A_SECOND + in_flight
    assert first_word_at(request) <= len(long.slices) + 9 * before


def test_a_place_goes_to_the_client_that_has_none(room: Room) -> None:
    many = [prompt("", "", f"Question {number} of many?") for number in range(RUNNING + 10)]
    requests = room.together(
        lambda: [*(room.ask(asked, 30, client="many") for asked in many), room.ask(prompt(), 30, client="one")]
    )
    for request in requests:
        outcomes(request)
    firsts = [first_word_at(request) for request in requests]
    assert sum(first < firsts[-1] for first in firsts[:-1]) <= RUNNING


def test_a_short_question_does_not_wait_for_a_long_article(room: Room) -> None:
    long, short = prompt("System. ", of_slices(30)), prompt("System. ", of_slices(2, "s"))
    newcomer: list[Request] = []
    arrived: list[int] = []

    def ask() -> None:
        arrived.append(len(room.context.decoded))
        newcomer.append(room.ask(short, client="newcomer"))

    room.do_at(10, ask)
    first = room.ask(long, client="first")
    scores_of(first)
    scores_of(newcomer[0])
    assert first_word_at(newcomer[0]) - arrived[0] <= 2 * len(short.slices)
    assert first_word_at(first) > first_word_at(newcomer[0])


def test_who_write_get_a_word_with_every_slice_that_is_read(room: Room, plain: PlainReader) -> None:
    writers = [long_winded(plain, 40)] * 2
    reader = prompt("System. ", of_slices(20))
    arrived: list[Request] = []
    room.do_at(8, lambda: arrived.append(room.ask(reader, client="reader")))
    requests = room.together(lambda: [room.ask(asked, 40, client=f"{n}") for n, asked in enumerate(writers)])
    for request in requests:
        assert_greedy(plain, writers[0], text_of(request), 40)
    scores_of(arrived[0])
    written = [len({row.sequence for row in rows if row.logits}) for rows in room.context.decoded]
    both = written[written.index(2) : len(written) - written[::-1].index(2)]
    assert sum(count < 2 for count in both) == 20  # slices of the third's passage; its question is read beside them
    assert not any(one < 2 and other < 2 for one, other in pairwise(both))


def test_a_question_is_read_in_the_batches_that_replies_are_written_in(room: Room, plain: PlainReader) -> None:
    writing, asked = long_winded(plain, 40), prompt("System. ", "", "A question of more tokens than a step reads?")
    arrived: list[Request] = []
    room.do_at(8, lambda: arrived.append(room.ask(asked, client="reader")))
    assert_greedy(plain, writing, text_of(room.ask(writing, 40, client="writer")), 40)
    assert_plain_scores(plain, asked, scores_of(arrived[0]))
    batches = [rows for rows in room.context.decoded if len({row.sequence for row in rows}) == 2]
    rest = asked.tokens - len("System. ")
    # At most a multiple and the few tokens that would else take a step of their own.
    assert len(batches) > 1
    assert all(QUESTION_ROWS <= len(rows) <= QUESTION_ROWS + LEFT_OVER_ROWS for rows in batches[:-1])
    assert sum(not row.logits for rows in batches for row in rows) == rest - 1


@pytest.mark.parametrize("questions", [2, 3, 8])
def test_the_more_questions_are_read_the_longer_are_the_steps(room: Room, plain: PlainReader, questions: int) -> None:
    prompts = [prompt("System. ", "", of_slices(4, letter)) for letter in "abcdefgh"[:questions]]
    scores_of(room.ask(prompt("System. ")))  # what they have in common is read
    requests = room.together(lambda: [room.ask(asked, client=f"{asked}") for asked in prompts])
    for asked, request in zip(prompts, requests, strict=True):
        assert_plain_scores(plain, asked, scores_of(request))
    lengths = [len(rows) for rows in room.context.decoded if len({row.sequence for row in rows}) > 1]
    full = min(questions, QUESTIONS_A_STEP) * QUESTION_ROWS
    assert lengths[0] == full
    assert max(lengths) <= full + LEFT_OVER_ROWS


def test_a_question_that_is_alone_is_read_at_once(room: Room, plain: PlainReader) -> None:
    """So two or three tokens behind the first sixteen do not cost a step of their own."""
    for length in (QUESTION_ROWS + 2, 3 * QUESTION_ROWS + 1, SLICE_TOKENS):
        asked = replace(
            prompt("System. ", "Passage."), slices=(*prompt("System. ", "Passage.", "").slices, (81,) * length)
        )
        assert_plain_scores(plain, asked, scores_of(room.ask(asked)))
        assert len(room.context.decoded[-1]) == length
