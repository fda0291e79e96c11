"""Texts of many threads, embedded together: each gets its own vector, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from index.embedder import Vectors
from index.models.query_batches import QueryBatches

WAIT = 20.0


class Encoder:
    """A vector is the text's number. The first call stands still until `go_on`; "bad" in a batch is an error."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Event()
        self.go_on = threading.Event()

    def encode(self, texts: list[str]) -> Vectors:
        self.batches.append(texts)
        self.entered.set()
        assert self.go_on.wait(WAIT)
        if "bad" in texts:
            raise ValueError("bad")
        return np.array([[float(text)] for text in texts], np.float32)


def together(encoder: Encoder, first: str, later: list[str]) -> list[Future[Vectors]]:
    """The first is being embedded when the others come."""
    queries = QueryBatches(encoder.encode)
    with ThreadPoolExecutor(1 + len(later)) as threads:
        asked = [threads.submit(queries.embed, first)]
        assert encoder.entered.wait(WAIT)
        asked += [threads.submit(queries.embed, text) for text in later]
        deadline = time.monotonic() + WAIT
        while len(queries._waiting) < len(later):
            assert time.monotonic() < deadline
        encoder.go_on.set()
    return asked


def test_those_who_come_meanwhile_are_embedded_together_and_each_gets_its_own() -> None:
    encoder = Encoder()
    asked = together(encoder, "0", ["1", "2", "3", "4"])
    assert [float(one.result()[0]) for one in asked] == [0, 1, 2, 3, 4]
    assert [sorted(batch) for batch in encoder.batches] == [["0"], ["1", "2", "3", "4"]]


def test_an_error_reaches_those_of_its_batch_and_nobody_else() -> None:
    encoder = Encoder()
    first, *others = together(encoder, "0", ["1", "bad"])
    assert float(first.result()[0]) == 0
    for one in others:
        with pytest.raises(ValueError, match="bad"):
            one.result()


def test_ctrl_c_leaves_nobody_waiting() -> None:
    def interrupted(texts: list[str]) -> Vectors:
        raise KeyboardInterrupt

    queries = QueryBatches(interrupted)
    with pytest.raises(KeyboardInterrupt):
        queries.embed("1")
    assert queries._waiting == []
    assert not queries._turn.locked()
