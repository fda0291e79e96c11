"""Many readers at one model: whatever they share and whenever they come or go, each gets what a plain reader would.

All of it is measured in decodings, not in seconds: what a test does in `context.before` happens at the same place in
every run.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from queue import SimpleQueue
from unittest.mock import patch

import numpy as np
import pytest
from tiny_gguf import TURN_END
from watched_context import WAIT, PlainReader, WatchedContext

from qa.decoding import decode_loop
from qa.decoding.decode_loop import (
    ALL_COME,
    BATCH_ROWS,
    NEXT_COMES,
    RUNNING,
    WRITTEN_ROWS,
    DecodeLoop,
    Work,
)
from qa.decoding.fair_turns import LEFT_OVER_ROWS, QUESTION_ROWS, QUESTIONS_A_STEP, TOKENS_A_SECOND
from qa.decoding.llama_context import Row
from qa.decoding.lookahead import Lookahead
from qa.decoding.passage_reader import SEQUENCES
from qa.decoding.read_before import FIRST_FREE, PREFIX_TOKENS, PREFIXES
from qa.decoding.request import SLICE_TOKENS, Impression, Outcome, Prompt, Request
from qa.errors import Busy, PromptTooLong
from qa.language_model import Asker
from qa.prefill_cache import PrefillCache

# How much a logit may differ from a plain reading of the same tokens. Up to .0011 was measured where the cells lie in
# another order (sums are rounded otherwise, and then KV values to 16 bits), else 0; the logits span 15.
ROUNDING = 0.01
CELLS = 4096
SLICE = 16  # tokens; the model's own are longer, and take the tiny one 2 to 10 ms
WRITABLE = tuple(range(ord(" "), ord("~") + 1))


def slices_of(text: str) -> list[tuple[int, ...]]:
    """A token is a byte."""
    tokens = text.encode()
    return [tuple(tokens[start : start + SLICE]) for start in range(0, len(tokens), SLICE)]


def prompt(prefix: str = "System. ", passage: str = "", question: str = "What is it?") -> Prompt:
    before, kept, after = slices_of(prefix), slices_of(passage), slices_of(question)
    key = hashlib.sha256((prefix + passage).encode()).hexdigest() if passage else None
    return Prompt((*before, *kept, *after), len(before), len(before) + len(kept), key)


def of_slices(count: int, letter: str = "p") -> str:
    """A passage of so many full slices."""
    return "".join(f"{letter} {place} of {count} ".ljust(SLICE, letter) for place in range(count))


def tokens_of(asked: Prompt) -> list[int]:
    return list(chain.from_iterable(asked.slices))


class Outbox(SimpleQueue[Outcome]):
    """Remembers after how many decodings each outcome came."""

    def __init__(self, context: WatchedContext) -> None:
        self._context = context
        self.at: list[int] = []

    def put(self, item: Outcome, block: bool = True, timeout: float | None = None) -> None:
        self.at.append(len(self._context.decoded))
        super().put(item)


class Eager(Lookahead):
    """Guesses as much as it may."""

    def worth(self, writers: int) -> int:
        return max(WRITTEN_ROWS - writers, 0)


class Room:
    """A loop over the tiny model, and what a test wants to know of it."""

    def __init__(
        self,
        path: Path,
        cells: int = CELLS,
        queue: int = 32,
        longest_wait: float = 30.0,
        states: PrefillCache | None = None,
        promised: int | None = None,
        reading: bool = False,
    ) -> None:
        self.states = states or PrefillCache(None, "00")
        with_prefixes = cells + PREFIXES * PREFIX_TOKENS
        self.context = WatchedContext(path, with_prefixes, FIRST_FREE + RUNNING, BATCH_ROWS, threads=1)
        guesses = Eager(WRITTEN_ROWS)  # how long decodings take is another thing each time
        self.reading = (
            WatchedContext(
                path, max(cells, SLICE), SEQUENCES, BATCH_ROWS, threads=1, as_filed=True, beside=self.context
            )
            if reading
            else None
        )
        self.loop = DecodeLoop(
            self.context, promised or cells, self.states, queue, longest_wait, guesses, reading=self.reading
        )
        self.closed = False

    def ask(
        self,
        asked: Prompt,
        max_tokens: int = 0,
        client: str = "",
        cancelled: Callable[[], bool] = lambda: False,
        background: bool = False,
        since: float = 0.0,
        held: bool = False,
    ) -> Request:
        """A reply of so many tokens; with none, scores; in the background neither."""
        scored = () if max_tokens or background else WRITABLE
        asker = Asker(client, cancelled, since)
        request = Request(asked, max_tokens, scored, asker, background, outbox=Outbox(self.context), held=held)
        self.loop.submit(request)
        return request

    def together(self, ask: Callable[[], Sequence[Request]]) -> Sequence[Request]:
        """What is asked comes while one slice of somebody else is decoded; decodings are counted from its end on."""
        other: list[Request] = []
        with self.context.held(lambda: other.append(self.ask(prompt("", "", "Who comes first?")))):
            self.context.decoded.clear()
            requests = ask()
            self.context.decoded.clear()
        end_of(other[0])
        return requests

    def do_at(self, decoding: int, what: Callable[[], object]) -> None:
        """While the so many-th decoding from now goes on."""
        count = 0

        def before() -> None:
            nonlocal count
            count += 1
            if count == decoding:
                what()

        self.context.before = before

    def is_empty(self) -> bool:
        """No cells but those of prefixes, once nobody is served any more."""
        deadline = time.monotonic() + WAIT
        # A reader has its end before the loop has freed its cells, and then its sequence.
        while self.loop._running or self.loop._waiting or len(self.loop._free) < RUNNING:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return set(self.context.in_use()) <= set(range(PREFIXES))

    def close(self) -> None:
        self.loop.close()
        self.states.close()
        self.closed = True


Open = Callable[..., Room]


def outcomes(request: Request) -> list[Outcome]:
    """All that comes, up to the end or an error."""
    got: list[Outcome] = [request.outbox.get(timeout=WAIT)]
    while isinstance(got[-1], (str, Impression)):
        got.append(request.outbox.get(timeout=WAIT))
    return got


def end_of(request: Request) -> Outcome:
    return outcomes(request)[-1]


def text_of(request: Request) -> str:
    got = outcomes(request)
    assert got[-1] is None, got[-1]
    return "".join(piece for piece in got if isinstance(piece, str))


def scores_of(request: Request) -> list[float]:
    impression, end = outcomes(request)
    assert isinstance(impression, Impression)
    assert end is None
    return impression.scores


def first_word_at(request: Request) -> int:
    """Decodings until it came."""
    assert isinstance(request.outbox, Outbox)
    return request.outbox.at[0]


@pytest.fixture
def any_opened(tiny_model: Path) -> Iterator[Open]:
    """Opens rooms. Whatever a test did there, in the end nobody is left, no cell is taken, and the thread ends."""
    rooms: list[Room] = []

    def open_one(**settings: object) -> Room:
        rooms.append(Room(tiny_model, **settings))  # type: ignore[arg-type]  # whatever Room takes
        return rooms[-1]

    yield open_one
    empty = [room.closed or room.is_empty() for room in rooms]
    for room in rooms:
        room.close()
    assert all(empty)
    assert not any(room.loop._thread.is_alive() for room in rooms)


@pytest.fixture(params=[False, True], ids=["one context", "two contexts"])
def opened(any_opened: Open, request: pytest.FixtureRequest) -> Open:
    """Opens rooms without and with a context that reads passages."""
    return partial(any_opened, reading=request.param)


@pytest.fixture
def room(opened: Open) -> Room:
    return opened()


def plain_text(plain: PlainReader, asked: Prompt, max_tokens: int) -> str:
    written = plain.write(tokens_of(asked), max_tokens)
    return bytes(token for token in written if token != TURN_END).decode()


def assert_plain_scores(plain: PlainReader, asked: Prompt, scores: Sequence[float]) -> None:
    np.testing.assert_allclose(scores, plain.scores(tokens_of(asked))[list(WRITABLE)], atol=ROUNDING)


def assert_greedy(plain: PlainReader, asked: Prompt, text: str, max_tokens: int, cut: bool = False) -> None:
    plain.assert_greedy(tokens_of(asked), text.encode(), max_tokens, ROUNDING, cut)


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


# -- stored states -----------------------------------------------------------------------------------------------------


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


def positions_of(room: Room, state: bytes) -> tuple[int, int]:
    """The first position of a state and the one behind its last; nobody may be served."""
    sequence = max(room.loop._free)
    assert room.context.restore(sequence, state)
    positions = room.context.positions(sequence)
    room.context.forget(sequence)
    return positions


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


def long_winded(plain: PlainReader, tokens: int) -> Prompt:
    """A prompt whose reply does not end before so many tokens."""
    prompts = (prompt("System. ", "", f"Tell me of {number}.") for number in range(100))
    return next(asked for asked in prompts if TURN_END not in plain.write(tokens_of(asked), tokens))


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


# -- fairness ----------------------------------------------------------------------------------------------------------


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


# -- a context that reads passages -------------------------------------------------------------------------------------


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
