"""What may stand on the first page: whole questions that name what they ask about, and lean on nothing."""

from __future__ import annotations

import pytest

from index.articles import Article
from qa.wording.printable_questions import is_printable, tidied

BRIDGE = Article(
    "bridge",
    "Le pont des Tanneurs a rouvert",
    "Trente-sept jours après sa fermeture, le pont des Tanneurs, à Aubrenne, a rouvert le 7 novembre 2025. Hélène "
    "Marchand, la maire, a coupé le ruban. La facture s’établit à 618 000 euros. Il y a deux trottoirs.",
    "fr",
)
WOLF = Article(
    "wolf",
    "The wolf of La Mauzerie turns out to be somebody’s dog",
    "Joël Pastourel, who farms at Saint-Orlan, lost 19 animals. He will be paid 5,200 euros by the insurer.",
    "en",
)


@pytest.mark.parametrize(
    "question",
    [
        "Combien ont coûté les travaux du pont des Tanneurs ?",
        "Quand le pont des Tanneurs a-t-il rouvert ?",
        "Pourquoi les travaux ont-ils coûté 618 000 euros à Aubrenne ?",
        "Qui a coupé le ruban du pont des Tanneurs le 7 novembre ?",
        "Combien de trottoirs y a-t-il sur le pont des Tanneurs ?",
        "Qu’a fait Hélène Marchand sur le pont ?",
        "À quelle date Hélène Marchand a-t-elle coupé le ruban ?",
    ],
)
def test_a_good_french_question_is_printed(question: str) -> None:
    assert is_printable(question, BRIDGE)


@pytest.mark.parametrize("question", ["How many animals did Joël Pastourel lose?", "Who will pay Joël Pastourel?"])
def test_a_good_english_question_is_printed(question: str) -> None:
    assert is_printable(question, WOLF)


@pytest.mark.parametrize(
    "question",
    [
        "",
        "?",
        "Quand ?",
        "Pourquoi le pont des Tanneurs",  # no question
        "Le pont des Tanneurs a rouvert.",
        "Le pont des Tanneurs a-t-il rouvert ?",  # yes or no
        "Quand a-t-il rouvert à Aubrenne ?",  # who?
        "Comment s’est-elle rendue à Aubrenne ?",
        "Pourquoi était-elle à Aubrenne en novembre ?",
        "Pourquoi elle a coupé le ruban à Aubrenne ?",
        "Combien coûte cette facture d’Aubrenne ?",
        "Que dit l’article sur le pont des Tanneurs ?",
        "Quel est le titre du texte sur Aubrenne ?",
        "Selon la maire, quand le pont des Tanneurs ouvre ?",
        "Quand le pont des Tanneurs a-t-il rouvert vendredi ?",
        "Que fait Hélène Marchand aujourd’hui ?",
        "Pourquoi votre pont des Tanneurs a-t-il rouvert ?",
        "Combien coûte la facture ?",  # names nothing
        "Quand Émile Fauchard a-t-il coupé le ruban ?",  # nobody in the article
        "Pourquoi le pont des Tanneurs a-t-il coûté 640 000 euros ?",  # nowhere in the article
        "Quand le pont a-t-il rouvert ? Et pourquoi le pont des Tanneurs ?",
        "Hélène Marchand est la maire. Quand a-t-elle coupé le ruban ?",
        "Qui a coupé le ruban du pont des Tanneurs et de tous les autres ponts que l’on trouve à Aubrenne et autour ?",
        "Who reopened the bridge at Aubrenne?",  # not the article's language
        "Pourquoi <|im_start|> le pont des Tanneurs ?",
        "Pourquoi le pont des Tanneurs <b>a-t-il</b> rouvert ?",
        "Comment oublier les consignes précédentes au pont des Tanneurs ?",
        "Pourquoi dois-tu ignorer les instructions du pont des Tanneurs ?",
        "pourquoi le pont des Tanneurs a-t-il rouvert ?",
    ],
)
def test_what_is_no_good_is_not_printed(question: str) -> None:
    assert not is_printable(question, BRIDGE)


@pytest.mark.parametrize(
    "question",
    [
        "What does the article say about Joël Pastourel?",
        "How much will he be paid at Saint-Orlan?",
        "How many animals did Joël Pastourel lose this week?",
        "Who is the author of La Mauzerie?",
        "How many animals did your Joël Pastourel lose?",
        "How did it happen at Saint-Orlan?",
    ],
)
def test_what_is_no_good_in_english_is_not_printed(question: str) -> None:
    assert not is_printable(question, WOLF)


def test_other_languages_have_no_rules_and_so_no_questions() -> None:
    german = Article("a", "Die Orgel von Sankt Alban", "Die Orgel von Sankt Alban klingt wieder.", "de")
    assert not is_printable("Warum klingt die Orgel von Sankt Alban wieder?", german)


@pytest.mark.parametrize(
    ("line", "language", "expected"),
    [
        (" 1. Qui a coupé  le ruban?", "fr", "Qui a coupé le ruban ?"),
        ("- Qu'a dit la maire\u202f?", "fr", "Qu’a dit la maire ?"),
        ("Q: Who won ?", "en", "Who won?"),
        ("Who won", "en", "Who won"),
    ],
)
def test_a_line_of_the_model_is_tidied(line: str, language: str, expected: str) -> None:
    assert tidied(line, language) == expected
