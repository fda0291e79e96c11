"""Days made absolute: only where it is certain, and with the right date."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from index.dates import named_days, with_days

SATURDAY = date(2025, 11, 8)
TUESDAY = date(2025, 10, 14)


@pytest.mark.parametrize(
    ("text", "published", "expected"),
    [
        ("Vendredi, à 6 heures, Martine a traversé le pont.", SATURDAY, "Vendredi (7 novembre 2025),"),
        ("Elle a rouvert samedi.", SATURDAY, "samedi (8 novembre 2025)."),  # the paper's own day
        ("Elle rouvrira lundi.", SATURDAY, "lundi (10 novembre 2025)."),
        ("Les obsèques auront lieu vendredi, à 14 h 30.", SATURDAY, "vendredi (14 novembre 2025),"),
        ("Le conseil va voter mardi.", SATURDAY, "mardi (11 novembre 2025)."),
        ("Il comparaissait mardi devant le tribunal.", SATURDAY, "mardi (4 novembre 2025) devant"),
        ("Ce que nous écrivions mardi dernier.", TUESDAY, "mardi dernier (7 octobre 2025)."),
        ("On vote mardi prochain.", TUESDAY, "mardi prochain (21 octobre 2025)."),
        ("Le tirage, dimanche soir, a désigné Lens.", TUESDAY, "dimanche soir (12 octobre 2025),"),
        ("Jointe hier soir, elle se tait.", TUESDAY, "hier soir (13 octobre 2025),"),
        ("La billetterie ouvre demain.", date(2025, 12, 31), "demain (1 janvier 2026)."),
        ("Il en fallait deux l’an dernier.", TUESDAY, "l’an dernier (2024)."),
        ("Il en naît moins cette année.", TUESDAY, "cette année (2025)."),
        ("Le mois dernier, rien.", date(2026, 1, 5), "Le mois dernier (décembre 2025),"),
        ("Le mois prochain, tout.", date(2025, 12, 5), "Le mois prochain (janvier 2026),"),
    ],
)
def test_french_days(text: str, published: date, expected: str) -> None:
    assert expected in with_days(text, "fr", published)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Management told staff on Monday afternoon.", "Monday afternoon (October 13, 2025)."),
        ("Drivers began a strike this morning.", "this morning (October 14, 2025)."),
        ("Since last Wednesday they have been apart.", "last Wednesday (October 8, 2025) they"),
        ("Buses will run again on Friday.", "Friday (October 17, 2025)."),
        ("A meeting is held tomorrow at six.", "tomorrow (October 15, 2025) at"),
        ("It cost less last year.", "last year (2024)."),
    ],
)
def test_english_days(text: str, expected: str) -> None:
    assert expected in with_days(text, "en", TUESDAY)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Le marché s’est tenu le samedi.", "fr"),
        ("Chaque vendredi, il a chanté.", "fr"),
        ("Les mardis ont changé.", "fr"),
        ("Ouvert du lundi au vendredi, il a fermé.", "fr"),
        ("Dans la nuit de samedi à dimanche, il a plu.", "fr"),
        ("Vendredi 7 novembre, il a plu.", "fr"),
        ("Il a plu le vendredi saint.", "fr"),
        ("Vendredi saint a été froid.", "fr"),
        ("« Lundi, nous avons perdu », a-t-il dit.", "fr"),
        ("Une réunion lundi.", "fr"),  # no verb tells
        ("Il a dit qu’il viendra lundi.", "fr"),  # two verbs disagree
        ("Le pic est attendu dimanche.", "fr"),  # is it behind us?
        ("Son rendez-vous est pris : il a lieu lundi.", "fr"),
        ("La ville de demain a été dessinée d’hier.", "fr"),
        ("Aujourd’hui, elle dirige une équipe.", "fr"),
        ("Elle rouvrira mardi.", "fr"),  # this one or the next
        ("Every Friday the band played.", "en"),
        ("Good Friday was cold.", "en"),
        ("Friday, October 10, was cold.", "en"),
        ("“On Monday we lost,” he said.", "en"),
        ("He said it will rain on Monday.", "en"),
        ("Friday’s vote was lost.", "en"),
        ("Am Montag hat es geregnet.", "de"),
    ],
)
def test_what_is_not_certain_is_left_alone(text: str, language: str) -> None:
    assert with_days(text, language, TUESDAY) == text


def test_without_a_date_nothing_is_known() -> None:
    assert named_days("Il a plu hier.", "fr", None) == []


@pytest.mark.parametrize("published", [date.min, date.max])
def test_what_would_be_no_date_is_left_alone(published: date) -> None:
    text = "Il a plu hier, le mois dernier, mardi et l’an dernier. Il pleuvra demain et l’an prochain."
    assert with_days(text, "fr", published) == text


def test_a_point_in_time_counts_by_its_own_day() -> None:
    late = datetime(2025, 10, 14, 23, 59, tzinfo=UTC)
    assert with_days("Il a plu hier.", "fr", late) == "Il a plu hier (13 octobre 2025)."


def test_the_places_are_those_of_the_text() -> None:
    text = "Jeudi, il a plu. Vendredi, il a neigé hier."
    days = named_days(text, "fr", SATURDAY)
    assert [text[day.start : day.end] for day in days] == ["Jeudi", "Vendredi", "hier"]
    assert [day.is_weekday for day in days] == [True, True, False]


def test_dates_are_not_written_twice() -> None:
    once = with_days("Il a plu hier et mardi, il a neigé mardi soir.", "fr", SATURDAY)
    assert with_days(once, "fr", SATURDAY) == once


def test_a_long_text_without_an_end_takes_no_time() -> None:
    text = "mardi a a a a a " * 5_000 + "« " * 5_000
    assert len(with_days(text, "fr", SATURDAY)) >= len(text)
