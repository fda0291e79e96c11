"""Articles, a fake answerer with a queue of scripts, and a real server, for the tests of the web room."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlsplit

import numpy as np
from flask import Flask

from index.articles import Article
from index.filters import NO_FILTERS, Filters
from index.passages import Passage, Span
from index.search import Hit
from qa.conversation import Turn
from qa.events import Answer, AnswerSentence, Checked, Draft, Event, Found, Timings
from qa.grounding import Citation
from qa.language_model import Asker
from web import create_app
from web.service.server import Server
from web.settings import Settings

BRIDGE = Article(
    id="pont-tanneurs-fermeture",
    title="Le pont des Tanneurs fermé jusqu’au printemps",
    text=(
        "Le pont des Tanneurs sera fermé à toute circulation à partir de lundi 20 octobre, a annoncé mardi la mairie "
        "d’Aubrenne. La réouverture est prévue pour le 15 mars 2026.\n\n"
        "Une inspection menée en septembre a révélé des fissures dans deux des quatre piles de l’ouvrage, construit en "
        "1931. « Nous ne prendrons aucun risque », a déclaré le maire, Hervé Lancelin. Quelque 11 000 véhicules "
        "l’empruntent chaque jour.\n\n"
        "## Une navette gratuite\n\n"
        "Une navette gratuite reliera les deux rives **toutes les dix minutes**, de 6 h 30 à 21 heures. Les piétons et "
        "les cyclistes pourront encore passer jusqu’au 3 novembre.\n\n"
        "Le chantier est estimé à 2,4 millions d’euros, dont 40 % à la charge du département."
    ),
    language="fr",
    published=date(2025, 10, 14),
    author="Anaïs Kerbrat",
    source="Le Courrier de la Sarve",
    url="https://www.courrier-sarve.example/2025/10/14/pont-tanneurs-fermeture",
)
SHOPS = Article(
    id="pont-tanneurs-commercants",
    title="Pont des Tanneurs : les commerçants de la rive gauche redoutent un hiver vide",
    text=(
        "« En décembre, je fais le tiers de mon année », s’inquiète Nadia Ferhat, libraire rue des Gabares. Depuis "
        "l’annonce de la fermeture du pont des Tanneurs, les vingt-six commerçants de la rive gauche cherchent comment "
        "tenir. La mairie leur promet le stationnement gratuit et une exonération des droits de terrasse jusqu’à la "
        "réouverture.\n\n"
        "Une pétition a réuni 1 840 signatures en cinq jours 🌉. "
        "Elle demande une passerelle provisoire pour les piétons."
    ),
    language="fr",
    published=date(2025, 10, 17),
    source="L’Écho du Val",
)
FLOOD = Article(
    id="flood/river-notes",
    title="River Sarve: what the gauges said that night",
    text=(
        "The river rose 2.1 metres in nine hours, the fastest climb since 1983. "
        "The gauge at the Tanners’ bridge stopped "
        "transmitting at 3.40 a.m. Nobody was hurt."
    ),
    language="en",
    source="Valley Notes",
    url="javascript:alert(1)",
)
HOSTILE = Article(
    id='a"b<c>/d e?f#g',
    title='<script>alert("title")</script>',
    text="First <img src=x onerror=alert(1)> & \"quoted\" 'text'.\n\nSecond </mark></p><script>alert(2)</script> end.",
    language="en",
    author="<b>nobody</b>",
    source="<i>nowhere</i>",
    url="https://example.org/?a=1&b=<2>",
)
ARTICLES = (SHOPS, BRIDGE, FLOOD, HOSTILE)

TIMINGS = Timings(search_ms=42.0, first_token_ms=910.0, first_sentence_ms=2100.0, total_ms=3456.0)


def span_of(article: Article, words: str) -> Span:
    start = article.text.index(words)
    return Span(start, start + len(words))


def hit(article: Article, words: str, rank: int, passage: Span | None = None) -> Hit:
    """Make a hit whose best sentence is `words`, in a passage that is the whole text unless given."""
    sentence = span_of(article, words)
    whole = passage or Span(0, len(article.text))
    text = article.text[whole.start : whole.end]
    return Hit(article, Passage(f"p{rank}", article.id, whole.start, whole.end, text, (sentence,)), sentence,
               score=0.9 - rank / 10, vector=0.8 - rank / 10, keyword=1.0, rank=rank,
               vectors=np.zeros((1, 4), np.float32))  # fmt: skip


def citation(number: int, article: Article, words: str) -> Citation:
    span = span_of(article, words)
    return Citation(number, article, span.start, span.end)


REOPENING = "La réouverture est prévue pour le 15 mars 2026."
SHUTTLE = "Une navette gratuite reliera les deux rives **toutes les dix minutes**, de 6 h 30 à 21 heures."
PROMISE = (
    "La mairie leur promet le stationnement gratuit et une exonération des droits de terrasse jusqu’à la réouverture."
)
PETITION = "Une pétition a réuni 1 840 signatures en cinq jours 🌉."


def found_bridge(question: str = "Quand rouvre le pont des Tanneurs ?") -> Found:
    return Found(
        (
            hit(BRIDGE, REOPENING, 1),
            replace(hit(SHOPS, PROMISE, 2), also=(FLOOD, HOSTILE)),
            hit(FLOOD, "Nobody was hurt.", 3),
        ),
        question,
        "fr",
        42,
    )


def checked_bridge() -> tuple[Checked, Checked]:
    first = AnswerSentence("Le pont des Tanneurs doit rouvrir le 15 mars 2026.", (1,), "supported", 0.97)
    second = AnswerSentence(
        "D’ici là, une navette gratuite passe toutes les dix minutes et les commerçants ne paient plus leur terrasse.",
        (2, 3), "partial", 0.71,
    )  # fmt: skip
    return (
        Checked(first, (citation(1, BRIDGE, REOPENING),)),
        Checked(second, (citation(2, BRIDGE, SHUTTLE), citation(3, SHOPS, PROMISE))),
    )


def answer_bridge(question: str = "Quand rouvre le pont des Tanneurs ?") -> Answer:
    checked = checked_bridge()
    sentences = tuple(one.sentence for one in checked)
    citations = tuple(citation for one in checked for citation in one.citations)
    text = " ".join(sentence.text for sentence in sentences)
    return Answer(text, True, "fr", question, sentences, citations, found_bridge(question).hits, 0.97, 1, TIMINGS)


def corroborated_bridge(question: str = "Quand rouvre le pont des Tanneurs ?") -> Answer:
    """One sentence that two papers say."""
    first = replace(checked_bridge()[0].sentence, citations=(1, 2))
    citations = citation(1, BRIDGE, REOPENING), citation(2, SHOPS, PROMISE)
    hits = found_bridge(question).hits
    return Answer(first.text, True, "fr", question, (first,), citations, hits, 0.97, 0, TIMINGS, independent_sources=2)


def declined(question: str = "Qui a gagné le match ?") -> Answer:
    hits = found_bridge(question).hits
    text = "Les articles ne permettent pas de répondre à cette question."
    return Answer(text, False, "fr", question, (), (), hits, 0.04, 0, replace(TIMINGS, first_sentence_ms=None))


class UntilCancelled:
    """In a script: wait until the asker says `cancelled`."""


Step = Event | Exception | float | threading.Event | UntilCancelled


def bridge_script(question: str = "Quand rouvre le pont des Tanneurs ?") -> list[Step]:
    first, second = checked_bridge()
    return [
        found_bridge(question),
        Draft("Le pont "),
        Draft("doit"),
        first,
        Draft("D’ici"),
        second,
        answer_bridge(question),
    ]


@dataclass
class Asked:
    """What the fake answerer was asked."""

    question: str
    history: tuple[Turn, ...]
    k: int
    filters: Filters = NO_FILTERS


class FakeAnswerer:
    """Plays the scripts in its queue, one a question; a float waits that many seconds, an exception is raised."""

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self.scripts: deque[Sequence[Step]] = deque(scripts)
        self.asked: list[Asked] = []
        self.cancelled = threading.Event()
        self.closed = threading.Event()

    def ask(self, question: str, history: Sequence[Turn], k: int, asker: Asker, filters: Filters) -> Iterator[Event]:
        self.asked.append(Asked(question, tuple(history), k, filters))
        try:
            for step in self.scripts.popleft():
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, (int, float)):
                    time.sleep(step)
                elif isinstance(step, threading.Event):
                    assert step.wait(20)
                elif isinstance(step, UntilCancelled):
                    while not asker.cancelled():
                        time.sleep(0.01)
                    self.cancelled.set()
                else:
                    yield step
        finally:
            self.closed.set()


@dataclass(frozen=True)
class FakeManifest:
    articles: int = len(ARTICLES)
    passages: int = 9
    sentences: int = 31
    built_at: str = "2025-11-22T10:00:00+00:00"
    generation: str = "000007"
    languages: tuple[str, ...] = ("en", "fr")


class FakeIndex:
    """Four articles in memory, newest first."""

    manifest = FakeManifest()

    def __init__(self) -> None:
        self.searched: list[tuple[str, int, Filters]] = []

    def search(self, query: str, k: int, filters: Filters) -> list[Hit]:
        self.searched.append((query, k, filters))
        return list(found_bridge().hits[:k])

    def article(self, article_id: str) -> Article | None:
        return next((article for article in ARTICLES if article.id == article_id), None)

    def articles(self, offset: int, limit: int) -> list[Article]:
        return list(ARTICLES[offset : offset + limit])

    def sources(self, limit: int) -> list[str]:
        return sorted({article.source for article in ARTICLES if article.source})[:limit]


# A test asks as often as it likes.
WITHOUT_LIMITS = Settings(questions_per_address="none", requests_per_address="none")


def make_app(*scripts: Sequence[Step], settings: Settings = WITHOUT_LIMITS) -> tuple[Flask, FakeAnswerer]:
    answerer = FakeAnswerer(*scripts)
    return create_app(settings, answerer, FakeIndex()), answerer


@contextmanager
def running(app: Flask, settings: Settings = WITHOUT_LIMITS) -> Iterator[str]:
    """Serve `app` with waitress on a free loopback port; yields its URL."""
    server = Server(app, replace(settings, port=0, threads=8))
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    try:
        yield server.url
    finally:
        server.stop(finish=False)
        thread.join(20)
        assert not thread.is_alive()


@contextmanager
def response_to(
    url: str, method: str, path: str, body: object = None, **headers: str
) -> Iterator[http.client.HTTPResponse]:
    """What a server answers, while it is still being sent."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json", **headers})
        with connection.getresponse() as response:
            yield response
    finally:
        connection.close()
