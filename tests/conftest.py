"""The real models, loaded once a run, and what to do where something a test needs is not beside the checkout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import chromium
from missing import impossible

from index.embedder import SentenceTransformerEmbedder
from index.model_files import DEFAULT_EMBEDDER, TerminalProgress, obtain
from index.storage.checksums import digest_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from reading_room import Open, Room
    from watched_context import PlainReader

    from index.search import Index
    from qa.answers import Answerer
    from qa.llama_model import LlamaModel

SHARED = Path(__file__).parent.parent.parent / "shared"


def beside_the_checkout(name: str) -> Path:
    """A file or folder of ../shared: the test is skipped where there is none, and fails in CI."""
    path = SHARED / name
    if not path.exists():
        impossible(f"{path} is not here (evaluation data lies beside the checkout, never in it)")
    return path


@pytest.fixture(scope="session")
def embedder() -> SentenceTransformerEmbedder:
    """EmbeddingGemma; fetched when it is missing."""
    with TerminalProgress() as progress:
        folder = obtain(DEFAULT_EMBEDDER, progress=progress)
    return SentenceTransformerEmbedder(folder, digest_of(folder))


@pytest.fixture(scope="session")
def language_model() -> Iterator[LlamaModel]:
    """The default language model; fetched when it is missing."""
    from qa.commands import adapter_of, language_model_file, layers_of
    from qa.llama_model import LlamaModel

    path = language_model_file(None)
    model = LlamaModel(path, layers=layers_of(path), adapter=adapter_of(path))
    yield model
    model.close()


@pytest.fixture(scope="session")
def answering(embedder: SentenceTransformerEmbedder, language_model: LlamaModel) -> Callable[[Index], Answerer]:
    """Makes what answers from an index, as the commands do."""
    from qa.answerability import DECLINE_BELOW
    from qa.commands import answerer_of, language_model_file

    path = language_model_file(None)
    return lambda index: answerer_of(index, embedder, language_model, path, DECLINE_BELOW)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with random weights, for tests of how it is read with."""
    from tiny_gguf import plain_model

    return plain_model(tmp_path_factory.mktemp("tiny") / "plain.gguf")


@pytest.fixture(scope="module")
def plain(tiny_model: Path) -> Iterator[PlainReader]:
    """The tiny model read with llama.cpp alone."""
    from watched_context import PlainReader

    reader = PlainReader(tiny_model)
    yield reader
    reader.close()


@pytest.fixture
def any_opened(tiny_model: Path) -> Iterator[Open]:
    """Opens rooms. Whatever a test did there, in the end nobody is left, no cell is taken, and the thread ends."""
    from reading_room import Room

    rooms: list[Room] = []

    def open_one(**settings: object) -> Room:
        rooms.append(Room(tiny_model, **settings))  # type: ignore[arg-type]  # whatever Room takes
        return rooms[-1]

    yield open_one
    empty = [room.closed or room.is_empty() for room in rooms]
    for room in rooms:
        room.close()
    assert all(empty)
    assert not any(room.loop._thread.is_alive() for room in rooms)


@pytest.fixture(params=[False, True], ids=["one context", "two contexts"])
def opened(any_opened: Open, request: pytest.FixtureRequest) -> Open:
    """Opens rooms without and with a context that reads passages."""
    return partial(any_opened, reading=request.param)


@pytest.fixture
def room(opened: Open) -> Room:
    return opened()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser
