"""Numbers: what is the same figure, and above all that no changed figure passes for the same."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from qa.wording.numbers import numbers_claimed, numbers_in, with_own_marks

# Written by hand: what each text says, as a reader of that language would write it on a form.
SAME = [
    ("fr", "3 000", "3000"),
    ("fr", "3\u00a0000", "3000"),
    ("fr", "3\u202f000", "3000"),
    ("fr", "3.000", "3000"),
    ("en", "3,000", "3000"),
    ("de", "3.000", "3000"),
    ("de", "3’000", "3000"),
    ("fr", "trois mille", "3000"),
    ("en", "three thousand", "3000"),
    ("de", "dreitausend", "3000"),
    ("es", "tres mil", "3000"),
    ("it", "tremila", "3000"),
    ("it", "3 mila", "3000"),
    ("ar", "٣٬٠٠٠", "3000"),
    ("en", "12,500", "12500"),
    ("fr", "12,500", "12.5"),
    ("en", "12.500", "12.5"),
    ("de", "12.500", "12500"),
    ("fr", "12,5", "12.5"),
    ("fr", "12.5", "12.5"),
    ("en", "12.5", "12.5"),
    ("fr", "0,5", "0.5"),
    ("fr", "0,125", "0.125"),
    ("fr", "1 234 567,89", "1234567.89"),
    ("en", "1,234,567.89", "1234567.89"),
    ("de", "1.234.567,89", "1234567.89"),
    ("fr", "2025", "2025"),
    ("fr", "1er", "1"),
    ("fr", "17 %", "17"),
    ("fr", "47 300 €", "47300"),
    ("fr", "4,21 m", "4.21"),
    ("en", "5 m", "5"),
    ("fr", "quatre-vingt-dix-sept", "97"),
    ("fr", "quatre\u2011vingt\u2011dix\u2011sept", "97"),
    ("fr", "vingt et un", "21"),
    ("fr", "septante-deux", "72"),
    ("fr", "deux mille vingt-cinq", "2025"),
    ("fr", "dix-neuf cent quatorze", "1914"),
    ("fr", "dix-huit mille cinq cents", "18500"),
    ("en", "twenty-one", "21"),
    ("en", "two hundred and fifty", "250"),
    ("en", "a seven-year-old", "7"),
    ("en", "a twenty-one-year-old", "21"),
    ("de", "einundzwanzig", "21"),
    ("es", "veintiuno", "21"),
    ("it", "ventuno", "21"),
    ("fr", "une vingtaine", "20"),
    ("fr", "une quarantaine de jours", "40"),
    ("en", "two dozen", "24"),
    ("fr", "trois douzaines", "36"),
    ("fr", "deux heures", "2"),
    ("fr", "2 h", "2"),
    ("en", "two hours", "2"),
    ("fr", "deux heures et demie", "2.5"),
    ("fr", "1,5 million", "1500000"),
    ("fr", "un million et demi", "1500000"),
    ("fr", "1 500 000", "1500000"),
    ("en", "1.5 million", "1500000"),
    ("en", "one and a half million", "1500000"),
    ("en", "a million and a half", "1500000"),
    ("fr", "2 millions et demi", "2500000"),
    ("fr", "deux virgule cinq millions", "2500000"),
    ("de", "2,5 Millionen", "2500000"),
    ("es", "2.000 millones", "2000000000"),
    ("es", "dos mil millones", "2000000000"),
    ("it", "due miliardi", "2000000000"),
    ("en", "$3.5bn", "3500000000"),
    ("fr", "3,5 milliards", "3500000000"),
    ("fr", "un billion", "1000000000000"),
    ("en", "a trillion", "1000000000000"),
    ("en", "two thirds", "2/3"),
    ("fr", "deux tiers", "2/3"),
    ("de", "zwei Drittel", "2/3"),
    ("en", "one-third", "1/3"),
    ("fr", "trois quarts", "3/4"),
    ("fr", "10⁶", "10⁶"),
    ("fr", "la deuxième place", "2"),
    ("fr", "le second tour", "2"),
    ("en", "the second round", "2"),
]


@pytest.mark.parametrize(("language", "text", "number"), SAME)
def test_one_number_however_it_is_written(language: str, text: str, number: str) -> None:
    assert numbers_in(text, language) == numbers_claimed(text, language) == {number}


@pytest.mark.parametrize(
    ("language", "text", "numbers"),
    [
        ("fr", "13 septembre 2023", {"13", "2023"}),
        ("de", "am 13.09.2023", {"13", "9", "2023"}),
        ("fr", "19h30", {"19", "30"}),
        ("fr", "à 19 h 30", {"19", "30"}),
        ("fr", "3-2", {"3", "2"}),
        ("fr", "de 10 à 12 °C", {"10", "12"}),
        ("fr", "En 2025 300 personnes sont venues.", {"2025", "300"}),
        ("fr", "un A320 200 places", {"320", "200"}),
        ("fr", "le 12 trois cents personnes", {"12", "300"}),
        ("fr", "trois\ndeux mille", {"3", "2000"}),
        ("en", "G7, Covid-19 and H5N1", {"7", "19", "5", "1"}),
        ("fr", "01 42 34 56 78", {"1", "42", "34", "56", "78"}),
        ("fr", "2½", {"2", "0.5"}),
        ("en", "version 1.2.3", {"1", "2", "3"}),
    ],
)
def test_neighbours_are_not_joined(language: str, text: str, numbers: set[str]) -> None:
    assert numbers_claimed(text, language) == numbers


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("fr", "Un homme et une femme, l’un des premiers ministres d’une île."),
        ("en", "No one saw one of the first ministers."),
        ("de", "Ein Mann und eine Frau, einer der ersten."),
        ("es", "Un hombre y una mujer, uno de los primeros."),
        ("it", "Un uomo e una donna, uno dei primi, secondo il ministro."),
        ("en", "a second later"),
        ("fr", "mis en quarantaine"),
        ("fr", ""),
        ("zz", "no number"),
    ],
)
def test_articles_are_not_demanded(language: str, text: str) -> None:
    assert numbers_claimed(text, language) == set()


@pytest.mark.parametrize(
    ("language", "said", "source"),
    [
        ("fr", "une vingtaine de morts", "une trentaine de morts"),
        ("fr", "des milliers de morts", "des millions de morts"),
        ("fr", "3 milliards", "3 millions"),
        ("fr", "3 millions", "3 milliards"),
        ("fr", "un million", "un million et demi"),
        ("fr", "un million et demi", "un million"),
        ("fr", "deux heures", "deux heures et demie"),
        ("fr", "deux heures et demie", "deux heures"),
        ("en", "a million and a half", "a million"),
        ("en", "half a million", "a million"),
        ("de", "anderthalb Millionen", "eine Million"),
        ("de", "zweieinhalb Jahre", "zwei Jahre"),
        ("en", "one third", "two thirds"),
        ("fr", "un quart", "trois quarts"),
        ("fr", "la moitié", "un tiers"),
        ("en", "a seven-year-old girl", "an eight-year-old girl"),
        ("fr", "le second tour", "le premier tour"),
        ("fr", "10⁹", "10⁶"),
        ("fr", "10 habitants", "10⁶ habitants"),
        ("fr", "2¼ heures", "2½ heures"),
        ("fr", "deux virgule cinq millions", "deux virgule cinq"),
        ("fr", "zéro mort", "trois morts"),
        ("fr", "le 14 juin", "le 13 juin"),
        ("fr", "12 300", "le 12, trois cents"),
    ],
)
def test_a_changed_figure_does_not_pass(language: str, said: str, source: str) -> None:
    assert not numbers_claimed(said, language) <= numbers_in(source, language)


def _grouped(number: int, mark: str) -> str:
    return f"{number:,}".replace(",", mark)


GROUPS = {
    "fr": (" ", "\u00a0", "\u202f", ".", ""),
    "en": (",", ""),
    "de": (".", "’", ""),
    "es": (".", " ", ""),
    "it": (".", ""),
}
TEMPLATES = {
    "fr": "Selon la mairie, {} habitants de Lyon ont voté dimanche.",
    "en": "According to the town hall, {} people voted in Lyon on Sunday.",
    "de": "Laut Rathaus haben {} Menschen gewählt.",
    "es": "Según el ayuntamiento, {} personas votaron el domingo.",
    "it": "Per il comune hanno votato {} persone.",
}


@given(
    language=st.sampled_from(sorted(GROUPS)),
    number=st.integers(0, 10**10),
    decimals=st.sampled_from(["", "5", "25", "07", "375"]),
    data=st.data(),
)
@settings(max_examples=400, deadline=None)
def test_changing_one_digit_is_always_seen(language: str, number: int, decimals: str, data: st.DataObject) -> None:
    mark = data.draw(st.sampled_from(GROUPS[language]))
    point = "." if language == "en" else ","
    written = _grouped(number, mark) + (point + decimals if decimals else "")
    places = [place for place, character in enumerate(written) if character.isdigit()]
    place = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != written[place]]))
    changed = written[:place] + digit + written[place + 1 :]
    source, said = (TEMPLATES[language].format(text) for text in (written, changed))
    assert numbers_claimed(source, language) <= numbers_in(source, language)
    assert not numbers_claimed(said, language) <= numbers_in(source, language)


@given(number=st.integers(2, 999_999), language=st.sampled_from(sorted(GROUPS)), data=st.data())
@settings(max_examples=300, deadline=None)
def test_the_grouping_does_not_change_the_number(number: int, language: str, data: st.DataObject) -> None:
    for mark in GROUPS[language]:
        assert numbers_claimed(TEMPLATES[language].format(_grouped(number, mark)), language) == {str(number)}


def _french(number: int) -> str:
    """French number words by the rules of the grammar (traditional hyphens), 0..999999: the independent reference."""
    units = re.split(
        " ", "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"
    )
    tens = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante"}
    if number < 17:
        return units[number]
    if number < 20:
        return f"dix-{units[number - 10]}"
    if number < 70:
        ten, unit = number - number % 10, number % 10
        return tens[ten] + ("" if not unit else " et un" if unit == 1 else f"-{units[unit]}")
    if number < 80:
        return "soixante et onze" if number == 71 else f"soixante-{_french(number - 60)}"
    if number < 100:
        return "quatre-vingts" if number == 80 else f"quatre-vingt-{_french(number - 80)}"
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        head = "cent" if hundreds == 1 else f"{units[hundreds]} cent{'s' if not rest else ''}"
        return head + (f" {_french(rest)}" if rest else "")
    thousands, rest = divmod(number, 1000)
    head = "mille" if thousands == 1 else f"{re.sub('(?<=cent|ingt)s$', '', _french(thousands))} mille"
    return head + (f" {_french(rest)}" if rest else "")


@given(st.integers(2, 999_999))
@example(80)
@example(71)
@example(200_000)
@settings(max_examples=400, deadline=None)
def test_french_number_words_are_their_digits(number: int) -> None:
    assert numbers_claimed(f"On compte {_french(number)} habitants.", "fr") == {str(number)}


@given(st.integers(2, 999_999), st.integers(2, 999_999))
@settings(max_examples=200, deadline=None)
def test_other_number_words_are_other_numbers(one: int, other: int) -> None:
    assume(one != other)
    said = numbers_claimed(f"On compte {_french(one)} habitants.", "fr")
    assert not said <= numbers_in(f"On compte {_french(other)} habitants.", "fr")


@given(st.text(max_size=200), st.sampled_from(["fr", "en", "de", "es", "it", "pt", "nl", "ar", "zz", "und"]))
@settings(max_examples=500, deadline=None)
def test_any_text_is_read(text: str, language: str) -> None:
    claimed = numbers_claimed(text, language)
    assert claimed <= numbers_in(text, language)
    assert all(number[0].isdigit() for number in claimed)


def test_a_long_row_of_digits_and_marks_is_read_in_time() -> None:
    started = time.monotonic()
    for text in ("1 234 " * 5000, "1.2," * 5000, "1,234" * 5000, "9" * 20000, "un demi " * 3000, "2 et " * 5000):
        numbers_in(text, "fr")
    assert time.monotonic() - started < 10


ENGLISH = "In 1991 it was 415,000 km2, or 5.5 percent of 1,234,567; version 1.2.3 of 13.09.2023; 7,000."


@pytest.mark.parametrize(
    ("sentence", "language", "written"),
    [
        ("Se perdieron 415,000 km2.", "es", "Se perdieron 415.000 km2."),
        ("415,000 km2 sind 5.5 Prozent von 1,234,567.", "de", "415.000 km2 sind 5,5 Prozent von 1.234.567."),
        ("C’était 415,000 km2, soit 5.5 %.", "fr", "C’était 415\u202f000 km2, soit 5,5 %."),
        ("Es waren 640,000.", "de", "Es waren 640,000."),  # not of the source
        ("Es waren 415,000 km2.", "en", "Es waren 415,000 km2."),
        ("Es ist Version 1.2.3 vom 13.09.2023.", "de", "Es ist Version 1.2.3 vom 13.09.2023."),
        ("Sie hat 7,000.", "xx", "Sie hat 7,000."),
    ],
)
def test_figures_of_a_source_in_another_language_get_the_marks_of_the_sentences_own(
    sentence: str, language: str, written: str
) -> None:
    assert with_own_marks(sentence, language, ENGLISH, "en") == written
    assert numbers_in(written, language) <= numbers_in(f"{ENGLISH} 640,000", "en") | numbers_in("640,000", "de")
