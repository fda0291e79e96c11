"""Languages against questions of known language, and stems against Snowball itself."""

import threading

import pytest
import Stemmer
from hypothesis import given
from hypothesis import strategies as st

from index.function_words import FUNCTION_WORDS
from index.languages import detect_language, stem_words

QUESTIONS = {
    "ar": ["من فاز بالكأس؟", "متى يعاد فتح الجسر؟"],
    "ca": ["Qui va guanyar la copa?", "Quants habitants té Girona?"],
    "de": ["Wer ist Kim?", "Wann öffnet die Brücke?", "Preis des Apfelweins"],
    "el": ["Ποιος κέρδισε;"],
    "en": ["who is Kim", "How much is cider?", "bridge reopening date"],
    "es": ["¿Quién ganó la copa?", "Cuando abre el puente"],
    "fr": ["Qui est Kim ?", "Quand rouvre le pont ?", "prix du cidre", "QUI A GAGNÉ LA COUPE", "quel age a t il"],
    "it": ["Chi ha vinto la coppa?", "Quando riapre il ponte?"],
    "ja": ["これは何ですか"],
    "nl": ["Wie won de beker?", "Hoeveel inwoners heeft Utrecht?"],
    "pl": ["Kto wygrał puchar?", "Kiedy otworzą most?"],
    "pt": ["Quem ganhou a copa?", "Quando reabre a ponte?"],
    "ro": ["Cine a câștigat cupa?", "Câți locuitori are orașul?"],
    "ru": ["Кто выиграл кубок?"],
    "zh": ["谁赢得了冠军？"],
}


@pytest.mark.parametrize(("language", "question"), [(key, text) for key, texts in QUESTIONS.items() for text in texts])
def test_short_questions(language: str, question: str) -> None:
    assert detect_language(question) == language


@pytest.mark.parametrize("text", ["", "   ", "12 345 ?", "…!"])
def test_nothing_to_go_by_gives_the_fallback(text: str) -> None:
    assert detect_language(text) == "und"
    assert detect_language(text, fallback="fr") == "fr"


def test_names_in_another_script_do_not_outvote_the_text() -> None:
    assert detect_language("ذهب الولد إلى المدرسة مع صديقه وقرأ صحيفة le monde de la france et le figaro") == "ar"


def test_only_the_beginning_of_a_long_text_counts() -> None:
    french = "Le pont des Tanneurs a rouvert samedi, et les habitants de la ville ont pu le traverser. " * 20
    assert detect_language(french + "The bridge is open and the people are happy. " * 10_000) == "fr"


def test_function_words_are_lower_case_and_listed_once() -> None:
    for words in FUNCTION_WORDS.values():
        assert words == words.lower()
        assert len(words.split()) == len(set(words.split()))


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("fr", "L'eau d’un élève qu'il a vue", ["eau", "un", "elev", "il", "a", "vu"]),
        ("fr", "aujourd'hui, aujourd’hui", ["aujourdhui", "aujourdhui"]),
        ("fr", "Jean-Pierre", ["jean", "pierr"]),
        ("fr", "3 000, 3\u00a0000, 3\u202f000, 3000 et 12 345 678", ["3000"] * 4 + ["et", "12345678"]),
        ("fr", "3,90 €", ["3.90"]),
        ("fr", "l’O.N.U. et l’ONU", ["onu", "et", "onu"]),
        ("fr", "cœur CŒUR", ["coeur", "coeur"]),
        ("fr", "en 2023 100 personnes", ["en", "2023", "100", "person"]),
        ("en", "the mayor's bridges aren't", ["the", "mayor", "bridg", "aren"]),
        ("de", "Straßen", ["strass"]),
        ("it", "dell'acqua", ["acqua"]),
        ("ca", "l'aigua d'estiu", ["aigu", "est"]),
        ("zh", "北京大学", ["北京", "京大", "大学"]),
        ("th", "ไทย", ["ไท", "ทย"]),
        ("ja", "京", ["京"]),
        ("und", "Élections régionales", ["elections", "regionales"]),
        ("fr", "le parti «En marche!»", ["le", "part", "en", "march"]),
    ],
)
def test_stem_words(language: str, text: str, words: list[str]) -> None:
    assert stem_words(text, language) == words


@pytest.mark.parametrize(
    ("language", "name"), [("fr", "french"), ("en", "english"), ("de", "german"), ("ru", "russian")]
)
def test_plain_words_are_what_snowball_makes_of_them(language: str, name: str) -> None:
    words = {"fr": "les maires parlent", "en": "running bridges", "de": "laufenden kindern", "ru": "мосты города"}[
        language
    ]
    assert stem_words(words.upper(), language) == Stemmer.Stemmer(name).stemWords(words.split())


@given(st.text(), st.sampled_from(["fr", "en", "zh", "und", "xx"]))
def test_any_text_gives_words_without_white_space(text: str, language: str) -> None:
    for word in stem_words(text, language):
        assert word
        assert not any(char.isspace() for char in word)


def test_threads_stem_at_the_same_time() -> None:
    text = "les mairies parlaient longuement des élections régionales " * 200
    expected = stem_words(text, "fr")
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(stem_words(text, "fr"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 8
