"""Whose turn it is to be read for: self-clocked fair queueing (Golestani 1994) over the clients of the model."""

from __future__ import annotations

from collections.abc import Collection


class FairTurns:
    """How far each client that reads is, in tokens; the one with the fewest comes next."""

    def __init__(self) -> None:
        self._served: dict[str, float] = {}
        self._pace = 0.0  # how far the furthest ever was

    def join(self, client: str, reading: Collection[str]) -> None:
        """A client that had nothing to read starts where the furthest is: nobody waits for what others had before.

        `reading` are the clients that have something to read now; all others are forgotten.
        """
        self._served = {one: tokens for one, tokens in self._served.items() if one in reading}
        self._served.setdefault(client, self._pace)

    def served(self, client: str) -> float:
        """Tokens; lower comes first."""
        return self._served[client]

    def count(self, client: str, tokens: float) -> None:
        """So many tokens were read for it."""
        self._served[client] += tokens
        self._pace = max(self._pace, self._served[client])
