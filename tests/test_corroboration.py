"""Who else says a sentence: other articles are cited where they say all of it, and copies are one source."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_language_model import FakeLanguageModel
from fakes import FakeEmbedder

from index.articles import Article
from index.build import build
from index.passages import Passage, Span
from index.search import Hit, Index
from qa.answers import Answerer
from qa.corroboration import independent_sources
from qa.events import Answer, Checked

QUESTION = "Combien ont coûté les travaux du pont ?"
SAYS = "Les travaux du pont ont coûté 618 000 euros."
REST = {
    "Le Courrier": "La maire Hélène Marchand a coupé le ruban devant trois cents personnes.",
    "La Gazette": "Il aura fallu neuf mois de chantier, et beaucoup de patience aux riverains.",
    "L’Écho": "Le marché du samedi retrouve ses étals sur les deux rives de la rivière.",
}


def answer(tmp_path: Path, articles: dict[str, str], says: str = SAYS, language: str = "fr") -> Answer:
    for number, (source, text) in enumerate(articles.items()):
        head = f"---\ntitle: Le pont\nsource: {source}\nlanguage: {language if number else 'fr'}\n---\n"
        (tmp_path / f"{number}.md").write_text(head + text, encoding="utf-8")
    build(sorted(tmp_path.glob("*.md")), tmp_path / "home", FakeEmbedder(), "fake")
    index = Index(tmp_path / "home", FakeEmbedder())
    *shown, last = Answerer(index, FakeEmbedder(), FakeLanguageModel([says], [(-14.0,)])).ask(QUESTION, (), 5)
    index.close()
    assert isinstance(last, Answer)
    checked = [event for event in shown if isinstance(event, Checked)]
    assert [citation.number for one in checked for citation in one.citations] == [
        number for sentence in last.sentences for number in sentence.citations
    ]
    return last


def test_another_article_that_says_it_is_cited_too(tmp_path: Path) -> None:
    found = answer(tmp_path, {source: f"{SAYS} {rest}" for source, rest in list(REST.items())[:2]})
    assert {citation.article.source for citation in found.citations} == {"Le Courrier", "La Gazette"}
    assert [citation.quote for citation in found.citations] == [SAYS, SAYS]
    assert found.sentences[0].citations == (1, 2)
    assert found.independent_sources == 2


def test_at_most_three_articles_are_cited_for_one_sentence(tmp_path: Path) -> None:
    articles = {source: f"{SAYS} {rest}" for source, rest in REST.items()}
    found = answer(tmp_path, {**articles, "Sud": f"Enfin ! {SAYS} {OTHER}"})
    assert found.sentences[0].citations == (1, 2, 3)
    assert found.independent_sources == 3


OTHER = "Les pêcheurs, eux, attendent encore que le niveau de l’eau baisse pour revenir."


@pytest.mark.parametrize(
    "other",
    [
        "À la fin, les travaux de ce pont nous ont coûté 640 000 euros.",
        "À la fin, les travaux de ce pont nous ont coûté cher.",
        "Les travaux du pont sont finis. Une école neuve avait coûté 618 000 euros il y a trois ans déjà.",
        OTHER,
    ],
)
def test_what_says_less_or_something_else_is_not_cited(tmp_path: Path, other: str) -> None:
    found = answer(tmp_path, {"Le Courrier": f"{QUESTION} {SAYS}", "La Gazette": other})
    assert [citation.article.source for citation in found.citations] == ["Le Courrier"]
    assert found.independent_sources == 1


def test_a_sentence_without_a_number_or_a_name_has_one_source(tmp_path: Path) -> None:
    says = "Les travaux du pont ont coûté une fortune."
    found = answer(tmp_path, {source: f"{says} {rest}" for source, rest in list(REST.items())[:2]}, says)
    assert len(found.citations) == found.independent_sources == 1


def test_an_article_in_another_language_is_not_cited_on_its_words(tmp_path: Path) -> None:
    says_it_later = "Da, les travaux du pont ont coûté 618 000 euros."
    found = answer(tmp_path, {"Le Courrier": f"{QUESTION} {SAYS}", "Ziarul": says_it_later}, language="ro")
    assert [citation.article.source for citation in found.citations] == ["Le Courrier"]
    assert len(found.citations) == found.independent_sources == 1


def test_copies_are_one_source(tmp_path: Path) -> None:
    """An agency's report in two papers, the second with a passage of its own that says it too."""
    report = f"{SAYS} {' '.join(REST.values())}"
    own = "Rappel du chantier, commencé en janvier. Les travaux du pont ont coûté 618 000 euros. " + OTHER
    found = answer(tmp_path, {"Le Courrier": report, "La Gazette": f"{report}\n\n{own}"})
    assert found.independent_sources == 1
    assert len({citation.article.source for citation in found.citations}) == 1


@pytest.mark.parametrize(
    ("cited", "count"),
    [
        ([], 0),
        ([("a", "Le Courrier")], 1),
        ([("a", "Le Courrier"), ("b", "La Gazette")], 2),
        ([("a", "Le Courrier"), ("b", "Le Courrier")], 1),
        ([("a", None), ("b", None)], 2),
        ([("a", "Le Courrier"), ("a", "La Gazette")], 1),
        # The Gazette prints what the Courrier does, and something of its own: all three are one.
        ([("a", "Le Courrier"), ("b", "La Gazette"), ("a", "La Gazette")], 1),
    ],
)
def test_articles_of_one_paper_and_copies_are_one_source(cited: list[tuple[str, str | None]], count: int) -> None:
    assert independent_sources([hit_of(name, paper) for name, paper in cited]) == count


def hit_of(name: str, paper: str | None) -> Hit:
    article = Article(name, name, name, "fr", source=paper)
    return Hit(article, Passage(name, name, 0, 1, name, ()), Span(0, 1), 1.0, 1.0, 1.0, 1, np.zeros((1, 4), np.float32))
