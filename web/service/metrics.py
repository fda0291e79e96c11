"""What the server counts, for Prometheus: requests, questions, the model's work, the index."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Protocol

from flask import current_app
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from index.errors import SourcierError
from qa.errors import Busy
from qa.events import Answer, Event
from web.faults import ClientGone, TooSlow
from web.ready import NotReady, Ready
from web.service.request_log import RequestRecord

if TYPE_CHECKING:
    from qa.decoding.decode_loop import Work
    from qa.prefill_cache import CacheSizes

# Seconds. An article comes in milliseconds, a refusal in less, an answer in 1 to 30 s.
_REQUEST_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 20, 40, 80, 160)
_ANSWER_SECONDS = (0.2, 0.4, 0.7, 1, 1.5, 2, 3, 5, 8, 12, 20, 40, 80)
_SEARCH_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1, 3)


class States(Protocol):
    """Where the model's readings are stored."""

    def sizes(self) -> CacheSizes: ...


class Model(Protocol):
    """The language model, as far as it is counted."""

    @property
    def states(self) -> States: ...
    @property
    def work(self) -> Work: ...


class Metrics:
    """Counts for one app, and asks the index and the model for theirs when somebody reads them."""

    def __init__(self, ready: Ready, under_way: Callable[[], int]) -> None:
        self.model: Model | None = None  # set when it is loaded
        # As many samples again would tell what process_start_time_seconds tells.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.registry.register(_Now(self, ready, under_way))
        self._requests = Counter(
            "sourcier_requests", "Requests answered", ("method", "route", "status"), registry=self.registry
        )
        self._request_seconds = self._histogram(
            "sourcier_request_seconds", "From a request to its last byte", _REQUEST_SECONDS, ("route",)
        )
        self._answers = Counter("sourcier_answers", "Questions by how they ended", ("outcome",), registry=self.registry)
        self._withheld = Counter(
            "sourcier_withheld_sentences", "Sentences written that the check stopped", registry=self.registry
        )
        self._search_seconds = self._histogram("sourcier_search_seconds", "Finding the passages", _SEARCH_SECONDS)
        self._first_word = self._histogram("sourcier_first_word_seconds", "Until the model's first", _ANSWER_SECONDS)
        self._first_sentence = self._histogram(
            "sourcier_first_sentence_seconds", "Until the first checked sentence", _ANSWER_SECONDS
        )
        self._answer_seconds = self._histogram(
            "sourcier_answer_seconds", "Until the answer is complete", _ANSWER_SECONDS
        )

    @classmethod
    def of_app(cls) -> Metrics:
        metrics = current_app.extensions["sourcier-metrics"]
        if not isinstance(metrics, cls):
            raise TypeError("this Flask app was not made by web.create_app")
        return metrics

    def request_ended(self, record: RequestRecord) -> None:
        """Count a request, by the rule of its address: addresses themselves would be without end."""
        route = record.route or "none"
        self._requests.labels(record.method, route, str(record.status)).inc()
        self._request_seconds.labels(route).observe(record.seconds)

    @contextmanager
    def timed_search(self) -> Iterator[None]:
        """Count what is searched meanwhile."""
        with self._search_seconds.time():
            yield

    def watched(
        self, events: Generator[Event | None, None, None], record: RequestRecord
    ) -> Generator[Event | None, None, None]:
        """Pass on the events of one question, and count how it ends; the log of its request tells it too."""
        outcome = "left"
        try:
            with closing(events):
                for event in events:
                    if isinstance(event, Answer):
                        outcome = "answered" if event.answered else "declined"
                        self._answered(event)
                    yield event
            if outcome == "left":
                outcome = "failed"  # the answerer ended without an answer
        except Exception as error:
            outcome = _outcome_of(error)
            raise
        finally:
            self._answers.labels(outcome).inc()
            record.more["outcome"] = outcome

    def written(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _answered(self, answer: Answer) -> None:
        timings = answer.timings
        self._withheld.inc(answer.withheld)
        self._search_seconds.observe(timings.search_ms / 1000)
        self._answer_seconds.observe(timings.total_ms / 1000)
        if timings.first_token_ms is not None:
            self._first_word.observe(timings.first_token_ms / 1000)
        if timings.first_sentence_ms is not None:
            self._first_sentence.observe(timings.first_sentence_ms / 1000)

    def _histogram(self, name: str, about: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(name, about, labels, buckets=buckets, registry=self.registry)


def _outcome_of(error: Exception) -> str:
    if isinstance(error, Busy):
        return "busy"
    if isinstance(error, TooSlow):
        return "too_slow"
    if isinstance(error, ClientGone):
        return "left"
    return "stopped" if isinstance(error, NotReady) else "failed"


class _Now(Collector):
    """How things stand at the moment they are asked for."""

    def __init__(self, metrics: Metrics, ready: Ready, under_way: Callable[[], int]) -> None:
        self._metrics = metrics
        self._ready = ready
        self._under_way = under_way

    def collect(self) -> Iterator[Metric]:
        yield _gauge("sourcier_ready", "1 when questions are answered", self._ready.is_filled)
        yield _gauge("sourcier_questions_under_way", "Questions being answered", self._under_way())
        if self._metrics.model is not None:
            yield from self._of_model(self._metrics.model)
        if self._ready.is_filled:
            try:
                manifest = self._ready.pair[1].manifest
            except (NotReady, SourcierError):
                return  # stopping, or broken: /readyz says so
            yield _gauge("sourcier_index_generation", "Number of the generation served", int(manifest.generation))
            yield _gauge("sourcier_index_articles", "Articles in it", manifest.articles)
            yield _gauge("sourcier_index_passages", "Passages in it", manifest.passages)

    def _of_model(self, model: Model) -> Iterator[Metric]:
        work = model.work
        yield _counter("sourcier_tokens_read", "Tokens of prompts that the model has read", work.tokens_read)
        yield _counter("sourcier_tokens_written", "Tokens that the model has written", work.tokens_written)
        yield _gauge("sourcier_model_requests_running", "What the model works on at once", work.running)
        yield _gauge("sourcier_model_requests_waiting", "What waits for the model", work.waiting)
        sizes = model.states.sizes()
        states = GaugeMetricFamily(
            "sourcier_states", "Passages whose stored KV state spares a reading", labels=["where"]
        )
        held = GaugeMetricFamily("sourcier_states_bytes", "Bytes that these take", labels=["where"])
        for where, count, size in (
            ("memory", sizes.memory_states, sizes.memory_bytes),
            ("disk", sizes.disk_states, sizes.disk_bytes),
        ):
            states.add_metric([where], count)
            held.add_metric([where], size)
        yield from (states, held)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=float(value))


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(name, about, value=value)
