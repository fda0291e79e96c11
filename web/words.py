"""The interface in French and in English. What an article or an answer says is never translated.

In French a no-break space stands before :, a narrow one before ; ? ! and », and after «.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from datetime import date
from typing import Literal

from babel import Locale, UnknownLocaleError
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
    "new_short": "Nouvelle",
    "actions": "Vos conversations",
    "history": "Historique",
    "history_title": "Vos conversations",
    "history_note": "Elles ne sont gardées que sur cet appareil, dans ce navigateur.",
    "history_empty": "Aucune conversation pour l’instant.",
    "history_refused": "Ce navigateur ne permet pas de les garder : elles durent autant que cette page.",
    "history_full": "La place manque dans ce navigateur : cette conversation n’y est plus gardée. Exportez-la pour la "
    "conserver.",
    "history_this": "en cours",
    "questions_one": "1 question",
    "questions_many": "{n} questions",
    "export_markdown": "Markdown",
    "export_json": "JSON",
    "export_as": "Exporter en {format} : {title}",
    "export_sources": "Sources",
    "delete": "Supprimer",
    "delete_one": "Supprimer : {title}",
    "delete_all": "Tout supprimer",
    "delete_sure": "Supprimer toutes vos conversations de cet appareil ?",
    "delete_yes": "Oui, tout supprimer",
    "cancel": "Annuler",
    "announce_deleted": "Conversation supprimée.",
    "announce_all_deleted": "Toutes les conversations sont supprimées.",
    "announce_reopened": "Conversation rouverte.",
    "suggestions": "Par exemple",
    "copy_answer": "Copier",
    "copied": "Copié",
    "share": "Copier le lien",
    "shared": "Lien copié",
    "copy_failed": "La copie n’a pas été permise par le navigateur.",
    "helpful": "Utile ?",
    "helpful_group": "Cette réponse vous aide-t-elle ?",
    "yes": "Oui",
    "no": "Non",
    "feedback_up": "Qu’est-ce qui vous a aidé ?",
    "feedback_down": "Qu’est-ce qui ne va pas ?",
    "reason_wrong": "C’est faux",
    "reason_incomplete": "Il manque quelque chose",
    "reason_off_topic": "À côté de la question",
    "reason_source": "La source ne dit pas cela",
    "reason_outdated": "Ce n’est plus à jour",
    "reason_other": "Autre chose",
    "comment": "Un mot de plus (facultatif)",
    "feedback_stored": "Seront enregistrés sur ce serveur : votre avis, votre mot, la question et la réponse. Ni nom, "
    "ni adresse.",
    "send": "Envoyer",
    "thanks": "Merci, votre avis est enregistré.",
    "feedback_failed": "L’avis n’a pas pu être enregistré. Réessayez plus tard.",
    "reason_missing": "Choisissez d’abord une raison.",
    "conversation": "Conversation",
    "filters": "Limiter à certains articles",
    "filter_since": "Publiés à partir du",
    "filter_until": "Jusqu’au",
    "filter_source": "Source",
    "filter_any": "Toutes",
    "filter_language": "Langue",
    "filtered_since": "à partir du {value}",
    "filtered_until": "jusqu’au {value}",
    "filtered": "Parmi les articles :",
    "you_asked": "Votre question :",
    "latest": "Derniers articles",
    "article_count_one": "1 article",
    "article_count_many": "{n} articles",
    "searching": "Recherche…",
    "reading": "Lecture des passages…",
    "writing": "Rédaction et vérification…",
    "ahead_one": "1 autre question est traitée en même temps.",
    "ahead_many": "{n} autres questions sont traitées en même temps.",
    "searched_as": "Recherché ainsi :",
    "evidence": "Passages trouvés",
    "nearest": "Les articles les plus proches",
    "announce_found_one": "1 passage trouvé, lecture en cours.",
    "announce_found_many": "{n} passages trouvés, lecture en cours.",
    "announce_searching": "Recherche en cours.",
    "announce_writing": "Rédaction en cours.",
    "announce_done": "Réponse terminée.",
    "cited": "Cité",
    "also_in": "Aussi dans :",
    "expand": "Tout le passage",
    "collapse": "Réduire",
    "open_source": "Source {n} : {title}",
    "sources": "Sources :",
    "partial": "appui incertain",
    "partial_help": "La source n’appuie peut-être pas toute cette phrase : lisez le passage cité.",
    "checked_one": "1 phrase vérifiée",
    "checked_many": "{n} phrases vérifiées",
    "in_articles_one": "dans 1 article",
    "in_articles_many": "dans {n} articles",
    "according_to_many": "Selon {n} sources indépendantes",
    "withheld_one": "1 phrase écartée, faute de source",
    "withheld_many": "{n} phrases écartées, faute de source",
    "seconds": "{n} s",
    "declined_title": "Pas de réponse dans les articles",
    "stopped": "Réponse arrêtée.",
    "waiting_title": "Un instant",
    "waiting_busy": "Beaucoup de lecteurs interrogent Sourcier en ce moment.",
    "waiting_not_ready": "Sourcier se réveille.",
    "waiting_next_one": "Nouvel essai dans 1 seconde.",
    "waiting_next_many": "Nouvel essai dans {n} secondes.",
    "retry_now": "Réessayer tout de suite",
    "offline_title": "Vous êtes hors ligne",
    "offline_text": "La question partira dès que la connexion reviendra.",
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
    "new_short": "New",
    "actions": "Your conversations",
    "history": "History",
    "history_title": "Your conversations",
    "history_note": "They are kept on this device only, in this browser.",
    "history_empty": "No conversation yet.",
    "history_refused": "This browser does not let us keep them: they last as long as this page.",
    "history_full": "This browser has no more room: this conversation is no longer kept in it. Export it to keep it.",
    "history_this": "open now",
    "questions_one": "1 question",
    "questions_many": "{n} questions",
    "export_markdown": "Markdown",
    "export_json": "JSON",
    "export_as": "Export as {format}: {title}",
    "export_sources": "Sources",
    "delete": "Delete",
    "delete_one": "Delete: {title}",
    "delete_all": "Delete all",
    "delete_sure": "Delete all your conversations from this device?",
    "delete_yes": "Yes, delete all",
    "cancel": "Cancel",
    "announce_deleted": "Conversation deleted.",
    "announce_all_deleted": "All conversations are deleted.",
    "announce_reopened": "Conversation reopened.",
    "suggestions": "For example",
    "copy_answer": "Copy",
    "copied": "Copied",
    "share": "Copy link",
    "shared": "Link copied",
    "copy_failed": "The browser did not allow copying.",
    "helpful": "Helpful?",
    "helpful_group": "Does this answer help you?",
    "yes": "Yes",
    "no": "No",
    "feedback_up": "What helped you?",
    "feedback_down": "What is wrong?",
    "reason_wrong": "It is false",
    "reason_incomplete": "Something is missing",
    "reason_off_topic": "It misses the question",
    "reason_source": "The source does not say so",
    "reason_outdated": "It is out of date",
    "reason_other": "Something else",
    "comment": "A word more (optional)",
    "feedback_stored": "Stored on this server: your verdict, your words, the question and the answer. No name, no "
    "address.",
    "send": "Send",
    "thanks": "Thank you, your verdict is stored.",
    "feedback_failed": "The verdict could not be stored. Try again later.",
    "reason_missing": "Choose a reason first.",
    "conversation": "Conversation",
    "filters": "Only some articles",
    "filter_since": "Published from",
    "filter_until": "Until",
    "filter_source": "Source",
    "filter_any": "All",
    "filter_language": "Language",
    "filtered_since": "from {value}",
    "filtered_until": "until {value}",
    "filtered": "Among articles:",
    "you_asked": "Your question:",
    "latest": "Latest articles",
    "article_count_one": "1 article",
    "article_count_many": "{n} articles",
    "searching": "Searching…",
    "reading": "Reading the passages…",
    "writing": "Writing and checking…",
    "ahead_one": "1 other question is being answered at the same time.",
    "ahead_many": "{n} other questions are being answered at the same time.",
    "searched_as": "Searched as:",
    "evidence": "Passages found",
    "nearest": "The nearest articles",
    "announce_found_one": "1 passage found, now reading.",
    "announce_found_many": "{n} passages found, now reading.",
    "announce_searching": "Searching.",
    "announce_writing": "Writing.",
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
    "according_to_many": "According to {n} independent sources",
    "withheld_one": "1 sentence withheld for want of a source",
    "withheld_many": "{n} sentences withheld for want of a source",
    "seconds": "{n} s",
    "declined_title": "No answer in the articles",
    "stopped": "Answer stopped.",
    "waiting_title": "One moment",
    "waiting_busy": "Many readers are asking Sourcier right now.",
    "waiting_not_ready": "Sourcier is waking up.",
    "waiting_next_one": "Next try in 1 second.",
    "waiting_next_many": "Next try in {n} seconds.",
    "retry_now": "Try again now",
    "offline_title": "You are offline",
    "offline_text": "The question will go as soon as you are connected again.",
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


def unbroken(text: str) -> str:
    """French as a newspaper sets it: no line begins with a question mark, or ends with an opening quotation mark."""
    text = re.sub(r" (?=[?!;»])", "\u202f", text).replace("« ", "«\u202f")
    return text.replace(" :", "\u00a0:")


def page_locale(request: Request) -> str:
    """The reader's own kind of the page's language (en_GB), where the browser names one; else the language alone."""
    language = page_language(request)
    for tag in request.accept_languages.values():
        if tag.lower().split("-")[0] == language:
            with contextlib.suppress(UnknownLocaleError, ValueError):
                return str(Locale.parse(tag, sep="-"))
    return language


def long_date(day: date, locale: str) -> str:
    """Write a date as a newspaper there does: 14 octobre 2025; 14 October 2025 (en_GB), October 14, 2025 (en_US)."""
    return format_date(day, format="long", locale=locale)


def language_name(code: str, language: Language) -> str:
    """Name a language in the reader's: Français, French; the code itself where it has no name."""
    try:
        name = Locale.parse(code).get_language_name(language) or code
    except (UnknownLocaleError, ValueError):
        name = code
    return name[:1].upper() + name[1:]


def counted(words: Mapping[str, str], key: str, count: int) -> str:
    """Write a count with its noun; the callers have nothing to say of none, so a count is at least 1."""
    return words[f"{key}_one" if count == 1 else f"{key}_many"].replace("{n}", str(count))
