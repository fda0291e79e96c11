"""Reading passages ahead: newest first, what has no state yet, while nobody asks, and only what is in the index."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tiny_gguf import plain_model
from watched_context import WatchedContext

from index.articles import Article
from index.errors import BrokenIndex
from index.passages import Passage
from index.progress import NoProgress
from qa import llama_model, prompt, reading_ahead
from qa.errors import Busy, PromptTooLong
from qa.language_model import NOBODY, Asker, Message, kept_key, prefix_key
from qa.llama_model import LlamaModel
from qa.prefill_cache import USUAL_BYTES, PrefillCache
from qa.prompt import no_passage_messages, passage_messages, stand_alone_messages
from qa.reading_ahead import IdleReader, ReadReport, read_ahead, state_keys

WAIT = 10.0  # seconds
# What prompts begin with is kept whatever the index holds.
BEGINNINGS = {prefix_key(no_passage_messages()), prefix_key(stand_alone_messages((), ""))}


def passage_of(text: str) -> tuple[Article, Passage]:
    return Article(text, text, text, "en"), Passage(f"{text}:0", text, 0, len(text), text, ())


def key_of(text: str) -> str:
    article, passage = passage_of(text)
    key = kept_key(passage_messages(article, passage.text))
    assert key
    return key


class Index:
    """Passages in the order given, and a generation that a test can change."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.generation = "1"
        self.asked: list[int] = []
        self.broken = False
        self.looks = 0

    def passages(self, offset: int, limit: int) -> Sequence[tuple[Article, Passage]]:
        self.asked.append(limit)
        return [passage_of(text) for text in self.texts[offset : offset + limit]]

    def generation_name(self) -> str:
        self.looks += 1
        if self.broken:
            raise BrokenIndex(Path("CURRENT"), "gone")
        return self.generation


class Model:
    """Stores one byte for what it is asked to read, and remembers which texts those were."""

    def __init__(self, states: PrefillCache) -> None:
        self.states = states
        self.read: list[str] = []
        self.quiet = 1_000.0
        self.trouble: dict[str, Exception] = {}
        self.reading = threading.Event()
        self.askers: list[Asker] = []
        self.meanwhile: Callable[[], object] = lambda: None  # what happens while it reads

    def read_ahead(self, messages: Sequence[Message], asker: Asker = NOBODY) -> bool:
        text = messages[-1].text.split("\n")[1]
        self.askers.append(asker)
        if trouble := self.trouble.pop(text, None):
            raise trouble
        self.read.append(text)
        self.meanwhile()
        key = kept_key(messages)
        assert key
        self.states.put(key, b"x")
        self.reading.set()
        return True

    def quiet_for(self) -> float:
        return self.quiet


@pytest.fixture
def states(tmp_path: Path) -> Iterator[PrefillCache]:
    cache = PrefillCache(tmp_path / "states", "ab")
    yield cache
    cache.close()


@pytest.fixture
def model(states: PrefillCache) -> Model:
    return Model(states)


def ahead(index: Index, model: Model, most: int | None = None) -> ReadReport:
    return read_ahead(index, model, model.states, len(index.texts), NoProgress(), most)


def until(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WAIT
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.002)
    return happened()


def test_it_reads_in_the_order_of_the_index_and_goes_on_where_it_was(model: Model) -> None:
    index = Index("newest", "middle", "oldest")
    assert ahead(index, model, most=2) == ReadReport(2, 2, 3, full=False)
    assert model.read == ["newest", "middle"]
    assert ahead(index, model) == ReadReport(1, 3, 3, full=False)
    assert model.read == ["newest", "middle", "oldest"]
    assert ahead(index, model) == ReadReport(0, 3, 3, full=False)


def test_of_many_passages_it_takes_some_at_a_time(model: Model) -> None:
    index = Index(*(f"article {number}" for number in range(450)))
    assert ahead(index, model).stored == 450
    assert len(index.asked) == 4  # three pages, and one that is empty
    assert model.read == index.texts


