"""The file of suggested questions: whose article is gone goes, what cannot be read counts as none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from index.articles import Article, read_articles
from index.build import build
from index.deletion import delete
from index.errors import SourcierError
from qa.suggestions import (
    FILE,
    FindArticle,
    Suggestion,
    SuggestionFile,
    articles_on_disk,
    digest_of_article,
    shown_suggestions,
)
from qa.wording.askable_facts import LANGUAGES
from tests.fakes import FakeEmbedder, write_articles

OLD = Article("old", "Le marché", "Le marché a lieu samedi.", "fr", date(2025, 10, 1))
NEW = Article("new", "Le pont", "Le pont a rouvert.", "fr", datetime(2025, 11, 8, 7, 30, tzinfo=UTC))
UNDATED = Article("undated", "La foire", "La foire a lieu.", "fr")
ENGLISH = Article("english", "The wolf", "The wolf was a dog.", "en", date(2025, 10, 30))
ARTICLES = {article.id: article for article in (OLD, NEW, UNDATED, ENGLISH)}


def about(article: Article, question: str) -> Suggestion:
    return Suggestion(article.id, digest_of_article(article), article.language, question)


MARKET = about(OLD, "Quand le marché d’Aubrenne a-t-il lieu ?")
BRIDGE = about(NEW, "Qui a rouvert le pont des Tanneurs ?")
FAIR = about(UNDATED, "Combien de visiteurs la foire attire-t-elle ?")
WOLF = about(ENGLISH, "What was the wolf of La Mauzerie?")
ALL = [MARKET, BRIDGE, FAIR, WOLF]


@pytest.fixture
def file(tmp_path: Path) -> SuggestionFile:
    file = SuggestionFile(tmp_path / "home")
    for one in ALL:
        assert file.add(one, ARTICLES.get)
    return file


def shown(suggestions: list[Suggestion], find: FindArticle, language: str, most: int) -> list[Suggestion]:
    return shown_suggestions(suggestions, find, language, most, ("accepted", "proposed"))


def questions(found: list[Suggestion]) -> list[str]:
    return [one.question for one in found]


def test_it_is_read_as_it_was_written(file: SuggestionFile) -> None:
    assert file.read() == ALL
    assert SuggestionFile(file.path.parent).read() == ALL


def test_the_newest_of_the_pages_language_are_shown() -> None:
    assert questions(shown(ALL, ARTICLES.get, "fr", 9)) == questions([BRIDGE, MARKET, FAIR])
    assert questions(shown(ALL, ARTICLES.get, "fr", 2)) == questions([BRIDGE, MARKET])
    assert shown(ALL, ARTICLES.get, "en", 9) == [WOLF]
    assert shown(ALL, ARTICLES.get, "de", 9) == []


def test_what_an_editor_accepted_comes_first() -> None:
    own = replace(MARKET, question="Où se tient le marché d’Aubrenne ?", state="accepted")
    assert shown([*ALL, own], ARTICLES.get, "fr", 2) == [own, BRIDGE]


def test_no_two_of_one_article_nor_about_the_same() -> None:
    again = about(NEW, "Combien de voitures empruntent la route ?")
    same = about(OLD, "Qui a vraiment rouvert le pont des Tanneurs ?")
    assert shown([BRIDGE, again, same], ARTICLES.get, "fr", 4) == [BRIDGE]


def test_empty_refused_and_stale_ones_are_not_shown() -> None:
    changed = {**ARTICLES, "old": replace(OLD, text="Le marché a lieu dimanche.")}
    refused = replace(FAIR, state="refused")
    nothing = about(NEW, "")
    assert shown([MARKET, refused, nothing], changed.get, "fr", 4) == []


@pytest.mark.parametrize(
    "change", [{"text": "Autre."}, {"title": "Autre"}, {"published": None}, {"language": "en"}, {"source": "Sud"}]
)
def test_whatever_a_reader_sees_of_an_article_counts(change: dict[str, str]) -> None:
    assert digest_of_article(replace(NEW, **change)) != digest_of_article(NEW)


def test_what_is_made_anew_takes_the_place_of_what_was(file: SuggestionFile) -> None:
    anew = about(NEW, "Pourquoi le pont des Tanneurs a-t-il rouvert ?")
    file.add(anew, ARTICLES.get)
    assert file.read() == [MARKET, FAIR, WOLF, anew]
    own = replace(anew, state="accepted", article_id="undated", article_digest=FAIR.article_digest)
    file.add(own, ARTICLES.get)  # the same question
    assert file.read() == [MARKET, FAIR, WOLF, own]


def test_an_editor_accepts_and_refuses(file: SuggestionFile) -> None:
    assert file.judge(BRIDGE.question, "refused")
    assert not file.judge(BRIDGE.question, "refused")
    assert not file.judge("Qui ?", "accepted")
    assert file.judge(MARKET.question, "accepted")
    expected = [replace(MARKET, state="accepted"), replace(BRIDGE, state="refused"), FAIR, WOLF]
    assert file.read() == expected
    assert shown_suggestions(expected, ARTICLES.get, "fr", 9, ("accepted",)) == expected[:1]
    file.add(about(NEW, "Pourquoi le pont ?"), ARTICLES.get)
    assert file.read() == [*expected, about(NEW, "Pourquoi le pont ?")]  # what was refused is not forgotten


def test_what_belongs_to_articles_that_are_gone_goes(file: SuggestionFile) -> None:
    assert file.keep_current(ARTICLES.get) == 0
    left = {"old": OLD, "new": replace(NEW, text="Le pont a fermé."), "english": ENGLISH}
    assert file.keep_current(left.get) == 2
    assert file.read() == [MARKET, WOLF]


def test_nothing_is_added_about_an_article_that_was_deleted_meanwhile(file: SuggestionFile) -> None:
    before = file.path.read_bytes()
    late = about(Article("gone", "Le tuba", "Le tuba est à vendre.", "fr"), "Qui vend le tuba ?")
    assert not file.add(late, ARTICLES.get)
    assert file.path.read_bytes() == before


def test_where_there_is_no_file_there_are_none_and_none_is_made(tmp_path: Path) -> None:
    file = SuggestionFile(tmp_path / "home")
    assert file.read() == []
    assert file.stamp() is None
    assert file.keep_current(ARTICLES.get) == 0
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        '{"version": 1}',
        '{"version": 1, "suggestions": [{}]}',
        '{"version": 1, "suggestions": [{"article_id": 1, "article_digest": "", "language": "fr", "question": "?"}]}',
        '{"version": 1, "suggestions": [{"article_id": "a", "article_digest": "", "language": "fr", "question": "?", '
        '"state": "anything"}]}',
        "\udcff",
    ],
)
def test_a_file_that_is_not_ours_counts_as_none(
    file: SuggestionFile, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    file.path.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert file.read() == []
    assert "suggests nothing" in caplog.text
    assert file.add(BRIDGE, ARTICLES.get)
    assert file.read() == [BRIDGE]


def test_what_was_made_in_another_way_is_made_anew_but_an_editors_stays(file: SuggestionFile) -> None:
    own = replace(MARKET, state="accepted")
    file.add(own, ARTICLES.get)
    content = json.loads(file.path.read_text(encoding="utf-8"))
    file.path.write_text(json.dumps({**content, "version": 0}), encoding="utf-8")
    assert file.read() == [own]


def test_a_home_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(SourcierError, match="cannot be written"):
        SuggestionFile(tmp_path / "home").add(BRIDGE, ARTICLES.get)


def test_another_file_is_taken_over_as_far_as_its_articles_are_here(file: SuggestionFile, tmp_path: Path) -> None:
    other = SuggestionFile(tmp_path / "other")
    other.adopt(tmp_path / "nowhere.json", ARTICLES.get)
    assert other.read() == []
    other.adopt(file.path, {"old": OLD, "new": replace(NEW, text="Autre.")}.get)
    assert other.read() == [MARKET]


def test_the_questions_of_the_sample_newspaper_are_about_its_articles_as_they_are() -> None:
    corpus = Path(__file__).parent.parent / "corpus"
    articles = {one.id: one for one in read_articles([corpus]) if isinstance(one, Article)}
    found = SuggestionFile(corpus).read()
    assert [one.question for one in found if digest_of_article(articles[one.article_id]) != one.article_digest] == []
    for language in LANGUAGES:
        assert len(shown_suggestions(found, articles.get, language, 4, ("accepted",))) >= 3


def test_a_deleted_article_takes_its_questions_with_it(tmp_path: Path) -> None:
    """As tests/test_deletion.py holds the index to it: not a byte of them is left."""
    home = tmp_path / "home"
    write_articles(tmp_path / "a.jsonl", {"zorglub": "Zorglubine a parlé.", "other": "Le pont a rouvert hier."})
    build([tmp_path / "a.jsonl"], home, FakeEmbedder(), "fake")
    find = articles_on_disk(home)
    gone, kept = find("zorglub"), find("other")
    assert gone
    assert kept
    file = SuggestionFile(home)
    file.add(about(gone, "Qui est Zorglubine ?"), find)
    file.add(about(kept, "Quand le pont a-t-il rouvert ?"), find)
    delete(home, ["zorglub"])
    assert find("zorglub") is None
    assert file.keep_current(find) == 1
    for path in (path for path in home.rglob("*") if path.is_file()):
        assert b"orglub" not in path.read_bytes(), path
    assert questions(file.read()) == ["Quand le pont a-t-il rouvert ?"]
    assert FILE in {path.name for path in home.iterdir()}
