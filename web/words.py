"""The interface in French and in English. What an article or an answer says is never translated.

A no-break space stands before : ; ? ! and », and after «, where French typography asks for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

from babel.dates import format_date
from flask import Request

Language = Literal["fr", "en"]

_FRENCH = {
    "tagline": "Les articles répondent",
    "hero_title": "Posez une question aux articles.",
    "hero_text": "Chaque phrase de la réponse renvoie aux mots exacts où elle a été lue, et a été vérifiée avant de "
    "vous être montrée. Ce que les articles ne disent pas, Sourcier ne le dit pas.",
    "skip": "Aller à la question",
    "question_label": "Votre question",
    "question_placeholder": "Votre question…",
    "follow_up_placeholder": "Une autre question…",
    "question_hint": "Entrée pour envoyer, Maj + Entrée pour aller à la ligne",
    "ask": "Demander",
    "stop": "Arrêter",
    "retry": "Réessayer",
    "new_conversation": "Nouvelle conversation",
    "conversation": "Conversation",
    "filters": "Limiter à certains articles",
    "filter_since": "Publiés à partir du",
    "filter_until": "Jusqu’au",
    "filter_source": "Source",
    "filter_any": "Toutes",
    "you_asked": "Votre question :",
    "latest": "Derniers articles",
    "article_count_one": "1 article",
    "article_count_many": "{n} articles",
    "searching": "Recherche…",
    "reading": "Lecture des passages…",
    "checking": "Vérification de la suite…",
    "searched_as": "Recherché ainsi :",
    "evidence": "Passages trouvés",
    "nearest": "Les articles les plus proches",
    "announce_found_one": "1 passage trouvé, lecture en cours.",
    "announce_found_many": "{n} passages trouvés, lecture en cours.",
    "announce_done": "Réponse terminée.",
    "cited": "Cité",
    "also_in": "Aussi dans :",
    "expand": "Tout le passage",
    "collapse": "Réduire",
    "open_source": "Source {n} : {title}",
    "sources": "Sources :",
    "partial": "appui incertain",
    "partial_help": "La source n’appuie peut-être pas toute cette phrase : lisez le passage cité.",
    "checked_one": "1 phrase vérifiée",
    "checked_many": "{n} phrases vérifiées",
    "in_articles_one": "dans 1 article",
    "in_articles_many": "dans {n} articles",
    "withheld_one": "1 phrase écartée, faute de source",
    "withheld_many": "{n} phrases écartées, faute de source",
    "seconds": "{n} s",
    "declined_title": "Pas de réponse dans les articles",
    "stopped": "Réponse arrêtée.",
    "error_title": "La réponse n’est pas arrivée",
    "error_bad_request": "Cette question ne peut pas être traitée telle quelle. Essayez de la reformuler.",
    "error_unauthorized": "Cet accès est réservé. Il faut une clé pour l’ouvrir.",
    "error_rate_limited": "Trop de questions en peu de temps. Patientez un instant avant la prochaine.",
    "error_not_found": "Cette page n’existe pas, ou l’article a été retiré.",
    "error_too_large": "C’est trop long pour être traité. Raccourcissez la question.",
    "error_method_not_allowed": "Cette adresse ne s’utilise pas ainsi.",
    "error_busy": "Beaucoup de lecteurs interrogent Sourcier en ce moment. Réessayez dans quelques secondes.",
    "error_not_ready": "Sourcier se réveille… Réessayez dans quelques secondes.",
    "error_internal": "Quelque chose s’est mal passé de notre côté.",
    "error_network": "La connexion a été coupée avant la fin de la réponse.",
    "question_empty": "Écrivez d’abord une question.",
    "waking": "Sourcier se réveille… La question pourra partir dans un instant.",
    "back": "Retour aux réponses",
    "original": "Lire sur le site d’origine",
    "quoted_here": "Le passage cité est surligné.",
    "to_quote": "Aller au passage cité",
    "by": "Par",
    "close": "Fermer",
    "open_page": "Ouvrir la page de l’article",
    "article": "Article",
    "home": "Accueil",
}

_ENGLISH = {
    "tagline": "The articles answer",
    "hero_title": "Ask the articles a question.",
    "hero_text": "Every sentence of the answer points to the exact words it was read in, and was checked against them "
    "before you saw it. What the articles do not say, Sourcier does not say.",
    "skip": "Skip to the question",
    "question_label": "Your question",
    "question_placeholder": "Your question…",
    "follow_up_placeholder": "Another question…",
    "question_hint": "Enter to send, Shift + Enter for a new line",
    "ask": "Ask",
    "stop": "Stop",
    "retry": "Try again",
    "new_conversation": "New conversation",
    "conversation": "Conversation",
    "filters": "Only some articles",
    "filter_since": "Published from",
    "filter_until": "Until",
    "filter_source": "Source",
    "filter_any": "All",
    "you_asked": "Your question:",
    "latest": "Latest articles",
    "article_count_one": "1 article",
    "article_count_many": "{n} articles",
    "searching": "Searching…",
    "reading": "Reading the passages…",
    "checking": "Checking the rest…",
    "searched_as": "Searched as:",
    "evidence": "Passages found",
    "nearest": "The nearest articles",
    "announce_found_one": "1 passage found, now reading.",
    "announce_found_many": "{n} passages found, now reading.",
    "announce_done": "Answer complete.",
    "cited": "Cited",
    "also_in": "Also in:",
    "expand": "Whole passage",
    "collapse": "Show less",
    "open_source": "Source {n}: {title}",
    "sources": "Sources:",
    "partial": "uncertain support",
    "partial_help": "The source may not support all of this sentence: read the passage cited.",
    "checked_one": "1 sentence checked",
    "checked_many": "{n} sentences checked",
    "in_articles_one": "in 1 article",
    "in_articles_many": "in {n} articles",
    "withheld_one": "1 sentence withheld for want of a source",
    "withheld_many": "{n} sentences withheld for want of a source",
    "seconds": "{n} s",
    "declined_title": "No answer in the articles",
    "stopped": "Answer stopped.",
    "error_title": "The answer did not arrive",
    "error_bad_request": "This question cannot be handled as it is. Try to put it another way.",
    "error_unauthorized": "Access is restricted here. A key is needed.",
    "error_rate_limited": "Too many questions in a short time. Wait a moment before the next one.",
    "error_not_found": "This page does not exist, or the article was withdrawn.",
    "error_too_large": "This is too long to handle. Shorten the question.",
    "error_method_not_allowed": "This address is not used this way.",
    "error_busy": "Many readers are asking Sourcier right now. Try again in a few seconds.",
    "error_not_ready": "Sourcier is waking up… Try again in a few seconds.",
    "error_internal": "Something went wrong on our side.",
    "error_network": "The connection was cut before the answer was complete.",
    "question_empty": "Write a question first.",
    "waking": "Sourcier is waking up… Your question can go in a moment.",
    "back": "Back to the answers",
    "original": "Read on the original site",
    "quoted_here": "The quoted passage is highlighted.",
    "to_quote": "Go to the quoted passage",
    "by": "By",
    "close": "Close",
    "open_page": "Open the article’s page",
    "article": "Article",
    "home": "Home",
}

WORDS: dict[Language, Mapping[str, str]] = {"fr": _FRENCH, "en": _ENGLISH}


def page_language(request: Request) -> Language:
    """Choose the interface language from Accept-Language; French for a reader who names neither."""
    return "en" if request.accept_languages.best_match(["fr", "en"], default="fr") == "en" else "fr"


def long_date(day: date, language: Language) -> str:
    """Write a date as a newspaper does: 14 octobre 2025, October 14, 2025."""
    return format_date(day, format="long", locale=language)


def counted(words: Mapping[str, str], key: str, count: int) -> str:
    """Write a count with its noun; the callers have nothing to say of none, so a count is at least 1."""
    return words[f"{key}_one" if count == 1 else f"{key}_many"].replace("{n}", str(count))
