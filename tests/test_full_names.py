"""Names put together from those of two people are noticed; names that are whole in the source never are."""

from __future__ import annotations

import pytest

from qa.wording.full_names import blended_names, completed_by_title

TWO = "Paul Durand a reçu Jean Martin à Lens. La maire, Hélène Marchand, était là, avec Mme Vauthier."


@pytest.mark.parametrize(
    ("sentence", "source", "blended"),
    [
        ("Le ministre est Paul Martin.", TWO, ["Paul Martin"]),
        ("Jean Durand a parlé.", TWO, ["Jean Durand"]),
        ("Luc de Nazareth la raconte.", "Jésus de Nazareth, selon l’Évangile de Luc.", ["Luc de Nazareth"]),
        ("Jean d’Ormesson est mort.", "Jean Martin est mort. Wladimir d’Ormesson aussi.", ["Jean d’Ormesson"]),
        ("Paul Durand et Jean Martin ont parlé.", TWO, []),
        ("Hélène Vauthier a parlé.", TWO, []),  # nobody else is called Vauthier: Mme may be Hélène
        ("Selon Hélène Marchand, il pleut.", "Avec Hélène, tout va. Selon Jean Marchand. Hélène Marchand rit.", []),
        ("Hélène Marchand rit.", "Marchand, Hélène, 41 ans. Jean Marchand. Hélène Durand.", []),
        ("Jean Paul Martin est là.", "On a vu Jean Paul Martin et Paul Durand.", []),
        ("Le Courrier de la Sarve paraît.", "Le Courrier de la Sarve paraît, la Gazette de la Sarve non.", []),
        ("Paul Martin est là.", "Il pleut à Lens.", []),  # that nobody is called so is noticed elsewhere
        ("", TWO, []),
    ],
)
def test_blended_names(sentence: str, source: str, blended: list[str]) -> None:
    assert blended_names(sentence, source, "fr") == blended


def test_every_sentence_of_a_source_is_made_of_its_own_names() -> None:
    for sentence in TWO.split(". "):
        assert blended_names(sentence, TWO, "fr") == []


@pytest.mark.parametrize(
    ("title", "source", "completed"),
    [
        ("Blaise Pascal", "En 1654, Pascal écrit peu.", "blaise pascal"),
        ("Blaise Pascal", "En 1654, il écrit peu. Le pascal est une unité.", ""),
        ("Hélène Marchand réélue, Jean Durand battu", "La maire, Mme Marchand, a souri.", "helene marchand"),
        ("Le pont des Tanneurs a rouvert", "Les Tanneurs rient.", ""),
        ("", "Pascal rit.", ""),
    ],
)
def test_a_title_completes_a_name(title: str, source: str, completed: str) -> None:
    assert completed_by_title(title, source, "fr") == frozenset(completed.split())


def test_where_headlines_have_capitals_they_complete_nothing() -> None:
    assert completed_by_title("Mayor Meets Tom Reddick", "Reddick laughed.", "en") == frozenset()
