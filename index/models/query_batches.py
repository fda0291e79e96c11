"""Questions that come while another is embedded are embedded together, as soon as that one is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from index.embedder import Vectors


# Those who ask at the same moment are to be answered at the same moment, not the first of them a second before others.
TOGETHER_SECONDS = 0.003


class QueryBatches:
    """Turns single calls from many threads into calls with all that wait: eight take .4 of their time one by one.

    `encode` takes texts and returns (len(texts), dim) float32; it is called by one thread at a time. What it raises
    reaches everybody whose text was in that call.
    """

    def __init__(self, encode: Callable[[list[str]], Vectors]) -> None:
        self._encode = encode
        self._turn = threading.Lock()
        self._list = threading.Lock()
        self._waiting: list[tuple[str, Future[Vectors]]] = []

    def embed(self, text: str) -> Vectors:
        """(dim,) float32."""
        mine: Future[Vectors] = Future()
        with self._list:
            self._waiting.append((text, mine))
        with self._turn:
            if not mine.done():
                time.sleep(TOGETHER_SECONDS)
                self._embed_all()
        return mine.result()

    def _embed_all(self) -> None:
        with self._list:
            batch, self._waiting = self._waiting, []
        try:
            vectors = self._encode([text for text, _ in batch])
        except BaseException as error:  # Ctrl-C too: the others must not wait for ever
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), vector in zip(batch, vectors, strict=True):
            future.set_result(vector)
