"""Which questions ask for two things."""

from __future__ import annotations

import pytest

from qa.double_questions import asks_for_two

TWO = [
    ("fr", "Quel âge a la présidente et combien de voix a-t-elle obtenues ?"),
    ("fr", "À quelle hauteur la Sarve avait-elle culminé d'après le Courrier, et d'après L'Écho ?"),
    ("fr", "Combien d'adhérents le comité comptait-il début octobre, puis début novembre ?"),
    ("fr", "Combien de temps durera le trajet et à quelle date la ligne rouvrira-t-elle ?"),
    ("en", "How many sheep did he lose, and what happened to his house?"),
    ("en", "What did the works cost according to the Post and to the Echo?"),
    ("de", "Wie viele Keller pumpte die Feuerwehr leer, und wie viele Personen zählte die Delegation?"),
    ("es", "¿Cuánto costó la obra y quién la pagó?"),
    ("it", "Quanto è costato il ponte e chi lo ha pagato?"),
]
ONE = [
    ("fr", "Et combien ont coûté les travaux ?"),
    ("fr", "Qui a peint la Vierge et l'Enfant ?"),
    ("fr", "Quand la ligne entre Brizac et Aubrenne rouvre-t-elle ?"),
    ("en", "And what did it cost?"),
    ("en", "Who wrote Pride and Prejudice?"),
    ("de", "Und wann war das?"),
    ("es", "¿Y cuánto costó?"),
    ("xx", "Quel âge a-t-elle et combien de voix a-t-elle obtenues ?"),
]


@pytest.mark.parametrize(("language", "question"), TWO)
def test_two(language: str, question: str) -> None:
    assert asks_for_two(question, language)


@pytest.mark.parametrize(("language", "question"), ONE)
def test_one(language: str, question: str) -> None:
    assert not asks_for_two(question, language)
