"""The questions that the empty page suggests: read from their file again when it or the index has changed."""

from __future__ import annotations

import threading

from flask import current_app

from qa.suggestions import State, SuggestionFile, shown_suggestions
from web.ready import Index
from web.words import Language

MOST_SHOWN = 4


class Suggested:
    """Of one app. Any thread may ask. With `proposed`, also those that no editor has accepted yet."""

    def __init__(self, file: SuggestionFile, proposed: bool = False) -> None:
        self._file = file
        self._states: tuple[State, ...] = ("accepted", "proposed") if proposed else ("accepted",)
        self._lock = threading.Lock()
        self._made_for: tuple[str, tuple[int, int] | None] | None = None
        self._known: dict[Language, list[str]] = {}

    @classmethod
    def of_app(cls) -> Suggested:
        suggested = current_app.extensions["sourcier-suggested"]
        if not isinstance(suggested, cls):
            raise TypeError("this Flask app was not made by web.create_app")
        return suggested

    def questions(self, index: Index, language: Language) -> list[str]:
        """At most four that articles of the index answer, in this language; none where there are none in it."""
        made_for = index.manifest.generation, self._file.stamp()
        with self._lock:
            if made_for != self._made_for:
                self._made_for, self._known = made_for, {}
            if language not in self._known:
                shown = shown_suggestions(self._file.read(), index.article, language, MOST_SHOWN, self._states)
                self._known[language] = [one.question for one in shown]
            return self._known[language]
