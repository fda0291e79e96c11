"""Whose turn it is to be read for, and how much: self-clocked fair queueing (Golestani 1994) over clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from qa.decoding.running import Running

# Rows of a step for each question that is being read, those of replies included: 16 rows take 0.24 s, 20 take 0.31, 32
# take 0.44, 64 take 0.82 (1.5B Q4_K_M, two cores with VNNI, 2026-11-28; 0.5, 0.6, 0.9, 1.8 without). So many questions
# are read quicker in long steps, and one in short ones, in which somebody who asks a moment later does not wait until
# all of it is read. At least half of 16 is for questions, the rest for replies.
QUESTION_ROWS = 16
# Questions that a step is made longer for.
QUESTIONS_A_STEP = 4
# So many more are decoded now rather than in a step of their own: 2 rows take 0.13 s alone, 0.03 with 16 others.
LEFT_OVER_ROWS = QUESTION_ROWS // 2
# Tokens of reading that a second of waiting is worth against other questions of the same client. Without it, whoever
# has most to read would wait for ever where new questions keep coming.
TOKENS_A_SECOND = 20


class FairTurns:
    """How far each client that reads is, in tokens at their cost; the one with the fewest comes next.

    `running` are all that have a sequence, as they come and go.
    """

    def __init__(self, running: Sequence[Running]) -> None:
        self._running = running
        self._served: dict[str, float] = {}
        self._pace = 0.0  # how far the furthest ever was

    def join(self, client: str, reading: Collection[str]) -> None:
        """A client that had nothing to read starts where the furthest is: nobody waits for what others had before.

        `reading` are the clients that have something to read now; all others are forgotten.
        """
        self._served = {one: tokens for one, tokens in self._served.items() if one in reading}
        self._served.setdefault(client, self._pace)

    def count(self, one: Running, tokens: int) -> None:
        """So many tokens are read for it, the next ones of its prompt."""
        counted = tokens * (one.token_cost if one.behind_passage else 1)
        one.served += counted
        client = one.request.asker.client
        self._served[client] += counted
        self._pace = max(self._pace, self._served[client])

    def in_turn(self, reading: Iterable[Running]) -> list[Running]:
        """The one whose turn it is first."""
        return sorted(reading, key=lambda one: self._turn(one, Counter()))

    def _turn(self, one: Running, given: Counter[Running]) -> tuple[float, float, float, float]:
        """Lower comes first: the client that was served least, and of its questions the one that was, or has waited
        for long. So readers who come together get their first words together, a short question does not wait for a
        long article, nor one question for the many of another client.

        The requests of one question have the same asker. `given` are tokens of questions that are in this step already.
        """

        def served(other: Running) -> float:
            return other.served + given[other] * other.token_cost

        asker = one.request.asker
        of_client = sum(
            rows * other.token_cost for other, rows in given.items() if other.request.asker.client == asker.client
        )
        of_question = sum(served(other) for other in self._running if other.request.asker is asker)
        in_turn = of_question + TOKENS_A_SECOND * asker.since
        return self._served[asker.client] + of_client, in_turn, served(one), one.request.arrived

    def share_out(self, asking: Sequence[Running], written: int) -> Counter[Running]:
        """How many tokens of each question are decoded in this step, beside `written` rows of replies: a token at a
        time to the one whose turn it is. With nobody else there, the question is read to its end."""
        rest = {one: len(one.rest_of_slices()) for one in asking}
        unread = sum(rest.values())
        steps = max(-(-(written + QUESTION_ROWS // 2) // QUESTION_ROWS), min(len(asking), QUESTIONS_A_STEP))
        rows = steps * QUESTION_ROWS - written
        if (len(asking) == 1 and not written) or unread <= rows + LEFT_OVER_ROWS:
            rows = unread
        given: Counter[Running] = Counter()
        for _ in range(rows):
            if waiting := [one for one in asking if given[one] < rest[one]]:
                given[min(waiting, key=lambda one: self._turn(one, given))] += 1
        return given
