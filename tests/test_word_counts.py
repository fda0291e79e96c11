"""Words counted passage by passage: written as they would be from nothing, whatever was taken over."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from index.storage.postings import Postings
from index.storage.word_counts import MOST, WordCounts

PASSAGES = st.lists(st.lists(st.sampled_from(["a", "b", "c", "é", "3,5", "हिन्दी", "𝒳"]), max_size=6), max_size=8)


def contents(folder: Path, vocabulary: list[str]) -> list[Counter[str]]:
    """Of each passage, as the files say."""
    postings = Postings.open(folder)
    found: list[Counter[str]] = [Counter() for _ in postings.lengths]
    for number, word in enumerate(vocabulary):
        where = slice(postings.starts[number], postings.starts[number + 1])
        passages = postings.passages[where].tolist()
        assert passages == sorted(set(passages)) != []
        for passage, count in zip(passages, postings.counts[where].tolist(), strict=True):
            found[passage][word] = count
    assert [counts.total() for counts in found] == postings.lengths.tolist()
    return found


@given(PASSAGES, st.lists(st.integers(0, 15), max_size=12))
def test_what_is_taken_over_and_what_is_new_are_one(before: list[list[str]], after: list[int]) -> None:
    """Rows of the generation before, in any order and as often as one likes, among new ones."""
    new = [["b", "z"], ["z", "z", "a"], []]
    with TemporaryDirectory() as name:
        first, second = Path(name, "1"), Path(name, "2")
        first.mkdir()
        second.mkdir()
        counts = WordCounts()
        for words in before:
            counts.add(words)
        vocabulary = counts.write(first)
        assert vocabulary == sorted({word for words in before for word in words})
        assert contents(first, vocabulary) == [Counter(words) for words in before]
        counts, expected = WordCounts(vocabulary, Postings.open(first)), []
        for number in after:
            if number < len(before):
                counts.take(number, 1)
                expected.append(before[number])
            else:
                counts.add(new[number % len(new)])
                expected.append(new[number % len(new)])
        vocabulary = counts.write(second)
        assert vocabulary == sorted({word for words in expected for word in words})
        assert contents(second, vocabulary) == [Counter(words) for words in expected]


def test_neighbours_are_taken_over_together(tmp_path: Path) -> None:
    counts = WordCounts()
    for number in range(5):
        counts.add([f"w{number}", "all"])
    vocabulary = counts.write(tmp_path)
    counts = WordCounts(vocabulary, Postings.open(tmp_path))
    counts.take(1, 2)
    counts.take(3, 1)
    (tmp_path / "next").mkdir()
    vocabulary = counts.write(tmp_path / "next")
    assert vocabulary == ["all", "w1", "w2", "w3"]
    assert contents(tmp_path / "next", vocabulary) == [Counter(("all", f"w{number}")) for number in (1, 2, 3)]


def test_a_word_written_more_often_than_can_be_counted(tmp_path: Path) -> None:
    counts = WordCounts()
    counts.add(["ha"] * (MOST + 10))
    assert counts.write(tmp_path) == ["ha"]
    postings = Postings.open(tmp_path)
    assert postings.counts.tolist() == [MOST]
    assert postings.lengths.tolist() == [MOST + 10]
