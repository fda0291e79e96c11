"""Passages: what must hold for any text, and how real shapes of articles are packed."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_sentences import HOSTILE

from index.articles import Article
from index.passages import Passage, split_article


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def utf8_bytes(texts: Sequence[str]) -> list[int]:
    """The worst that a tokenizer with byte fallback does, with two tokens around each text."""
    return [len(text.encode()) + 2 for text in texts]


def article(text: str) -> Article:
    return Article("a/b", "Titre", text, "fr")


def paragraph(count: int, name: str = "mot") -> str:
    """A paragraph of `count` words, ten to a sentence."""
    return re.sub(r"((?:\S+ ){9}\S+) ", r"\1. Le ", " ".join([name] * count)).replace("Le " + name, "Le") + "."


def check(text: str, passages: list[Passage]) -> None:
    seen = 0
    for passage in passages:
        assert passage.text == text[passage.start : passage.end]
        assert passage.text.strip() == passage.text != ""
        assert not text[seen : passage.start].strip()
        assert passage.id == f"a/b:{passage.start}-{passage.end}"
        assert passage.sentences
        last = passage.start
        for span in passage.sentences:
            assert last <= span.start < span.end <= passage.end
            last = span.end
        seen = passage.end
    assert not text[seen:].strip()


@given(HOSTILE, st.integers(1, 60))
def test_every_text_in_words(text: str, max_tokens: int) -> None:
    passages = split_article(article(text), words, max_tokens)
    check(text, passages)
    assert all(words([passage.text])[0] <= max_tokens for passage in passages)


@given(HOSTILE, st.integers(3, 700))
def test_every_text_in_bytes(text: str, max_tokens: int) -> None:
    passages = split_article(article(text), utf8_bytes, max_tokens)
    check(text, passages)
    assert all(utf8_bytes([p.text])[0] <= max_tokens or len(p.text) == 1 for p in passages)


def test_a_counter_that_is_not_additive_still_keeps_the_bound() -> None:
    def growing(texts: Sequence[str]) -> list[int]:
        return [len(text) ** 2 // 50 + 1 for text in texts]

    text = "\n\n".join(paragraph(8) for _ in range(12))
    passages = split_article(article(text), growing, 100)
    check(text, passages)
    assert all(growing([passage.text])[0] <= 100 for passage in passages)


def test_whole_paragraphs_are_packed_in_order() -> None:
    text = "\n\n".join(paragraph(100) for _ in range(6))
    found = split_article(article(text), words)
    assert [passage.text.count("\n\n") + 1 for passage in found] == [2, 2, 2]


def test_a_paragraph_that_fits_is_never_cut() -> None:
    text = "\n\n".join(paragraph(size) for size in (250, 20, 290, 200, 160))
    found = split_article(article(text), words)
    assert [part for passage in found for part in passage.text.split("\n\n")] == text.split("\n\n")


def test_a_long_paragraph_is_cut_at_sentences_into_like_parts() -> None:
    found = split_article(article(paragraph(640)), words)
    sizes = words([passage.text for passage in found])
    assert len(sizes) == 3
    assert max(sizes) - min(sizes) <= 30
    assert all(passage.text.endswith(".") for passage in found)


def test_a_heading_goes_with_the_paragraph_below_it() -> None:
    text = f"{paragraph(250)}\n\n## Craintes de Washington\n\n{paragraph(200)}"
    assert [passage.text.split("\n")[0][:12] for passage in split_article(article(text), words)] == [
        text[:12],
        "## Craintes ",
    ]


def test_the_last_passage_is_no_scrap() -> None:
    text = "\n\n".join(paragraph(95) for _ in range(3)) + "\n\n" + paragraph(30)
    assert [len(passage.text.split("\n\n")) for passage in split_article(article(text), words)] == [2, 2]


def test_rules_are_no_sentences() -> None:
    (passage,) = split_article(article("Un.\n\n* * *\n\nDeux."), words)
    assert [passage.text[span.start : span.end] for span in passage.sentences] == ["Un.", "Deux."]


def test_the_beginning_keeps_its_passages_when_the_end_changes() -> None:
    text = "\n\n".join(paragraph(100, f"mot{number}") for number in range(12))
    before, after = (split_article(article(t), words) for t in (text, f"{text}\n\nCorrection : non."))
    assert [p.id for p in before][:-1] == [p.id for p in after][: len(before) - 1]


def test_few_calls_with_many_texts() -> None:
    calls: list[int] = []

    def counting(texts: Sequence[str]) -> list[int]:
        calls.append(len(texts))
        return words(texts)

    split_article(article("\n\n".join(paragraph(40) for _ in range(200))), counting)
    assert len(calls) == 2


def test_nothing_gives_nothing() -> None:
    assert split_article(article(" \n "), words) == []


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        split_article(article("Un."), words, 0)
