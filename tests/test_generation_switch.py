"""A server that is asked all the time, while generation after generation is published and removed under it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from index.build import build, rollback
from index.deletion import delete
from index.search import Index
from tests.fakes import FakeEmbedder, some_articles, write_articles

ARTICLES = some_articles(6)


def test_no_request_fails_while_twenty_generations_come_and_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home, articles = tmp_path / "home", tmp_path / "articles.jsonl"

    def publish(number: int) -> None:
        marked = {f"{name}-g{number}": f"{text}\n\nLa ronde {number}." for name, text in ARTICLES.items()}
        write_articles(articles, {**marked, "gone": "Un article qui partira."})
        build([articles], home, FakeEmbedder(), "fake")

    publish(0)
    index = Index(home, FakeEmbedder())
    wrong: list[object] = []
    seen: list[set[str]] = [set() for _ in range(4)]
    answered = [0] * 4
    done = threading.Event()

    def ask(reader: int) -> None:
        while not done.is_set():
            try:
                hits = index.search("mota ca fu ronde", 50)
                rounds = {hit.article.id.rpartition("-g")[2] for hit in hits} - {"gone"}
                for hit in hits:
                    # What a page shows next: the article itself, unless it has gone meanwhile.
                    article = index.article(hit.article.id)
                    if article is not None and article.text[hit.passage.start : hit.passage.end] != hit.passage.text:
                        wrong.append(hit)
                if len(rounds) != 1 or len({hit.article.id for hit in hits}) not in (6, 7):
                    wrong.append(hits)
                seen[reader] |= rounds
                answered[reader] += 1
            except Exception as error:
                wrong.append(error)

    readers = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for reader in readers:
        reader.start()
    for number in range(1, 21):
        publish(number)
        if number % 5 == 0:
            delete(home, ["gone"])
        elif number % 5 == 3:
            rollback(home)
    done.set()
    for reader in readers:
        reader.join(30)
        assert not reader.is_alive()
    assert wrong == []
    assert caplog.records == []
    assert min(answered) >= 20
    assert len(set.union(*seen)) >= 10
    assert {hit.article.id.rpartition("-g")[2] for hit in index.search("ronde", 50)} == {"20"}
    index.close()
    assert len([path for path in (home / "index").iterdir() if path.is_dir()]) == 1