def test_a_passage_that_the_model_cannot_read_is_passed_over(model: Model) -> None:
    model.trouble["two"] = PromptTooLong("too long")
    assert ahead(Index("one", "two", "three"), model) == ReadReport(2, 2, 3, full=False)


def test_a_full_disk_budget_ends_it(tmp_path: Path) -> None:
    states = PrefillCache(tmp_path, "ab", disk_bytes=USUAL_BYTES - 1)
    model = Model(states)
    assert ahead(Index("one", "two"), model) == ReadReport(0, 0, 2, full=True)
    assert model.read == []
    states.close()


def test_it_ends_when_the_disk_budget_is_reached_and_counts_what_there_is(tmp_path: Path) -> None:
    states = PrefillCache(tmp_path, "ab", disk_bytes=USUAL_BYTES + 300)  # a file has 150 bytes and more
    model = Model(states)
    states.put(key_of("last"), b"x")
    model.meanwhile = states.flush
    report = ahead(Index("one", "two", "three", "four", "last"), model)
    assert report.full
    assert 1 <= report.read <= 2
    assert report.stored == report.read + 1
    states.close()


def test_the_keys_are_those_of_the_prompts_about_the_passages() -> None:
    assert state_keys(Index("one", "two")) - BEGINNINGS == {key_of("one"), key_of("two")}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, model: Model) -> Iterator[Callable[..., IdleReader]]:
    monkeypatch.setattr(reading_ahead, "_LOOK", 0.005)
    readers: list[IdleReader] = []

    def open_one(index: Index, ahead: bool = True) -> IdleReader:
        readers.append(IdleReader(index, model, model.states, ahead))
        return readers[-1]

    yield open_one
    for reader in readers:
        reader.close()


def test_beside_a_server_it_reads_while_nobody_asks(opened: Callable[..., IdleReader], model: Model) -> None:
    model.quiet = 0.0
    opened(Index("newest", "oldest"))
    assert not model.reading.wait(0.1)
    model.quiet = 1_000.0
    assert until(lambda: model.read == ["newest", "oldest"])


def test_what_is_no_longer_in_the_index_is_let_go_of(opened: Callable[..., IdleReader], model: Model) -> None:
    index = Index("kept", "deleted")
    opened(index)
    assert until(lambda: len(model.read) == 2)
    model.states.flush()
    index.texts, index.generation = ["new", "kept"], "2"
    assert until(lambda: key_of("deleted") not in model.states)
    assert until(lambda: model.read == ["kept", "deleted", "new"])
    assert key_of("kept") in model.states


def test_what_is_deleted_while_it_reads_is_let_go_of_next(opened: Callable[..., IdleReader], model: Model) -> None:
    index = Index(*(f"old {number}" for number in range(300)), "kept")

    def build() -> None:
        index.texts, index.generation = ["new", "kept"], "2"
        model.meanwhile = lambda: None

    model.meanwhile = build
    opened(index)
    assert until(lambda: len(model.read) >= 3)
    assert model.read == ["old 0", "new", "kept"]
    assert key_of("old 0") not in model.states


