"""What files say of themselves: kept where it can be true, left out where it cannot."""

from __future__ import annotations

import pytest

from index.formats.document_facts import day_begun, iso_date, own_facts, usable_facts


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("Le pont rouvre", "Le pont rouvre"),
        ("Microsoft Word - Le pont rouvre", "Le pont rouvre"),
        ("Microsoft Word - pont_v3.docx", None),
        ("pont.indd", None),
        ("Untitled", None),
        ("Document1", None),
        ("Sans titre 2", None),
        ("Page 3", None),
        ("Pages d’histoire", "Pages d’histoire"),
        ("x" * 1001, None),
        (" \n ", None),
    ],
)
def test_titles_that_a_program_gave_are_none(title: str, kept: str | None) -> None:
    assert usable_facts({"title": title}).get("title") == kept


def test_facts_that_no_article_could_have_are_left_out() -> None:
    said = {"url": "javascript:alert(1)", "published": "hier", "language": "french", "author": None, "source": " A  b "}
    assert usable_facts(said) == {"source": "A b"}
    assert usable_facts({"language": "fr-FR", "url": "https://x.example/a"}) == {
        "language": "fr",
        "url": "https://x.example/a",
    }


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ("2025-11-08", "2025-11-08"),
        ("2025-11-08T07:30:00+01:00", "2025-11-08T07:30:00+01:00"),
        ("Sat, 08 Nov 2025 00:30:00 +0100", "2025-11-08T00:30:00+01:00"),
        ("08 Nov 2025 07:30 GMT", "2025-11-08T07:30:00+00:00"),
        ("hier", None),
        ("", None),
        ("Sat, 99 Nov 2025 00:30:00 +0100", None),
    ],
)
def test_dates(value: str, iso: str | None) -> None:
    assert iso_date(value) == iso


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("D:20251108073000+01'00'", "2025-11-08"),
        ("2025-11-08T00:00:00Z", "2025-11-08"),
        ("", None),
        (None, None),
        ("gestern", None),
    ],
)
def test_the_day_on_which_a_file_was_begun(value: str | None, day: str | None) -> None:
    assert day_begun(value) == day


def test_properties_that_editors_name() -> None:
    found = own_facts({"Veröffentlicht": "2025-11-08", "Quelle": "Die Zeitung", "date": "2024-01-01", "Client": "x"})
    assert found == {"published": "2025-11-08", "source": "Die Zeitung", "url": None}
    assert own_facts({"Publié le": "2025-11-08"})["published"] == "2025-11-08"
