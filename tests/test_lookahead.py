"""Guesses: what followed the last written tokens in the source, and nothing where that says little; as many as pay."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.decoding.lookahead import Lookahead, dealt, guess

SOURCE = list(b"the bridge closed in May; the bridge of the mill reopened")


def said(written: str, most: int = 8) -> str:
    return bytes(guess(SOURCE, list(written.encode()), most)).decode()


def test_a_run_that_stood_in_the_source_is_guessed_to_go_on() -> None:
    assert said("It clo") == "sed in M"
    assert said("It clo", most=3) == "sed"


def test_of_several_places_the_last_wins() -> None:
    assert said("The bri", most=9) == "dge of th"


def test_a_single_token_counts_only_where_it_stood_once() -> None:
    assert said("XXM", most=2) == "ay"
    assert said("XXe") == ""


def test_two_tokens_are_tried_where_three_never_stood_together() -> None:
    assert said("Xcl", most=4) == "osed"


def test_nothing_is_guessed_without_a_beginning_a_source_or_room() -> None:
    assert said("") == ""
    assert guess([], [1, 2], 4) == []
    assert said("It clo", most=0) == said("It clo", most=-1) == ""
    assert guess(list(b"abc"), list(b"abc"), 4) == []  # nothing follows the end of the source


@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(0, 3), max_size=10), st.integers(-1, 6))
def test_what_is_guessed_stood_there_behind_what_was_written(source: list[int], written: list[int], most: int) -> None:
    guessed = guess(source, written, most)
    assert len(guessed) <= max(most, 0)
    if guessed:
        found = [
            end
            for length in (1, 2, 3)
            for end in range(length, len(source))
            if length <= len(written)
            and source[end - length : end] == written[-length:]
            and source[end : end + most] == guessed
        ]
        assert found


# Seconds of a decoding by its rows, as measured (1.5B Q4_K_M, two cores): with VNNI 2026-11-22, on other cores with it
# 2026-11-28, without 2026-11-27.
WITH_VNNI = {1: 0.075, 2: 0.084, 4: 0.098, 8: 0.262, 16: 0.262}
BY_FOURS = {1: 0.074, 2: 0.109, 3: 0.137, 4: 0.120, 7: 0.21, 8: 0.226, 10: 0.29, 12: 0.286, 15: 0.353, 16: 0.288}
WITHOUT = {1: 0.073, 2: 0.12, 4: 0.23, 8: 0.45, 12: 0.60, 16: 0.59}


def seconds(machine: dict[int, float], rows: int) -> float:
    return float(np.interp(rows, list(machine), list(machine.values())))


def learnt(machine: dict[int, float], writers: int, *right: int) -> Lookahead:
    """So many replies have been written on a machine, with in turn so many right guesses before the first wrong one."""
    lookahead = Lookahead(16)
    for _, right_now in zip(range(100), cycle(right), strict=False):
        worth = lookahead.worth(writers)
        lookahead.took(writers + worth, seconds(machine, writers + worth))
        for guesses in range(worth // writers, worth // writers + bool(worth % writers) + 1):
            if guesses:
                lookahead.turned_out(min(right_now, guesses), guesses)
    return lookahead


def test_where_rows_are_cheap_more_is_guessed() -> None:
    assert learnt(WITH_VNNI, 1, 0, 1, 3).worth(1) in (2, 3)
    assert learnt(WITHOUT, 1, 0, 1, 3).worth(1) == 0


def test_rows_that_lie_idle_in_a_batch_are_used() -> None:
    assert learnt(WITHOUT, 8, 0, 1, 1).worth(8) == 8


@pytest.mark.parametrize("writers", [5, 6, 7, 8])
def test_rows_that_one_more_would_make_quicker_are_filled_up(writers: int) -> None:
    """Fifteen take longer than sixteen there: not three rows for each of five replies."""
    worth = learnt(BY_FOURS, writers, 0, 1, 3).worth(writers)
    assert (writers + worth) % 4 == 0
    assert worth > 0


def test_no_more_rows_are_decoded_than_were_granted() -> None:
    free = learnt(dict.fromkeys(range(1, 60), 0.1), 1, 20)
    assert [free.worth(writers) for writers in (1, 2, 5, 8, 16, 17, 40)] == [15, 14, 11, 8, 0, 0, 0]


def test_guesses_that_are_never_right_are_given_up() -> None:
    assert learnt(WITH_VNNI, 1, 0).worth(1) == 0


def test_what_was_measured_in_a_bad_moment_is_tried_again() -> None:
    lookahead = learnt(WITH_VNNI, 1, 0, 1, 3)
    for _ in range(20):
        lookahead.took(4, 60.0)
    assert lookahead.worth(1) < 2
    for _ in range(1000):
        rows = 1 + lookahead.worth(1)
        lookahead.took(rows, seconds(WITH_VNNI, rows))
    assert lookahead.worth(1) in (2, 3)


def test_a_first_measurement_made_in_a_bad_moment_is_soon_made_again() -> None:
    lookahead, measured = Lookahead(16), {1}
    for _ in range(150):
        rows = 1 + lookahead.worth(1)
        lookahead.took(rows, seconds(WITH_VNNI, rows) if rows in measured else 60.0)
        measured.add(rows)
        if rows > 1:
            lookahead.turned_out((rows - 1) // 2, rows - 1)
    assert lookahead.worth(1) in (2, 3)


def test_a_bad_moment_now_and_then_changes_nothing() -> None:
    lookahead = learnt(WITH_VNNI, 1, 0, 1, 3)
    worth = lookahead.worth(1)
    for _ in range(20):
        lookahead.took(1 + worth, 60.0)
        lookahead.took(1 + worth, seconds(WITH_VNNI, 1 + worth))
        assert lookahead.worth(1) == worth


def test_trying_costs_little() -> None:
    """Of the first hundred decodings, few take as many rows as do not pay."""
    lookahead, spent, least = Lookahead(16), 0.0, 0.0
    for _ in range(100):
        rows = 1 + lookahead.worth(1)
        spent += seconds(WITHOUT, rows)
        least += seconds(WITHOUT, 1)
        lookahead.took(rows, seconds(WITHOUT, rows))
        if rows > 1:
            lookahead.turned_out(0, rows - 1)
    assert spent < 1.1 * least


def test_guesses_are_dealt_the_first_of_each_reply_before_the_second_of_any() -> None:
    guesses = [[1, 2, 3], [], [4], [5, 6]]
    assert dealt(guesses, 0) == [[], [], [], []]
    assert dealt(guesses, 2) == [[1], [], [4], []]
    assert dealt(guesses, 4) == [[1, 2], [], [4], [5]]
    assert dealt(guesses, 99) == guesses
    assert dealt([], 5) == []


@given(st.lists(st.lists(st.integers(0, 5), max_size=6), max_size=6), st.integers(0, 20))
def test_as_many_are_dealt_as_there_are_or_may_be(guesses: list[list[int]], most: int) -> None:
    dealt_out = dealt(guesses, most)
    assert all(guessed[: len(few)] == few for guessed, few in zip(guesses, dealt_out, strict=True))
    assert sum(map(len, dealt_out)) == min(most, sum(map(len, guesses)))
