"""What is said when the articles do not answer, in the language of the question."""

from __future__ import annotations

_DECLINE = {
    "ar": "لا تجيب المقالات عن هذا السؤال.",
    "ca": "Els articles no responen a aquesta pregunta.",
    "cs": "Články na tuto otázku neodpovídají.",
    "de": "Die Artikel beantworten diese Frage nicht.",
    "el": "Τα άρθρα δεν απαντούν σε αυτή την ερώτηση.",
    "en": "The articles do not answer this question.",
    "es": "Los artículos no responden a esta pregunta.",
    "fr": "Les articles ne répondent pas à cette question.",
    "he": "הכתבות אינן עונות על השאלה הזאת.",
    "hu": "A cikkek nem válaszolnak erre a kérdésre.",
    "it": "Gli articoli non rispondono a questa domanda.",
    "ja": "記事にはこの質問の答えがありません。",
    "ko": "기사에는 이 질문에 대한 답이 없습니다.",
    "nl": "De artikelen geven geen antwoord op deze vraag.",
    "pl": "Artykuły nie odpowiadają na to pytanie.",
    "pt": "Os artigos não respondem a esta pergunta.",
    "ro": "Articolele nu răspund la această întrebare.",
    "ru": "В статьях нет ответа на этот вопрос.",
    "sv": "Artiklarna besvarar inte den här frågan.",
    "tr": "Makaleler bu soruyu yanıtlamıyor.",
    "uk": "У статтях немає відповіді на це запитання.",
    "zh": "文章没有回答这个问题。",
}


def decline_text(language: str) -> str:
    """One sentence; English where the language is not among ours."""
    return _DECLINE.get(language, _DECLINE["en"])
