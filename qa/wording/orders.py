"""Sentences in an article that speak to a machine: the model does not read them, and they are evidence of nothing.

An article is hostile until shown otherwise. What gives such a sentence away: the words of a chat format, an order to
forget orders, talk of "your answer", writing that a reader does not see; or two weaker marks, one of them an order. A
news article that quotes such a sentence loses it as evidence too, which is the lesser harm.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from functools import lru_cache

from index.articles import Article
from index.dates import with_days
from index.headings import heading_of
from index.sentences import split_sentences


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)


# What chat formats consist of (ChatML, Llama, Mistral, Gemma, Alpaca, "Human:"), and our own prompt.
_FORMAT = _any_of(
    r"<\|[^|>]{1,40}\|>",
    r"\[/?INST\]",
    r"<</?SYS>>",
    r"</?s>",
    r"<(?:start|end)_of_turn>",
    r"^\s*#{2,}\s*(?:instruction|response|system)\b",
    r"^\s*(?:human|assistant|user|system|syst[èe]me)\s*:",
    r"^\s*(?:passage|question)\s*:\s*$",
    r"^\s*NONE\s*$",
    r"\bSYSTEM (?:OVERRIDE|PROMPT)\b",
)
# What a browser does not show.
_HIDDEN_MARKUP = re.compile(
    r"<!--.*?(?:-->|$)|<(script|style)\b.*?(?:</\1\s*>|$)|<(\w+)[^>]*display\s*:\s*none.*?(?:</\2\s*>|$)", re.I | re.S
)
_REPLY = (
    r"(?:r[ée]ponds|r[ée]pondez|reply|answer(?= (?:every|only|with|always))|antworte|antwortet|responde|contesta|"
    r"rispondi)"
)
_RULES = (
    r"(?:instructions?|consignes?|r[èe]gles?|rules?|prompts?|anweisungen|regeln|instrucciones|reglas|istruzioni|regole)"
)
# One of them is enough.
_STRONG = _any_of(
    # "ignore the previous instructions", "the rules given before are void"
    r"\b(?:ignor(?:e[zrs]?|ier(?:e|en|t)?|a|ad|ate)|oublie[zs]?|forget|disregard|vergiss|vergesst|olvidad?|"
    rf"dimenticat?[ae]?)\b.{{0,60}}\b{_RULES}\b",
    rf"\b{_RULES}\b.{{0,40}}\b(?:pr[ée]c[ée]dente?s?|above|previous|prior|avant ce|annul[ée]e?s|void|anteriores|"
    r"precedenti|bisherigen)\b",
    # "begin your answer with", "reply only"
    r"\b(?:ta|tes|vos|votre|chaque|toutes?(?: tes| vos| les)?|your|every|each|deine[rn]?|jede[rn]?|tus?|tutte le|"
    r"ogni)\s+(?:r[ée]ponses?|answers?|repl(?:y|ies)|responses?|antwort(?:en)?|respuestas?|rispost[ae])\b",
    rf"\b{_REPLY} (?:toujours|always|immer|siempre|sempre|seulement|uniquement|only|nur|[úu]nicamente|soltanto)\b",
    # "Assistant, …", "AI assistants reading this", "you are now"
    r"\b(?:assistante?s?|asistente|assistente)\s*[,:]",
    r"\b(?:AI|IA|KI)\s*(?:[:,]|assistants?\b)",
    r"\bintelligence artificielle qui\b",
    r"\b(?:tu es|vous êtes|you are|du bist|eres|sei) (?:maintenant|désormais|now|jetzt|ahora|ora)\b",
)
# Two of all these are enough, if one of them is an order.
_ORDERS = (
    _any_of(rf"\b{_REPLY}\b"),
    _any_of(
        r"(?:^|[:,;.!?»]\s+|\bet\s+|\band\s+)(?:dis|dites|say|tell|print|output|affichez?|[ée]cri(?:s|vez)|write|sagt?|di|diga|"
        r"scrivi|ajoutez?|add|terminez?|commencez?|begin|traduis|translate|d[ée]code|ex[ée]cute)\b"
    ),
    _any_of(
        r"\b(?:tu|vous) (?:dois|devez|n['’]as plus|parles|parlez|signes)\b", r"\byou (?:must|shall|will now)\b",
        r"\bdu musst\b", r"\bdebes\b", r"\bdevi\b",
    ),
    _any_of(
        r"\b(?:si|quand) (?:on|quelqu['’]un) te\b", r"\bquand un lecteur\b", r"\b[àa] qui demande\b",
        r"\b(?:when|if) (?:asked|anyone asks|someone asks)\b", r"\bwenn (?:jemand|man)\b.{0,40}\bfragt\b",
        r"\bsi (?:alguien|te) pregunta", r"\bse (?:qualcuno|ti) chied",
    ),
)  # fmt: skip
_OTHERS = (
    _any_of(r"\b(?:lecteurs?|readers?|utilisateurs?|users?|lesern?|lector(?:es)?|lettor[ei])\b"),
    _any_of(
        r"\b(?:questions?|fragen?|preguntas?|domand[ae]|r[ée]ponses?|answers?|antwort(?:en)?|respuestas?|rispost[ae])\b"
    ),
    _any_of(
        r"\b(?:seulement|uniquement|rien d['’]autre|jamais autrement|only with|nothing else|nichts anderes|nur noch|"
        r"[úu]nicamente|soltanto)\b"
    ),
    _any_of(rf"\b{_RULES}\b", r"\b(?:system|d[ée]bug|override)\b"),
    _any_of(r"\b(?:robots?|chatbots?|machines?|assistants?|mod[èe]le de langage|language model|outil de r[ée]ponse)\b"),
    _any_of(r"\b(?:[àa] partir de maintenant|d[ée]sormais|from now on|ab jetzt|a partir de ahora|d['’]ora in poi)\b"),
    _any_of(r"\b(?:avant ce passage|before this passage|mot pour mot|word for word)\b"),
)  # fmt: skip
# Turned round by an override, up to its end.
_TURNED = re.compile("[\u202d\u202e][^\u202c\n]*\u202c?")
# What some languages need to be written right, though it is not seen.
_NEEDED = "\u200c\u200d"
_CODE = re.compile(r"\b(?=\w*[a-z])(?=\w*[A-Z])(?=\w*\d)[A-Za-z0-9+]{32,}={0,2}")


def is_order(sentence: str) -> bool:
    """Whether a sentence is addressed to a machine rather than to the readers of the article."""
    plain = unicodedata.normalize("NFKC", _seen(sentence))
    if _FORMAT.search(plain) or _STRONG.search(plain) or _CODE.search(plain) or _is_of_two_alphabets(plain):
        return True
    orders = sum(bool(mark.search(plain)) for mark in _ORDERS)
    return bool(orders) and orders + sum(bool(mark.search(plain)) for mark in _OTHERS) >= 2


@lru_cache(maxsize=2048)
def without_orders(text: str, language: str) -> str:
    """What a reader sees of a text and what is meant for readers; most texts come back as they are."""
    text = _without_chat(_HIDDEN_MARKUP.sub("", _seen(text)))
    if not is_order(text):
        return text
    for span in reversed(split_sentences(text, language)):
        if is_order(text[span.start : span.end]):
            text = text[: span.start] + text[span.end :].lstrip(" ")
    return text.strip()


def as_read(article: Article, text: str) -> str:
    """Some of an article as the model reads it, and as its sentences are held against it: without what is not meant
    for readers, and with the dates of days that it names by their distance ("vendredi (7 novembre 2025)")."""
    return with_days(without_orders(text, article.language), article.language, article.published)


def heading_for_readers(article: Article) -> str:
    """Title, source and date; a title or source that is meant for a machine is left out."""
    title = "" if is_order(article.title) else article.title
    source = None if article.source and is_order(article.source) else article.source
    return heading_of(replace(article, title=title, source=source)).strip()


def _without_chat(text: str) -> str:
    """Without all that stands from the first mark of a chat format to the end of the last one's paragraph."""
    marks = list(_FORMAT.finditer(text))
    if not marks:
        return text
    end = text.find("\n\n", marks[-1].end())
    return (text[: marks[0].start()].rstrip() + (text[end:] if end >= 0 else "")).strip()


def _seen(text: str) -> str:
    if text.isascii():
        return text
    text = _TURNED.sub("", text)
    return "".join(c for c in text if unicodedata.category(c) != "Cf" or c in _NEEDED)


def _is_of_two_alphabets(sentence: str) -> bool:
    """Latin words with letters among them that only look Latin."""
    if sentence.isascii():
        return False
    words = [{_alphabet(letter) for letter in word} for word in re.findall(r"[^\W\d_]{3,}", sentence)]
    return sum("LATIN" in alphabets and bool(alphabets & {"CYRILLIC", "GREEK"}) for alphabets in words) >= 2


def _alphabet(letter: str) -> str:
    return unicodedata.name(letter, "?").split(" ", 1)[0]
