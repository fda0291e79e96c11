"""Guessing the next words of a reply from the text it is written from, so that several are decoded at once.

A reply that keeps to its source copies runs of words from the passage and the question. What followed the last written
tokens there is guessed to follow again; one decoding then says for each guess what the model itself would have written,
and the first wrong guess ends the run. So the reply is the one that greedy writing gives, word by word, in fewer
decodings (prompt lookup decoding, Saxena 2023, https://github.com/apoorvumang/prompt-lookup-decoding).

How many guesses pay depends on the processor: with VNNI four rows take 1.3 to 1.6 times as long as one, without it 3.2
times, and 16 rows no longer than 12. So Lookahead measures while it goes on.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass

# Tokens that must have stood together before. A single one says little: it counts only where it stood once.
_LONGEST_MATCH = 3
# Multiples of this are what processors are good at: with VNNI three rows take longer than four, and 15 than 16; without
# it 16 no longer than 12.
_ROWS_AT_ONCE = 4
# So until it was tried, a multiple of the first is taken to cost no more than what was measured of a few rows fewer, at
# most the second.
_AS_CHEAP = {_ROWS_AT_ONCE: 3, 4 * _ROWS_AT_ONCE: 8}
# What a row more is taken to cost, in times of one row, before it was tried; less than on any machine seen, so that it
# is tried.
_UNTRIED_ROW = 0.25
# Decodings after which a measurement is forgotten, for each time that so many rows were measured, and at most: it may
# have been made in a bad moment, the first more likely than all of many.
_KEPT_FOR_EACH, _KEPT_FOR = 25, 500
# How much the newest measurement of so many rows counts beside those before.
_NEWEST = 0.3
# Guesses taken to have been right, and tried, before any was: on tuning halves three of four are right.
_RIGHT_BEFORE, _TRIED_BEFORE = 3.0, 4.0
# How much each run of guesses leaves of what was seen before: about the last hundred runs count.
_REMEMBERED = 0.99


@dataclass(frozen=True, slots=True)
class _Measured:
    """When decodings of so many rows were measured. It outlives what they cost, which is forgotten."""

    last: float  # seconds
    at: int  # decodings before it, all rows counted
    times: int


class Lookahead:
    """How many tokens to guess behind the replies, by what rows cost on this machine and how often guesses are right
    (the acceptance rate). `most_rows`: of one decoding, guesses included, where there are not more replies than that.

    1,500 replies of tuning halves, in tokens a second, as costs were measured with VNNI / without: nothing guessed
    13.3 / 13.7, three guesses and fifteen after a run that was right 20.4 / 11.4, this 22.3 / 13.8; two replies at once
    23.8 / 16.7, 25.1 / 13.1, 31.9 / 16.6; eight 30.5 / 17.8, 45.1 / 20.0, 45.1 / 20.0. That was with as many guesses
    behind each; dealt to those that have any, 100 replies eight at a time are written in 48.4 / 21.8 instead of 40.4 /
    20.8. One thread uses it.
    """

    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self._decodings = 0
        self._seconds: dict[int, float] = {}  # by rows; what a decoding of so many takes
        self._measured: dict[int, _Measured] = {}  # by rows
        self._right, self._tried = _RIGHT_BEFORE, _TRIED_BEFORE

    def worth(self, writers: int) -> int:
        """Guesses, all together, behind so many replies with which most tokens are written in a second."""
        most = max(self._most_rows, writers)
        evenly = range(writers, most + 1, writers)  # as many behind each
        right = self._right / self._tried
        best, highest = writers, 0.0
        for rows in sorted({*evenly, *range(_ROWS_AT_ONCE * -(-writers // _ROWS_AT_ONCE), most + 1, _ROWS_AT_ONCE)}):
            each, more = divmod(rows, writers)
            tokens = writers * sum(right**place for place in range(each)) + more * right**each
            speed = tokens / self._expected(rows)
            if speed > highest:
                best, highest = rows, speed
        return best - writers

    def took(self, rows: int, seconds: float) -> None:
        """So many seconds were taken by a decoding of so many rows in which nothing was done but write.

        What else the machine does only ever makes it longer, so of two in a row the shorter counts: where one of a
        hundred takes 20 times as long, that writes 1 to 27 % faster (simulated with the costs of both machines).
        """
        self._decodings += 1
        known = self._measured.get(rows)
        shorter = min(seconds, known.last) if known else seconds
        before = self._seconds.get(rows, shorter)
        self._seconds[rows] = before + _NEWEST * (shorter - before)
        self._measured[rows] = _Measured(seconds, self._decodings, known.times + 1 if known else 1)
        for other, measured in self._measured.items():
            if self._decodings - measured.at > min(_KEPT_FOR, _KEPT_FOR_EACH * measured.times):
                self._seconds.pop(other, None)

    def turned_out(self, right: int, guessed: int) -> None:
        """Of a run of guesses so many were right, up to the first wrong one."""
        self._right = self._right * _REMEMBERED + right
        self._tried = self._tried * _REMEMBERED + min(right + 1, guessed)

    def _expected(self, rows: int) -> float:
        """Seconds of a decoding: measured, or between two that were. Beyond them rather too few, so that it is tried:
        more rows cost little more, and fewer as much less as there are fewer; and the same for the numbers that
        processors are good at. Before any was measured, times of one row."""
        known = sorted(self._seconds)
        if not known:
            return 1 + _UNTRIED_ROW * (rows - 1)
        place = bisect(known, rows)
        if not place:
            return self._seconds[known[0]] * rows / known[0]
        below = known[place - 1]
        if below < rows and any(not rows % good and rows - below <= fewer for good, fewer in _AS_CHEAP.items()):
            return self._seconds[below]
        if place == len(known):
            rise = self._seconds[below] * _UNTRIED_ROW / (1 + _UNTRIED_ROW * (below - 1))
        else:
            rise = (self._seconds[known[place]] - self._seconds[below]) / (known[place] - below)
        return self._seconds[below] + rise * (rows - below)


def guess(source: Sequence[int], written: Sequence[int], most: int) -> list[int]:
    """At most `most` tokens that followed the last ones of `written` in `source`; the last place there wins."""
    if most < 1:
        return []
    for length in range(min(_LONGEST_MATCH, len(written)), 0, -1):
        wanted = list(written[-length:])
        places = [end for end in range(length, len(source)) if list(source[end - length : end]) == wanted]
        if length == 1 and len(places) > 1:
            continue
        if places:
            return list(source[places[-1] : places[-1] + most])
    return []


def dealt(guesses: Sequence[list[int]], most: int) -> list[list[int]]:
    """Of the guesses behind each reply so many all together: the first of each, then the second, and so on."""
    counts = [0] * len(guesses)
    for place in range(max(map(len, guesses), default=0)):
        for number, guessed in enumerate(guesses):
            if sum(counts) < most and place < len(guessed):
                counts[number] += 1
    return [guessed[:count] for guessed, count in zip(guesses, counts, strict=True)]
