"""Answers as plain text: marks, sources, nothing that a client would run or fetch, and the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_fixtures import BRIDGE, HOSTILE, SHUTTLE, citation

from qa.events import AnswerSentence
from qa.grounding import Citation
from web.contract.cited_text import marked_sentence, source_list, without_sources


def test_a_sentence_has_its_marks_and_says_when_its_support_is_uncertain() -> None:
    sure = AnswerSentence("Le pont rouvre en mars.", (1, 2), "supported", 0.9)
    assert marked_sentence(sure, "fr") == "Le pont rouvre en mars. [1][2]"
    assert marked_sentence(replace(sure, support="partial"), "fr") == "Le pont rouvre en mars. [1][2] (appui incertain)"
    assert marked_sentence(replace(sure, support="partial"), "ro").endswith(" (uncertain support)")
    assert marked_sentence(replace(sure, citations=()), "fr") == "Le pont rouvre en mars."
    assert marked_sentence(replace(sure, support="unsupported"), "fr") == ""


def test_a_source_says_title_paper_day_and_quote() -> None:
    url = BRIDGE.url
    assert source_list([citation(2, BRIDGE, SHUTTLE)], "fr") == (
        "\n\nSources\u00a0:\n- [2] Le pont des Tanneurs fermé jusqu’au printemps, Le Courrier de la Sarve, "
        f"14 octobre 2025. «\u00a0{SHUTTLE}\u00a0» <{url}>"
    )
    english = source_list([citation(1, BRIDGE, SHUTTLE)], "en")
    assert english.startswith("\n\nSources:\n- [1] ")
    assert f"October 14, 2025. “{SHUTTLE}”" in english
    assert source_list([], "fr") == ""


def test_nothing_of_an_article_becomes_markup_in_a_client_that_shows_markdown() -> None:
    text = "Voir ![pixel](https://spy.example/a.png) et <img src=x onerror=alert(1)> `x` [lien](javascript:alert(1))."
    hostile = replace(HOSTILE, title="<b>Titre</b>\n[un](https://spy.example)", text=text, url="javascript:alert(1)")
    said = source_list([Citation(1, hostile, 0, len(text))], "fr")
    said += marked_sentence(AnswerSentence(text, (1,), "supported", 1.0), "fr")
    for markup in ("![pixel](", "](", " <img", " <b>", " `x", "<javascript"):
        assert markup not in said
    assert "\\<img" in said
    broken = replace(hostile, url="https://example.org/ <script>")
    assert "script" not in source_list([Citation(1, broken, 0, 4)], "fr")


@pytest.mark.parametrize("language", ["fr", "en", "de"])
@given(sentences=st.lists(st.tuples(st.text("abc .é«»\n", min_size=1), st.booleans()), min_size=1, max_size=4))
def test_what_a_client_sends_back_is_the_answer_without_marks(language: str, sentences: list[tuple[str, bool]]) -> None:
    plain = [f"x{text}y." for text, _ in sentences]
    marked = [
        marked_sentence(AnswerSentence(text, (1, 2), "partial" if doubted else "supported", 0.5), language)
        for text, (_, doubted) in zip(plain, sentences, strict=True)
    ]
    sources = source_list([citation(1, BRIDGE, SHUTTLE), citation(2, HOSTILE, "First")], language)
    assert without_sources(" ".join(marked) + sources) == " ".join(plain)
    assert without_sources(" ".join(plain)) == " ".join(plain)
