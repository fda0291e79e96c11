"""Sentences against hand-made splits, and against what must hold for any text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sentences import MAX_SENTENCE_CHARS, is_heading, split_blocks, split_sentences

# Each list, joined with a space, is the text; the list is how a careful reader splits it.
SENTENCES = [
    ("fr", ["M. Dupont et Mme. Durand voient le Dr. Petit.", "Il dort.", "J.-P. Martin vient en sept. 2023."]),
    ("fr", ["Il prend de la vitamine C.", "Elle dort.", "George W. Bush parle.", "Selon l'O.N.U.", "Le monde va."]),
    ("fr", ["En 44 av. J.-C. César meurt.", "Au IIIe siècle apr. J.-C., on chasse.", "Cf. p. 12, art. 5.", "Fin."]),
    ("fr", ["Des pommes, des poires, etc.", "Il dort.", "Voir www.exemple.fr.", "La suite est longue."]),
    ("fr", ["« Quoi ? » demande-t-il.", "Elle part…", "Il a 3,5 ans.", "La version 2.0.1 sort."]),
    (
        "fr",
        ["«Il existe des règles. La Russie les respecte. Mais nous parlons aussi», a-t-il affirmé.", "Il est parti."],
    ),
    ("fr", ["M. Le Pen parle à Mme Un.", "Il sort."]),
    ("fr", ["1. Premier point.", "2. Deuxième point."]),
    (
        "en",
        [
            "Mr. Smith met Dr. Jones at 5 p.m.",
            "He left.",
            "The U.S. Senate voted.",
            "He lives in the U.S.",
            "They left.",
        ],
    ),
    ("en", ["J. R. R. Tolkien wrote it.", "Apple Inc. said so."]),
    ("de", ["Am 3. Oktober kam er.", "Der 2. Weltkrieg, d.h. der Krieg, war lang.", "Er zahlte 3 Mio. Euro."]),
    ("es", ["El Sr. García vio a la Dra. López.", "Del siglo II d.C. Es raro.", "¿Qué?", "¡No!"]),
    ("it", ["Il dott. Rossi legge l'art. 5.", "S. Pietro è qui."]),
    ("xx", ["One here.", "Two there."]),
]


@pytest.mark.parametrize(("language", "sentences"), SENTENCES)
def test_careful_reader(language: str, sentences: list[str]) -> None:
    text = " ".join(sentences)
    assert [text[span.start : span.end] for span in split_sentences(text, language)] == sentences


def test_no_space_between_sentences() -> None:
    text = "Il vient mercredi.«Je viens.» Le train part.Elle dort."
    found = [text[span.start : span.end] for span in split_sentences(text, "fr")]
    assert found == ["Il vient mercredi.", "«Je viens.»", "Le train part.", "Elle dort."]


def test_a_note_in_brackets_stays_with_its_sentence() -> None:
    text = "It is used.[citation needed] The stages act.[12] End."
    found = [text[span.start : span.end] for span in split_sentences(text, "en")]
    assert found == ["It is used.[citation needed]", "The stages act.[12]", "End."]


def test_scripts_with_their_own_full_stops() -> None:
    for language, text, count in [
        ("zh", "他来了。她走了！真的吗？", 3),
        ("ar", "ذهب الولد. هل جاء؟ نعم.", 3),
        ("hi", "वह आया। वह गया।", 2),
    ]:
        assert len(split_sentences(text, language)) == count


def test_offsets_count_characters_beyond_the_basic_plane() -> None:
    text = "😀 Un 👩‍👩‍👧 ici. 𝔘n autre, cafe\u0301. Fin."
    assert [text[s.start : s.end] for s in split_sentences(text, "fr")] == [
        "😀 Un 👩‍👩‍👧 ici.",
        "𝔘n autre, cafe\u0301.",
        "Fin.",
    ]


def test_lines_that_stand_for_themselves() -> None:
    lines = [
        "Titre sans point",
        "Le texte suit, avec un point.",
        "- un",
        "- deux",
        "| a | b |",
        "> cité",
        "## Inter",
        "fin",
    ]
    text = "\n".join(lines)
    assert [text[span.start : span.end] for span in split_blocks(text)] == lines


def test_wrapped_lines_are_one_block() -> None:
    wrapped = (
        "Le dirigeant a été reçu par le président russe en\n"
        "Extrême-Orient russe, mercredi, lors d’une rencontre\n"
        "avec Vladimir Poutine. Ils ont parlé pendant plus de\n"
        "deux heures."
    )
    text = f"Rencontre\n\n{wrapped}\n \nSuite"
    assert [text[span.start : span.end] for span in split_blocks(text)] == ["Rencontre", wrapped, "Suite"]
    assert len(split_sentences(wrapped, "fr")) == 2


def test_headings() -> None:
    for text, heading in [
        ("Craintes de Washington", True),
        ("## À ne pas manquer", True),
        ("Il part.", False),
        ("- un", False),
    ]:
        (block,) = split_blocks(text)
        assert is_heading(text, block) is heading


def test_a_long_sentence_is_cut_where_it_reads_best() -> None:
    clause = "il a parlé de tout " * 12
    text = f"{clause.strip()}; {clause.strip()}; {clause.strip()}; {clause.strip()}."
    found = [text[span.start : span.end] for span in split_sentences(text, "fr")]
    assert all(sentence.endswith((";", ".")) for sentence in found)
    assert len(found) == 2


HOSTILE = st.one_of(
    st.text(max_size=300),
    st.text(st.sampled_from(list(' \n\t.!?…«»"“”()-*|#>:;,’aAéÉ1\u0301\u200d\u2028\u00a0👩中。')), max_size=400),
    st.lists(
        st.sampled_from(["M. ", "etc. ", "«", "Il ", "J.-C.", "mot ", "\n", "\n\n", "U.S. ", "a" * 700, "中" * 300]),
        max_size=30,
    ).map("".join),
)


@given(HOSTILE, st.sampled_from(["fr", "en", "de", "zh", "und"]))
def test_every_text(text: str, language: str) -> None:
    spans = split_sentences(text, language)
    seen = 0
    for span in spans:
        assert not text[seen : span.start].strip()
        sentence = text[span.start : span.end]
        assert sentence
        assert sentence == sentence.strip()
        assert len(sentence) <= MAX_SENTENCE_CHARS
        seen = span.end
    assert not text[seen:].strip()


@pytest.mark.parametrize("piece", ["« ", "M. ", "é", ". ", "A \n", "(", "mot "])
def test_time_grows_with_the_length_only(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    start = time.perf_counter()
    split_sentences(text, "fr")
    assert time.perf_counter() - start < 5  # 0.05 to 0.5 s measured; with the square of the length it would be minutes