def test_what_there_is_no_room_for_is_read_when_there_is(
    opened: Callable[..., IdleReader], model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []
    monkeypatch.setattr(model.states, "has_room", lambda: looks.append(len(looks) >= 5) or looks[-1])
    opened(Index("one", "two"))
    assert until(lambda: model.read == ["one", "two"])
    assert len(looks) >= 7


def test_told_not_to_read_it_still_lets_go(opened: Callable[..., IdleReader], model: Model) -> None:
    model.states.put(key_of("deleted"), b"x")
    opened(Index("kept"), ahead=False)
    assert until(lambda: key_of("deleted") not in model.states)
    assert model.read == []


def test_busy_is_tried_again_and_too_long_is_not(opened: Callable[..., IdleReader], model: Model) -> None:
    model.trouble = {"busy": Busy(1.0), "long": PromptTooLong("too long")}
    opened(Index("busy", "long", "last"))
    assert until(lambda: model.read == ["busy", "last"])


def test_a_broken_index_stops_it_until_the_next_generation_and_is_logged_once(
    opened: Callable[..., IdleReader], model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    index = Index("one")
    index.broken = True
    opened(index)
    assert until(lambda: index.looks >= 5)
    assert caplog.text.count("reading ahead stopped") == 1
    index.broken = False
    assert until(lambda: model.read == ["one"])


def test_closing_tells_the_model_and_ends_the_thread(opened: Callable[..., IdleReader], model: Model) -> None:
    reader = opened(Index("one"))
    assert until(lambda: model.read == ["one"])
    assert not model.askers[0].cancelled()
    reader.close()
    assert model.askers[0].cancelled()
    assert "idle reader" not in {thread.name for thread in threading.enumerate()}


# -- with a model that reads -------------------------------------------------------------------------------------------


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LlamaModel, WatchedContext]]:
    """The tiny model, its states on disk."""
    monkeypatch.setattr(llama_model, "LlamaContext", WatchedContext)
    monkeypatch.setattr(reading_ahead, "_LOOK", 0.005)
    monkeypatch.setattr(reading_ahead, "_QUIET", 0.02)
    monkeypatch.setattr(prompt, "_EXAMPLES", ())  # a letter is a token here, and they are long
    states = PrefillCache(tmp_path / "states", "ab")
    model = LlamaModel(plain_model(tmp_path / "tiny.gguf"), threads=1, states=states)
    assert isinstance(model._context, WatchedContext)
    yield model, model._context
    model.close()


def asked_about(text: str) -> list[Message]:
    """What a reader asks about a passage that may have been read ahead."""
    article, passage = passage_of(text)
    *before, user = passage_messages(article, passage.text)
    return [*before, Message("user", (user.pieces[0], "Question: What is new?"), kept=1)]


def texts_decoded(context: WatchedContext) -> str:
    return bytes(row.token % 256 for rows in context.decoded for row in rows).decode("latin-1")


def test_the_model_reads_the_newest_first_and_no_passage_twice(real: tuple[LlamaModel, WatchedContext]) -> None:
    model, context = real
    index = Index("newest " * 20, "middle " * 20, "oldest " * 20)
    reader = IdleReader(index, model, model.states)
    assert until(lambda: all(key_of(text) in model.states for text in index.texts))
    reader.close()
    read = texts_decoded(context)
    assert read.index("newest") < read.index("middle") < read.index("oldest")
    total = context.tokens()
    assert read_ahead(index, model, model.states, 3, NoProgress()) == ReadReport(0, 3, 3, full=False)
    assert context.tokens() == total
    model.score(asked_about("oldest " * 20), ["y"])
    assert "oldest" not in texts_decoded(context)[len(read) :]


def test_readers_go_before_it_and_get_what_they_would_without_it(real: tuple[LlamaModel, WatchedContext]) -> None:
    model, context = real
    ahead_texts = [f"passage {number} " * 30 for number in range(4)]
    question = asked_about("something else " * 10)
    expected = "".join(model.generate(question, 30))
    model.states.keep_only(())
    replies: list[Iterator[str]] = []

    def before() -> None:
        if "passage 1" in texts_decoded(context) and not replies:
            replies.append(model.generate(question, 30))

    context.before = before
    reader = IdleReader(Index(*ahead_texts), model, model.states)
    assert until(lambda: all(key_of(text) in model.states for text in ahead_texts))
    reader.close()
    assert "".join(replies[0]) == expected
    assert context.aborted == 1
    # Nothing was read ahead between the question and the last word of its reply.
    after = texts_decoded(context).rpartition("something else")[2]
    assert "passage" not in after[: len("Question: What is new?") + 30]


def test_closing_it_does_not_wait_for_a_passage(real: tuple[LlamaModel, WatchedContext]) -> None:
    model, context = real
    long = "long " * 300
    context.before = lambda: time.sleep(0.01)
    reader = IdleReader(Index(long), model, model.states)
    assert until(lambda: len(context.decoded) > 8)
    reader.close()
    assert key_of(long) not in model.states
    assert len(context.decoded) < 40  # of 50
