"""Which questions ask for two things, and what they are one by one."""

from __future__ import annotations

import pytest

from qa.wording.double_questions import halves_of

TWO = [
    (
        "fr",
        "Quel âge a la présidente et combien de voix a-t-elle obtenues\u00a0?",
        ("Quel âge a la présidente\u00a0?", "Combien de voix a-t-elle obtenues\u00a0?"),
    ),
    (
        "fr",
        "À quelle hauteur la Sarve avait-elle culminé d'après le Courrier, et d'après L'Écho ?",
        (
            "À quelle hauteur la Sarve avait-elle culminé d'après le Courrier ?",
            "À quelle hauteur la Sarve avait-elle culminé d'après L'Écho ?",
        ),
    ),
    (
        "fr",
        "Combien d'adhérents le comité comptait-il début octobre, puis début novembre ?",
        (
            "Combien d'adhérents le comité comptait-il début octobre ?",
            "Combien d'adhérents le comité comptait-il début novembre ?",
        ),
    ),
    (
        "fr",
        "Combien de temps durera le trajet et à quelle date la ligne rouvrira-t-elle ?",
        ("Combien de temps durera le trajet ?", "À quelle date la ligne rouvrira-t-elle ?"),
    ),
    (
        "en",
        "How many sheep did he lose, and what happened to his house?",
        ("How many sheep did he lose?", "What happened to his house?"),
    ),
    (
        "en",
        "What did the works cost according to the Post and the Echo?",
        ("What did the works cost according to the Post?", "What did the works cost according to the Echo?"),
    ),
    (
        "de",
        "Wie viele Keller pumpte die Feuerwehr leer, und wie viele Personen zählte die Delegation?",
        ("Wie viele Keller pumpte die Feuerwehr leer?", "Wie viele Personen zählte die Delegation?"),
    ),
    ("es", "¿Cuánto costó la obra nueva y quién la pagó?", ("¿Cuánto costó la obra nueva?", "Quién la pagó?")),
    ("it", "Quanto è costato il ponte e chi lo ha pagato?", ("Quanto è costato il ponte?", "Chi lo ha pagato?")),
]
ONE = [
    ("fr", "Et combien ont coûté les travaux ?"),
    ("fr", "Qui a peint la Vierge et l'Enfant ?"),
    ("fr", "Quand la ligne entre Brizac et Aubrenne rouvre-t-elle ?"),
    ("fr", "À quelle température et combien de temps faut-il cuire la tarte ?"),
    ("fr", "Quels sont les deux fondements, selon Benoît XVI, d'une relation mûre entre parent et enfant ?"),
    ("fr", "Quel est ce mécanisme qui agit au long cours et qui en accentue les effets ?"),
    ("en", "And what did it cost?"),
    ("en", "Who wrote Pride and Prejudice?"),
    ("en", "According to reduction, if X and Y are solved by one algorithm then what is X to Y?"),
    ("de", "Und wann war das?"),
    ("es", "¿Y cuánto costó?"),
    ("xx", "Quel âge a-t-elle et combien de voix a-t-elle obtenues ?"),
]


@pytest.mark.parametrize(("language", "question", "halves"), TWO)
def test_two(language: str, question: str, halves: tuple[str, str]) -> None:
    assert halves_of(question, language) == halves


@pytest.mark.parametrize(("language", "question"), ONE)
def test_one(language: str, question: str) -> None:
    assert halves_of(question, language) is None
