"""What a sentence states that one can ask for, and whether an answer says it."""

from __future__ import annotations

import pytest

from qa.wording.askable_facts import Fact, Kind, askable_facts, says_fact


@pytest.mark.parametrize(
    ("sentence", "facts"),
    [
        ("La facture définitive s’établit à 618 000 euros.", [("how much", "618 000 euros")]),
        ("Un bénéfice net de 18,4 millions d’euros.", [("how much", "18,4 millions d’euros")]),
        ("Les ventes ont baissé de 31 % sur un an.", [("how much", "31 %")]),
        ("Le pont rouvrira le 15 mars 2026.", [("when", "le 15 mars 2026")]),
        ("Il faudra six semaines à l’été 2026.", [("when", "à l’été 2026")]),
        ("Hélène Marchand a coupé le ruban.", [("who", "Hélène Marchand")]),
        ("La maire, Anne-Laure Péricart, a coupé le ruban.", [("who", "Anne-Laure Péricart")]),
        ("Le col est fermé en raison des chutes de neige.", [("why", "en raison des chutes de neige")]),
        ("Il habite rue Émile Marchand, près du pont.", []),
        ("Le match a commencé à 15 heures, en 2025.", []),
        ("La vie continue.", []),
    ],
)
def test_facts_of_french_sentences(sentence: str, facts: list[tuple[Kind, str]]) -> None:
    assert list(askable_facts(sentence, "fr")) == [Fact(*one) for one in facts]


@pytest.mark.parametrize(
    ("sentence", "facts"),
    [
        ("He will be paid 5,200 euros.", [("how much", "5,200 euros")]),
        ("The market opens on 3 December.", [("when", "on 3 December")]),
        ("It was shot in spring 2023, said Joël Pastourel.", [("who", "Joël Pastourel"), ("when", "in spring 2023")]),
        ("The bridge closed because of cracks in a pier.", [("why", "because of cracks in a pier")]),
        ("He farms in Port Ellory.", []),
    ],
)
def test_facts_of_english_sentences(sentence: str, facts: list[tuple[Kind, str]]) -> None:
    assert list(askable_facts(sentence, "en")) == [Fact(*one) for one in facts]


def test_reasons_come_first_and_other_languages_have_none() -> None:
    sentence = "Le 3 mai, Anne Roy a versé 40 euros parce que la caisse était vide depuis longtemps."
    assert [fact.kind for fact in askable_facts(sentence, "fr")] == ["why", "who", "how much", "when"]
    assert list(askable_facts(sentence, "de")) == []


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("Les travaux ont coûté 618 000 euros.", "618 000 euros", True),
        ("Les travaux ont coûté 640 000 euros.", "618 000 euros", False),
        ("C’est Hélène Marchand.", "Hélène Marchand", True),
        ("C’est Helene Marchand.", "Hélène Marchand", True),
        ("C’est Paul Fauchard.", "Hélène Marchand", False),
        ("Les sentiers sont encombrés d’arbres tombés.", "parce que les sentiers sont encombrés d’arbres", True),
        ("Les sentiers sont beaux.", "parce que les chemins restent encombrés d’arbres tombés", False),
    ],
)
def test_an_answer_says_the_fact_or_not(text: str, words: str, said: bool) -> None:
    assert says_fact(text, Fact("who", words), "fr") is said
