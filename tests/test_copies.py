"""Copies among the hits: one for all, the others named, and nothing lost that only one of them says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from index.build import build
from index.filters import Filters
from index.search import Index
from tests.fakes import FakeEmbedder

REPORT = (
    "Le pont des Tanneurs a rouvert mardi matin après quatorze mois de travaux, a annoncé la mairie d’Aubrenne. "
    "Les ouvriers ont remplacé les deux piles abîmées par la crue, et le tablier a été élargi pour les vélos. "
    "La facture s’élève à 618 000 euros, payés pour moitié par la région et pour moitié par la ville elle-même."
)
OTHER = (
    "La foire aux pommes attire cette année plus de cent exposants venus de toute la vallée, selon les organisateurs. "
    "Les vergers ont donné une récolte abondante malgré la grêle du mois de mai, qui avait fait craindre le pire."
)
MORE = "L’adjoint aux ponts, interrogé jeudi, promet aussi une passerelle pour les piétons avant le printemps prochain."

Opened = Callable[..., Index]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    indexes: list[Index] = []

    def of(*rows: dict[str, str]) -> Index:
        home, path = tmp_path / f"home{len(indexes)}", tmp_path / "articles.jsonl"
        path.write_text("".join(json.dumps({"language": "fr", **row}) + "\n" for row in rows), encoding="utf-8")
        embedder = FakeEmbedder()
        build([path], home, embedder, "fake")
        indexes.append(Index(home, embedder))
        return indexes[-1]

    yield of
    for index in indexes:
        index.close()


def found(index: Index, k: int = 9, filters: Filters | None = None) -> dict[str, list[str]]:
    hits = index.search("Quand le pont des Tanneurs a-t-il rouvert ?", k, filters or Filters())
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    return {hit.article.id: [article.id for article in hit.also] for hit in hits}


AGENCY = {"id": "agence", "title": "Le pont a rouvert", "published": "2025-11-04", "text": REPORT}
PAPER = {"id": "courrier", "title": "Enfin le pont !", "published": "2025-11-05", "text": "(AFP) " + REPORT}
FAIR = {"id": "foire", "title": "La foire", "published": "2025-11-06", "text": OTHER}


def test_of_copies_the_newest_is_a_hit_and_names_the_others(opened: Opened) -> None:
    undated = {**AGENCY, "id": "brouillon"}
    del undated["published"]
    index = opened(undated, AGENCY, PAPER, FAIR)
    shown = found(index)
    assert set(shown) == {"courrier", "foire"}
    assert sorted(shown["courrier"]) == ["agence", "brouillon"]
    assert shown["foire"] == []


def test_copies_leave_their_places_to_others(opened: Opened) -> None:
    copies = [{**AGENCY, "id": f"paper-{number}", "published": f"2025-11-{number:02d}"} for number in range(1, 9)]
    shown = found(opened(*copies, FAIR), k=2)
    assert set(shown) == {"paper-8", "foire"}
    assert len(shown["paper-8"]) == 7


def test_a_filter_leaves_out_copies_too(opened: Opened) -> None:
    index = opened(AGENCY, PAPER, FAIR)
    assert found(index, filters=Filters(article_id=("agence", "foire"))) == {"agence": [], "foire": []}


def test_a_corrected_version_stands_for_the_first_one(opened: Opened) -> None:
    corrected = {**AGENCY, "id": "rectifié", "published": "2025-11-07", "text": REPORT.replace("618 000", "640 000")}
    index = opened(corrected, AGENCY)
    assert found(index) == {"rectifié": ["agence"]}


def test_what_only_one_version_says_is_a_hit_of_its_own(opened: Opened) -> None:
    """The update has a second passage, that no other article prints."""
    long = "\n\n".join([REPORT, *(f"{MORE} Détail numéro {number}." for number in range(14))])
    index = opened(AGENCY, {**AGENCY, "id": "mise-à-jour", "published": "2025-11-09", "text": long})
    hits = index.search("passerelle piétons printemps", 9)
    assert len(hits) > 1
    texts = [hit.passage.text for hit in hits if hit.article.id == "mise-à-jour"]
    assert any("numéro 13" in text for text in texts)
    assert len(texts) == len(set(texts))


def test_articles_on_one_subject_are_no_copies(opened: Opened) -> None:
    retold = REPORT.replace(" a rouvert mardi matin", " est ouvert de nouveau").replace("Les ouvriers", "Deux équipes")
    apart = " ".join(reversed(retold.split(" ")))
    shown = found(opened(AGENCY, {**PAPER, "text": apart}))
    assert shown == {"agence": [], "courrier": []}
