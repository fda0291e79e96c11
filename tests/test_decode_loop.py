"""Many readers at one model: whatever they share and whenever they come or go, each gets what a plain reader would.

All of it is measured in decodings, not in seconds: what a test does in `context.before` happens at the same place in
every run.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from unittest.mock import patch

import pytest
from reading_room import (
    SLICE,
    WRITABLE,
    Open,
    Outbox,
    Room,
    assert_greedy,
    assert_plain_scores,
    end_of,
    first_word_at,
    long_winded,
    of_slices,
    outcomes,
    plain_text,
    positions_of,
    prompt,
    scores_of,
    text_of,
    tokens_of,
)
from tiny_gguf import TURN_END
from watched_context import WAIT, PlainReader

from qa.decoding import decode_loop
from qa.decoding.decode_loop import (
    RUNNING,
    WRITTEN_ROWS,
    Work,
)
from qa.decoding.llama_context import Row
from qa.decoding.lookahead import Lookahead
from qa.decoding.read_before import PREFIX_TOKENS, PREFIXES
from qa.decoding.request import Impression, Prompt, Request
from qa.errors import Busy, PromptTooLong
from qa.prefill_cache import PrefillCache

# -- reading and sharing -----------------------------------------------------------------------------------------------


def test_alone_it_is_a_plain_reader(room: Room, plain: PlainReader) -> None:
    for number in range(5):
        asked = prompt("System. ", of_slices(number), f"Question {number}?")
        assert_plain_scores(plain, asked, scores_of(room.ask(asked)))
        assert_greedy(plain, asked, text_of(room.ask(asked, 20)), 20)


def test_it_tells_what_it_has_done_and_has_to_do(room: Room, plain: PlainReader) -> None:
    asked = prompt("System. ", of_slices(2), "Question?")
    assert room.loop.work() == Work(0, 0, 0, 0)
    text_of(room.ask(asked, 20))
    assert room.is_empty()
    written = [token for token in plain.write(tokens_of(asked), 20) if token != TURN_END]
    assert room.loop.work() == Work(asked.tokens, len(written), 0, 0)
    requests: list[Request] = []
    with room.context.held(lambda: requests.append(room.ask(asked))):
        requests.append(room.ask(asked))
        work = room.loop.work()
    assert (work.running, work.waiting) == (1, 1)
    for request in requests:
        scores_of(request)


def test_an_empty_reply_is_an_end(room: Room) -> None:
    asked = prompt()
    request = Request(asked, 0, ())
    room.loop.submit(request)
    assert outcomes(request) == [None]
    assert room.context.tokens() == asked.tokens


@pytest.mark.parametrize("readers", [2, 5])
def test_who_ask_about_the_same_at_once_have_it_read_once(room: Room, plain: PlainReader, readers: int) -> None:
    passage = of_slices(6)
    prompts = [prompt("System. ", passage, f"Question {number}?") for number in range(readers)]
    requests = room.together(lambda: [room.ask(asked, client=f"{asked}") for asked in prompts])
    for asked, request in zip(prompts, requests, strict=True):
        assert_plain_scores(plain, asked, scores_of(request))
    questions = sum(len(f"Question {number}?") for number in range(readers))
    assert room.context.tokens() == len("System. ") + len(passage) + questions


def test_of_the_same_question_at_once_the_passage_is_read_once(room: Room, plain: PlainReader) -> None:
    asked = prompt("System. ", of_slices(2), "q" * (SLICE + 5))
    requests = room.together(lambda: [room.ask(asked, 8, client=f"{number}") for number in range(3)])
    for request in requests:
        assert_greedy(plain, asked, text_of(request), 8)
    # And of the question, whatever another has read when it is somebody's turn.
    read_again = room.context.slice_tokens() - asked.tokens
    assert 2 * len(asked.slices[-1]) <= read_again <= 2 * (asked.tokens - asked.length(asked.kept))


def test_a_question_that_is_being_answered_is_read_again_only_in_its_last_slice(room: Room, plain: PlainReader) -> None:
    asked = long_winded(plain, 30)
    again: list[Request] = []
    room.do_at(len(asked.slices) + 3, lambda: again.append(room.ask(asked)))
    assert_greedy(plain, asked, text_of(room.ask(asked, 30)), 30)
    assert_plain_scores(plain, asked, scores_of(again[0]))
    assert room.context.slice_tokens() == asked.tokens + len(asked.slices[-1])


def test_one_who_comes_later_goes_on_from_where_the_other_is(room: Room, plain: PlainReader) -> None:
    passage = of_slices(8)
    prompts = [prompt("System. ", passage, question) for question in ("The first?", "The second?")]
    later: list[Request] = []
    room.do_at(5, lambda: later.append(room.ask(prompts[1], client="later")))
    first = room.ask(prompts[0], client="first")
    assert_plain_scores(plain, prompts[0], scores_of(first))
    assert_plain_scores(plain, prompts[1], scores_of(later[0]))
    assert room.context.tokens() == prompts[0].tokens + len("The second?")


def test_a_passage_is_shared_with_one_who_writes(opened: Open, plain: PlainReader) -> None:
    room = opened(states=PrefillCache(None, "00", memory_bytes=0))
    prompts = [prompt("System. ", of_slices(4), question) for question in ("Write long.", "Is it so?")]
    judged: list[Request] = []
    room.do_at(9, lambda: judged.append(room.ask(prompts[1])))
    writing = room.ask(prompts[0], 40)
    assert_greedy(plain, prompts[0], text_of(writing), 40)
    before = first_word_at(judged[0])
    assert_plain_scores(plain, prompts[1], scores_of(judged[0]))
    assert room.context.slice_tokens(room.context.decoded[:before]) == prompts[0].tokens + len("Is it so?")


# -- writing -----------------------------------------------------------------------------------------------------------

Guess = Callable[[Sequence[int], Sequence[int], int], list[int]]


def oracle(plain: PlainReader, prompts: Sequence[Prompt], spoil: Callable[[list[int]], list[int]]) -> Guess:
    """Guesses what the model will really write, past the end of its turn too, and lets `spoil` change that."""
    source_of = {tuple(tokens_of(Prompt(asked.slices[asked.prefix :], 0, 0))): asked for asked in prompts}
    futures = {source: plain.write(tokens_of(asked), 80) for source, asked in source_of.items()}

    def guess(source: Sequence[int], written: Sequence[int], most: int) -> list[int]:
        future = futures[tuple(source)]
        if future[: len(written)] != list(written):
            return []  # two tokens were as likely as each other
        return spoil([*future[len(written) :], 65, 66, 67])[: max(most, 0)]

    return guess


def wrong(token: int) -> int:
    return 65 if token != 65 else 66


SPOILS: dict[str, Callable[[list[int]], list[int]]] = {
    "right": lambda tokens: tokens,
    "wrong": lambda tokens: [wrong(token) for token in tokens],
    "wrong from the third on": lambda tokens: [*tokens[:2], *(wrong(token) for token in tokens[2:])],
    "sometimes wrong": lambda tokens: [wrong(token) if token % 5 == 0 else token for token in tokens],
    "one": lambda tokens: tokens[:1],
    "none": lambda tokens: [],
}


@pytest.mark.parametrize("spoil", SPOILS)
@pytest.mark.parametrize("writers", [1, 3, RUNNING])
def test_guesses_change_no_word(
    room: Room, plain: PlainReader, monkeypatch: pytest.MonkeyPatch, spoil: str, writers: int
) -> None:
    prompts = [prompt("System. ", f"About {number}. ", f"Question {number}?") for number in range(writers * 2)]
    monkeypatch.setattr(decode_loop, "guess", oracle(plain, prompts, SPOILS[spoil]))
    limits = [(7 * number) % 41 + 1 for number in range(len(prompts))]
    requests = [room.ask(asked, limit, client=f"{asked}") for asked, limit in zip(prompts, limits, strict=True)]
    for asked, limit, request in zip(prompts, limits, requests, strict=True):
        assert_greedy(plain, asked, text_of(request), limit)
    written = [len(rows) for rows in room.context.decoded if all(row.logits for row in rows)]
    assert max(written) <= max(WRITTEN_ROWS, writers)
    assert room.is_empty()


def test_right_guesses_save_decodings(room: Room, plain: PlainReader, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = long_winded(plain, 64)
    counts = {}
    for name in ("right", "wrong", "none"):
        monkeypatch.setattr(decode_loop, "guess", oracle(plain, [asked], SPOILS[name]))
        room.context.decoded.clear()
        assert len(text_of(room.ask(asked, 64))) == 64
        counts[name] = [len(rows) for rows in room.context.decoded if all(row.logits for row in rows)]
    assert counts["none"] == [1] * 63
    # A wrong guess costs rows, never words.
    assert len(counts["wrong"]) == 63
    assert max(counts["wrong"]) == WRITTEN_ROWS
    assert counts["right"] == [WRITTEN_ROWS] * 3 + [63 - 3 * WRITTEN_ROWS]  # the last one has what is left to write


def ending(plain: PlainReader, least: int, most: int) -> Prompt:
    """A prompt whose reply ends by itself after so many tokens."""
    prompts = (prompt("System. ", "", f"Tell me of {number}.") for number in range(300))
    return next(
        asked
        for asked in prompts
        if TURN_END in (written := plain.write(tokens_of(asked), most + 1)) and len(written) > least
    )


@pytest.mark.parametrize("limit", range(1, 13))
def test_a_run_of_right_guesses_stops_at_the_limit(
    room: Room, plain: PlainReader, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    asked = long_winded(plain, 20)
    monkeypatch.setattr(decode_loop, "guess", oracle(plain, [asked], SPOILS["right"]))
    assert_greedy(plain, asked, text_of(room.ask(asked, limit)), limit)
    # No cell is used that was not asked for.
    assert max(row.position for rows in room.context.decoded for row in rows) < asked.tokens + limit


def test_the_turn_ends_in_the_middle_of_right_guesses(
    room: Room, plain: PlainReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ending(plain, 8, 15)
    expected = plain_text(plain, asked, 60)
    monkeypatch.setattr(decode_loop, "guess", oracle(plain, [asked], SPOILS["right"]))
    assert text_of(room.ask(asked, 60)) == expected
    # The guesses went past the end.
    last = [rows for rows in room.context.decoded if all(row.logits for row in rows)][-1]
    assert TURN_END in [row.token for row in last[:-1]]
    assert last[-1].position > asked.tokens + len(expected)


def test_it_measures_what_guessing_costs_and_brings(
    room: Room, plain: PlainReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = long_winded(plain, 40)
    monkeypatch.setattr(decode_loop, "guess", oracle(plain, [asked], SPOILS["wrong from the third on"]))
    with (
        patch.object(Lookahead, "took", autospec=True) as took,
        patch.object(Lookahead, "turned_out", autospec=True) as turned_out,
    ):
        text_of(room.ask(asked, 40))
    # What is read, the question among it, is not measured.
    written = [len(rows) for rows in room.context.decoded if all(row.logits for row in rows)]
    assert [call.args[1] for call in took.call_args_list] == written
    assert all(0 < call.args[2] < WAIT for call in took.call_args_list)
    # With the last one the reply ends; that says nothing of guesses.
    assert [call.args[1:] for call in turned_out.call_args_list] == [(2, rows - 1) for rows in written[:-1]]


def test_its_own_guesses_change_no_word_either(room: Room, plain: PlainReader) -> None:
    """The tiny model writes at random; now and then a guess from what it has read is right."""
    alphabet = "".join(map(chr, WRITABLE))
    prompts = [prompt("System. ", alphabet * 3, f"Question {number}?") for number in range(30)]
    requests = [room.ask(asked, 40) for asked in prompts]
    for asked, request in zip(prompts, requests, strict=True):
        assert_greedy(plain, asked, text_of(request), 40)


# -- those who leave ---------------------------------------------------------------------------------------------------

HOWS = ["cancelled", "left"]


class Leaver:
    """A reader who leaves at a certain decoding, one way or the other."""

    def __init__(self, how: str) -> None:
        self._how = how
        self.gone = threading.Event()
        self.request: Request | None = None

    def cancelled(self) -> bool:
        return self._how == "cancelled" and self.gone.is_set()

    def leave(self) -> None:
        self.gone.set()
        assert self.request
        self.request.left = self._how == "left"


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize(
    ("decoding", "where"),
    [(1, "prefix"), (2, "prefix"), (4, "passage"), (6, "question"), (7, "first word"), (10, "words")],
)
def test_who_leaves_is_served_two_steps_more_at_most(
    room: Room, plain: PlainReader, how: str, decoding: int, where: str
) -> None:
    asked = prompt("x" * 3 * SLICE, of_slices(6), "Question?")
    leaver = Leaver(how)
    room.do_at(decoding, leaver.leave)
    leaver.request = room.ask(asked, 60, cancelled=leaver.cancelled)
    assert end_of(leaver.request) is None
    assert room.is_empty()
    assert len(room.context.decoded) <= decoding + 1
    # What it left half read is of use to the next, and right.
    assert_plain_scores(plain, asked, scores_of(room.ask(asked)))


@pytest.mark.parametrize("how", HOWS)
def test_who_leaves_while_waiting_is_never_served(opened: Open, how: str) -> None:
    room = opened(cells=320)
    leaver = Leaver(how)
    with room.context.held(lambda: room.ask(prompt("", of_slices(15)), 20)):
        room.context.decoded.clear()
        leaver.request = room.ask(prompt("", of_slices(10, "q")), 20, cancelled=leaver.cancelled)
        room.do_at(2, leaver.leave)
    assert end_of(leaver.request) is None
    assert room.is_empty()
    assert not any(row.token == ord("q") for rows in room.context.decoded for row in rows)


def test_others_do_not_notice_that_one_leaves(room: Room, plain: PlainReader) -> None:
    passage = of_slices(5)
    prompts = [prompt("System. ", passage, f"Question {number}?") for number in range(4)]
    for decoding in range(1, 14, 2):
        leaver = Leaver("cancelled")
        room.do_at(decoding, leaver.gone.set)
        asks = [lambda: False, leaver.cancelled, lambda: False, leaver.cancelled]
        requests = [room.ask(one, 12, cancelled=cancelled) for one, cancelled in zip(prompts, asks, strict=True)]
        for number, request in enumerate(requests):
            assert_greedy(plain, prompts[number], text_of(request), 12, cut=number in (1, 3))
        room.states.keep_only(())
    assert room.is_empty()


@pytest.mark.parametrize("while_it", ["waits", "reads", "writes"])
def test_one_who_cannot_be_asked_whether_it_left_is_given_up_alone(
    opened: Open, plain: PlainReader, while_it: str, caplog: pytest.LogCaptureFixture
) -> None:
    room = opened(cells=400)
    failing = threading.Event()

    def cancelled() -> bool:
        if failing.is_set():
            raise ValueError("the socket is closed")
        return False

    if while_it == "waits":
        failing.set()
    room.do_at({"waits": 99, "reads": 2, "writes": 7}[while_it], failing.set)
    other = prompt("", of_slices(5))
    first = room.ask(other, 20)
    second = room.ask(prompt("", of_slices(2, "q")), 60, client="failing", cancelled=cancelled)
    assert end_of(second) is None
    assert_greedy(plain, other, text_of(first), 20)
    assert "the socket is closed" in caplog.text


# -- closing -----------------------------------------------------------------------------------------------------------


def test_closing_ends_everybody(opened: Open, plain: PlainReader) -> None:
    room = opened()
    asked = [prompt("System. ", of_slices(count, "rw"[count % 2])) for count in range(1, RUNNING + 6)]
    requests = [room.ask(one, 100, client=f"{place}") for place, one in enumerate(asked)]
    closing = threading.Thread(target=room.close)
    room.do_at(40, closing.start)
    ends = [outcomes(request) for request in requests]
    closing.join(WAIT)
    assert room.closed
    assert all(got[-1] is None for got in ends)
    assert any(len(got) > 1 for got in ends)  # some were being written
    assert any(len(got) == 1 for got in ends)
    with pytest.raises(RuntimeError, match="closed"):
        room.ask(prompt())
    room.loop.close()


def test_closing_does_not_wait_for_what_is_read_in_the_background(opened: Open) -> None:
    room = opened()
    closing = threading.Thread(target=room.close)

    def close() -> None:
        closing.start()
        while not room.loop._closing:
            time.sleep(0.001)

    room.do_at(3, close)
    request = room.ask(prompt("System. ", of_slices(20)), background=True)
    assert end_of(request) is None
    closing.join(WAIT)
    assert room.context.aborted == 1
    assert len(room.context.decoded) == 2


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoding", [1, 2, 4, 9, 12])
def test_an_error_reaches_all_who_are_served_and_nobody_else(
    opened: Open, plain: PlainReader, decoding: int, caplog: pytest.LogCaptureFixture
) -> None:
    room = opened(cells=500)
    served = [prompt("System. ", of_slices(2), f"Question {number}?") for number in range(3)]
    waiting = prompt("System. ", of_slices(6, "w"))

    def fail() -> None:
        raise OSError("no such luck")

    room.do_at(decoding, fail)
    requests = [room.ask(asked, 100, client="a") for asked in served]
    later = room.ask(waiting, 20, client="a")
    for request in requests:
        error = end_of(request)
        assert isinstance(error, OSError)
        assert "no such luck" in caplog.text
    assert_greedy(plain, waiting, text_of(later), 20)
    room.context.decoded.clear()
    # Not from a prefix, or from another's cells, that went with the rest; what was stored before is of use.
    for asked in served:
        assert_plain_scores(plain, asked, scores_of(room.ask(asked)))


def test_too_few_cells_are_an_error_and_not_an_end(opened: Open, plain: PlainReader) -> None:
    room = opened(cells=256 - PREFIXES * PREFIX_TOKENS, promised=10_000)
    small, large = prompt("System. ", of_slices(1)), prompt("System. ", of_slices(30))
    requests = [room.ask(large), room.ask(small, 200, client="other")]
    ends = [end_of(request) for request in requests]
    assert isinstance(ends[0], PromptTooLong)
    assert ends[1] is None or isinstance(ends[1], PromptTooLong)
    assert_plain_scores(plain, small, scores_of(room.ask(small)))


# -- too many ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("queue", [0, 3])
def test_a_full_queue_is_busy_at_once(opened: Open, plain: PlainReader, queue: int) -> None:
    room = opened(queue=queue)
    requests: list[Request] = []
    with room.context.held(lambda: requests.append(room.ask(prompt(), 5))):
        # Sequences are free: who takes one does not count as waiting.
        requests += [room.ask(prompt(), 5) for _ in range(RUNNING - 1 + queue)]
        began = time.monotonic()
        with pytest.raises(Busy) as caught:
            room.ask(prompt(), 5)
        assert time.monotonic() - began < 0.1
        assert caught.value.retry_after > 0
    for request in requests:
        assert_greedy(plain, prompt(), text_of(request), 5)
    assert_greedy(plain, prompt(), text_of(room.ask(prompt(), 5)), 5)


def test_who_waits_too_long_is_told_so(opened: Open, plain: PlainReader) -> None:
    room = opened(cells=300, longest_wait=0.05)
    long = prompt("", of_slices(15))
    room.context.before = lambda: time.sleep(0.01)
    requests: list[Request] = []
    with room.context.held(lambda: requests.append(room.ask(long, 20))):
        requests += [room.ask(long, 20) for _ in range(2)]
    assert_greedy(plain, long, text_of(requests[0]), 20)
    for request in requests[1:]:
        assert isinstance(end_of(request), Busy)
    room.context.before = lambda: None
    assert_greedy(plain, long, text_of(room.ask(long, 20)), 20)


def test_a_large_request_is_not_passed_by_small_ones_for_ever(opened: Open, plain: PlainReader) -> None:
    room = opened(cells=320)
    large = prompt("", of_slices(16))
    small = [prompt("", of_slices(2, letter)) for letter in "abcdefgh"]
    requests = room.together(
        lambda: [
            *(room.ask(asked, 20, client=f"{asked}") for asked in small[:4]),
            room.ask(large, 20, client="large"),
            *(room.ask(asked, 20, client=f"{asked}") for asked in small[4:]),
        ]
    )
    prompts = [*small[:4], large, *small[4:]]
    for asked, request in zip(prompts, requests, strict=True):
        assert_greedy(plain, asked, text_of(request), 20)
    assert all(first_word_at(request) > first_word_at(requests[4]) for request in requests[5:])


# -- alone -------------------------------------------------------------------------------------------------------------


def lengths_of(decoded: Sequence[Sequence[Row]]) -> list[int]:
    return [len(rows) for rows in decoded]


@pytest.mark.parametrize(
    ("prefix", "passage", "expected"),
    [
        ([16], [16], [16, 16]),
        ([16, 16, 7], [16, 16, 16, 16, 5], [32, 7, 32, 32, 5]),
        ([16, 9], [16, 16, 16, 5], [25, 32, 21]),
        ([64, 64, 64], [64, 64, 30], [128, 64, 128, 30]),
        # A slice that is no whole number of blocks is where a piece of the prompt ends.
        ([7, 16, 16], [15, 16, 16, 24, 16], [7, 32, 15, 32, 24, 16]),
    ],
    ids=["short", "many", "odd rests", "long", "pieces"],
)
def test_who_is_alone_has_two_slices_read_in_one_go(
    room: Room, plain: PlainReader, prefix: list[int], passage: list[int], expected: list[int]
) -> None:
    """Up to where the prefix ends, and the passage: there the state is kept."""
    lengths = [*prefix, *passage, 9]
    slices = tuple(tuple((place + 31 * row) % 90 + 33 for row in range(size)) for place, size in enumerate(lengths))
    asked = Prompt(slices, len(prefix), len(prefix) + len(passage), hashlib.sha256(bytes(expected)).hexdigest())
    assert_plain_scores(plain, asked, scores_of(room.ask(asked)))
    assert lengths_of(room.context.decoded) == [*expected, 9]
    room.context.decoded.clear()
    assert_plain_scores(plain, asked, scores_of(room.ask(asked)))
    assert lengths_of(room.context.decoded) == [9]


def test_who_are_several_have_one_slice_read_at_a_time(room: Room, plain: PlainReader) -> None:
    prompts = [prompt("System. ", of_slices(6, letter)) for letter in "ab"]
    requests = room.together(lambda: [room.ask(asked, client=f"{asked}") for asked in prompts])
    for asked, request in zip(prompts, requests, strict=True):
        assert_plain_scores(plain, asked, scores_of(request))
    assert lengths_of(room.context.decoded[:13]) == [len("System. ")] + [SLICE] * 12
    assert room.context.aborted == 0


def test_beside_one_who_writes_one_slice_is_read_at_a_time(room: Room, plain: PlainReader) -> None:
    writing, reading = long_winded(plain, 30), prompt("System. ", of_slices(6))
    arrived: list[Request] = []
    room.do_at(8, lambda: arrived.append(room.ask(reading)))
    assert_greedy(plain, writing, text_of(room.ask(writing, 30)), 30)
    assert_plain_scores(plain, reading, scores_of(arrived[0]))
    assert max(len(rows) for rows in room.context.decoded if not any(row.logits for row in rows)) == SLICE


def test_two_slices_are_given_up_when_somebody_comes(room: Room, plain: PlainReader) -> None:
    long, short = prompt("System. ", of_slices(20)), prompt("System. ", "", "And I?")
    newcomer: list[Request] = []
    room.do_at(4, lambda: newcomer.append(room.ask(short, client="newcomer")))
    first = room.ask(long, client="first")
    assert_plain_scores(plain, long, scores_of(first))
    assert_plain_scores(plain, short, scores_of(newcomer[0]))
    assert room.context.aborted == 1
    assert first_word_at(newcomer[0]) <= 5  # the prefix, two times two slices, one slice, and its question
    # From then on one at a time, also when the newcomer has left.
    assert lengths_of(room.context.decoded)[:3] == [len("System. "), 2 * SLICE, 2 * SLICE]
    assert max(lengths_of(room.context.decoded)[3:]) <= SLICE


def test_two_slices_are_given_up_for_one_who_was_held(room: Room, plain: PlainReader) -> None:
    """A reply that its reader has thought about goes on at once."""
    writing, reading = long_winded(plain, 12), prompt("System. ", of_slices(12))
    held = room.ask(writing, 12, held=True)
    while not room.loop.work().tokens_written:
        time.sleep(0.001)

    def go_on() -> None:
        held.held = False
        room.loop.wake()

    room.context.decoded.clear()
    room.do_at(3, go_on)
    other = room.ask(reading, client="other")
    assert_greedy(plain, writing, text_of(held), 12)
    assert_plain_scores(plain, reading, scores_of(other))
    assert room.context.aborted == 1


def test_those_who_come_and_go_do_not_keep_one_who_is_alone_from_being_read(room: Room, plain: PlainReader) -> None:
    asked = prompt("System. ", of_slices(20))

    def come_and_go() -> None:
        room.ask(prompt("", "", "And I?"), cancelled=lambda: True)

    room.context.before = come_and_go
    assert_plain_scores(plain, asked, scores_of(room.ask(asked)))
    assert room.context.aborted == 1


# -- in the background -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoding", [1, 2, 5])
def test_what_is_read_in_the_background_gives_way_in_the_middle_of_a_slice(
    opened: Open, plain: PlainReader, decoding: int
) -> None:
    room = opened()
    asked = prompt("The rules. " * 8, of_slices(5), "")
    question = prompt("Other rules. ", of_slices(2, "q"))
    newcomer: list[Request] = []
    room.do_at(decoding, lambda: newcomer.append(room.ask(question, 30)))
    ahead = room.ask(asked, background=True)
    assert end_of(ahead) is None
    assert room.context.aborted == 1
    assert_greedy(plain, question, text_of(newcomer[0]), 30)
    # Nothing of it is read while the other's question is read and its reply is written.
    assert isinstance(newcomer[0].outbox, Outbox)
    meanwhile = room.context.decoded[decoding - 1 : newcomer[0].outbox.at[-1]]
    assert not any(row.token in b"Tp" and not row.logits for rows in meanwhile for row in rows)
    assert len(meanwhile) > 5
    # And what is stored is right.
    about_it = prompt("The rules. " * 8, of_slices(5), "What is it?")
    for place in (room, opened(states=room.states)):
        place.context.decoded.clear()
        assert_plain_scores(plain, about_it, scores_of(place.ask(about_it)))
        assert place.context.tokens() <= len("The rules. " * 8) + len("What is it?")


@pytest.mark.parametrize("look", [1, 5, 20])
def test_a_slice_is_stopped_while_it_is_computed(room: Room, plain: PlainReader, look: int) -> None:
    """Not only where it begins: llama.cpp asks again and again, and what it has computed by then is not kept."""
    passage = of_slices(3)
    newcomer: list[Request] = []
    looks = 0

    def at_look() -> None:
        nonlocal looks
        looks += len(room.context.decoded) == 2
        if looks == look and not newcomer:
            newcomer.append(room.ask(prompt("", "", "And I?"), 5))

    room.context.at_look = at_look
    assert end_of(room.ask(prompt("", passage, ""), background=True)) is None
    assert room.context.aborted == 1
    assert_greedy(plain, prompt("", "", "And I?"), text_of(newcomer[0]), 5)
    assert_plain_scores(plain, prompt("", passage), scores_of(room.ask(prompt("", passage))))


def test_many_in_the_background_do_not_stop_each_other(room: Room) -> None:
    prompts = [prompt("System. ", of_slices(2, letter), "") for letter in "abcdefghijklmnop"]
    requests: list[Request] = []
    room.do_at(2, lambda: requests.extend(room.ask(asked, background=True) for asked in prompts[1:]))
    assert end_of(room.ask(prompts[0], background=True)) is None
    for request in requests:
        assert end_of(request) is None
    assert all(asked.key in room.states for asked in prompts)
    assert room.context.aborted == 0


def test_one_who_waits_for_the_cells_of_the_background_gets_them(opened: Open, plain: PlainReader) -> None:
    room = opened(cells=200)
    question = prompt("", of_slices(8, "q"))
    newcomer: list[Request] = []
    room.do_at(3, lambda: newcomer.append(room.ask(question, 20)))
    assert end_of(room.ask(prompt("", of_slices(8), ""), background=True)) is None
    assert_greedy(plain, question, text_of(newcomer[0]), 20)


def test_the_background_may_leave_too(room: Room) -> None:
    leaver = Leaver("cancelled")
    room.do_at(2, leaver.gone.set)
    asked = prompt("System. ", of_slices(9), "")
    assert end_of(room.ask(asked, background=True, cancelled=leaver.cancelled)) is None
    assert asked.key not in room.states
    assert len(room.context.decoded) == 2


def test_quiet_is_when_nobody_is_served(room: Room) -> None:
    assert 0 <= room.loop.quiet_for() < WAIT
    quiet: list[float] = []
    room.context.before = lambda: quiet.append(room.loop.quiet_for())
    time.sleep(0.05)
    end_of(room.ask(prompt("System. ", of_slices(2), ""), background=True))
    assert len(quiet) == 2
    assert min(quiet) >= 0.05
    quiet.clear()
    text_of(room.ask(prompt(), 5))
    assert quiet
    assert set(quiet) == {0}
    time.sleep(0.05)
    assert room.is_empty()
    assert 0.05 <= room.loop.quiet_for() < WAIT
    with room.context.held(lambda: room.ask(prompt("System. ", of_slices(2), ""), background=True)):
        assert room.loop.quiet_for() > 0
        waiting = room.ask(prompt())
        assert room.loop.quiet_for() == 0
    scores_of(waiting)


# -- all at once -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_whatever_they_share_each_gets_what_a_plain_reader_would(
    opened: Open, plain: PlainReader, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Readers who come, share and leave at random, while states go and passages are read ahead."""
    dice = random.Random(seed)
    room = opened(cells=1024, queue=1000)
    prefixes = ["System. ", "Rules. " * 20, "s" * SLICE, "", "x" * 400]
    passages = ["", *(of_slices(count, letter) + "." * count for count in range(4) for letter in "ab")]
    monkeypatch.setattr(decode_loop, "guess", lambda source, written, most: [*dice.choices(WRITABLE, k=max(most, 0))])
    asked: list[tuple[Request, Prompt, int]] = []

    def arrive() -> None:
        if len(asked) >= 50 or dice.random() < 0.7:
            return
        one = prompt(
            dice.choice(prefixes), dice.choice(passages), f"Question {dice.randrange(5)}?" * dice.choice((1, 9))
        )
        most = dice.choice((0, 0, 1, 5, 30))
        until = len(room.context.decoded) + dice.randrange(30)
        leaves = dice.random() < 0.3
        request = room.ask(
            one,
            most,
            client=f"{dice.randrange(4)}",
            cancelled=lambda: leaves and len(room.context.decoded) > until,
            background=most == 0 and dice.random() < 0.3,
        )
        asked.append((request, one, most))
        if dice.random() < 0.1:
            room.states.keep_only(())

    room.context.before = arrive
    while len(asked) < 50:
        outcomes(room.ask(prompt("", "", "Tick."), 3))
    for request, one, most in asked:
        got = outcomes(request)
        assert got[-1] is None
        left = request.given_up()
        if request.scored and len(got) > 1:
            assert isinstance(got[0], Impression)
            assert_plain_scores(plain, one, got[0].scores)
        elif most:
            assert_greedy(plain, one, "".join(map(str, got[:-1])), most, cut=left)
    assert room.is_empty()
    for _, one, _ in asked:
        if one.key and (state := room.states.get(one.key)):
            assert positions_of(room, state) == (one.length(one.prefix), one.length(one.kept))
