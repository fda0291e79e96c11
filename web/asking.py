"""One question put to the answerer, watched from the request's thread: silence, time limit, a reader who left."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from flask import current_app, g, request

from index.filters import NO_FILTERS, Filters
from qa.conversation import Turn
from qa.errors import Busy
from qa.events import Answer, Event
from qa.language_model import Asker
from web.admission import caller
from web.faults import ClientGone, TooSlow
from web.ready import NotReady, Ready
from web.service.metrics import Metrics
from web.service.request_log import RequestRecord
from web.settings import Settings

TICK_S = 0.5  # how often a silent answer looks for a reader who left; None is yielded as often
BUSY_RETRY_S = 5.0


class Unfinished(Exception):
    """The answerer ended without an Answer, which its contract forbids."""


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


class _Ended:
    pass


class Asking:
    """Puts questions to the answerer for one app, and keeps some of the server's threads free for everything else.

    An answer holds a server thread for seconds. When every thread held one, /healthz and the articles would wait too,
    so a quarter of them is never given to answers.
    """

    def __init__(self, settings: Settings, ready: Ready) -> None:
        self._seconds = settings.answer_seconds
        self._ready = ready
        threads = settings.threads - max(2, settings.threads // 4)
        self._under_way: set[threading.Event] = set()  # adding to a set and taking out are one step each
        self._log_questions = settings.log_questions
        self._places = threading.BoundedSemaphore(min(threads, settings.queue_size + 1))

    @classmethod
    def of_app(cls) -> Asking:
        asking = current_app.extensions["sourcier-asking"]
        if not isinstance(asking, cls):
            raise TypeError("this Flask app was not made by web.create_app")
        return asking

    @property
    def under_way(self) -> int:
        """How many questions are being answered now."""
        return len(self._under_way)

    def events(
        self, question: str, history: Sequence[Turn], k: int, filters: Filters = NO_FILTERS
    ) -> Generator[Event | None, None, None]:
        """Yield the answer's events, and None for each TICK_S of silence. Must be closed, or read to its end.

        Closing it cancels the answer. Raises what the answerer raised, Busy, NotReady, TooSlow, or ClientGone when
        the server noticed that the reader left.
        """
        answerer, _ = self._ready.pair
        g.questions_ahead = self.under_way
        gone: Callable[[], bool] = request.environ.get("waitress.client_disconnected", lambda: False)
        left = threading.Event()

        def cancelled() -> bool:
            return left.is_set() or self._ready.closing or gone()

        asker = Asker(caller().client, cancelled)
        record = RequestRecord.of_request()
        if self._log_questions:
            record.more["question"] = question
        events = self._watch(lambda: answerer.ask(question, history, k, asker, filters), cancelled, left)
        return Metrics.of_app().watched(events, record)

    def _watch(
        self, ask: Callable[[], Iterator[Event]], cancelled: Callable[[], bool], left: threading.Event
    ) -> Generator[Event | None, None, None]:
        if not self._places.acquire(blocking=False):
            raise Busy(BUSY_RETRY_S)
        self._under_way.add(left)
        try:
            outbox: queue.SimpleQueue[Event | _Failed | _Ended] = queue.SimpleQueue()
            threading.Thread(target=_work, args=(ask, cancelled, outbox), name="answer", daemon=True).start()
            deadline = time.monotonic() + self._seconds
            while True:
                try:
                    item: Event | _Failed | _Ended | None = outbox.get(timeout=TICK_S)
                except queue.Empty:
                    item = None
                if cancelled():  # first, because an answerer may well fail when it is cancelled
                    raise NotReady if self._ready.closing else ClientGone
                if isinstance(item, _Failed):
                    raise item.error
                if isinstance(item, _Ended):
                    return
                if time.monotonic() > deadline:
                    raise TooSlow(self._seconds)
                yield item
        finally:
            left.set()
            self._under_way.discard(left)
            self._places.release()


def last_answer(events: Iterator[Event | None]) -> Answer:
    """Read the events to the Answer that ends them. Raises Unfinished."""
    for event in events:
        if isinstance(event, Answer):
            return event
    raise Unfinished


def _work(
    ask: Callable[[], Iterator[Event]],
    cancelled: Callable[[], bool],
    outbox: queue.SimpleQueue[Event | _Failed | _Ended],
) -> None:
    """Run the answerer in a thread of its own, and close its generator there: another thread may not."""
    try:
        events = ask()
        with contextlib.ExitStack() as stack:
            if isinstance(events, Generator):
                stack.callback(events.close)
            for event in events:
                outbox.put(event)
                if cancelled():
                    break
        outbox.put(_Ended())
    except Exception as error:  # the outermost edge of this thread; the request's thread raises it again
        outbox.put(_Failed(error))
