"""What is said when the articles do not answer, in the language of the question."""

from __future__ import annotations

_DECLINE = {
    "fr": "Les articles ne répondent pas à cette question.",
    "en": "The articles do not answer this question.",
    "de": "Die Artikel beantworten diese Frage nicht.",
    "es": "Los artículos no responden a esta pregunta.",
    "it": "Gli articoli non rispondono a questa domanda.",
    "pt": "Os artigos não respondem a esta pergunta.",
    "nl": "De artikelen geven geen antwoord op deze vraag.",
    "ro": "Articolele nu răspund la această întrebare.",
    "ca": "Els articles no responen a aquesta pregunta.",
    "pl": "Artykuły nie odpowiadają na to pytanie.",
    "ar": "لا تجيب المقالات عن هذا السؤال.",
}


def decline_text(language: str) -> str:
    """One sentence; English where the language is not among ours."""
    return _DECLINE.get(language, _DECLINE["en"])
