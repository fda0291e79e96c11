"""Guesses: what followed the last written tokens in the source, and nothing where that says little."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qa.decoding.lookahead import guess

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
