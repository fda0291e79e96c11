"""NewsML-G2 in the manner of IPTC's examples and of agencies, compared with what was put in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from index.articles import Article, read_articles

PARIS = timezone(timedelta(hours=1))
XHTML = (
    '<inlineXML contenttype="application/xhtml+xml"><html xmlns="http://www.w3.org/1999/xhtml"><head><title>non</title>'
    "</head><body><p>AUBRENNE (ADS) – Le pont a rouvert samedi.</p><h2>Le prix</h2><p>618 000 euros.</p></body>"
    "</html></inlineXML>"
)


def item(
    content: str = XHTML,
    guid: str = "urn:newsml:ads.example:20251108:pont",
    version: int = 1,
    kind: str = "ninat:text",
    status: str = '<pubStatus qcode="stat:usable"/>',
    more: str = "<firstCreated>2025-11-08T07:30:00+01:00</firstCreated>",
) -> str:
    return (
        f'<newsItem xmlns="http://iptc.org/std/nar/2006-10-01/" guid="{guid}" version="{version}" standard="NewsML-G2" '
        'standardversion="2.33" conformance="power" xml:lang="en"><catalogRef href="http://127.0.0.1:9/catalog.xml"/>'
        "<rightsInfo><copyrightHolder><name>ADS</name></copyrightHolder></rightsInfo>"
        f'<itemMeta><itemClass qcode="{kind}"/><provider qcode="nprov:ADS"><name>Agence de la Sarve</name></provider>'
        f"<versionCreated>2025-11-09T10:00:00+01:00</versionCreated>{more}{status}</itemMeta>"
        "<contentMeta><contentModified>2025-11-10T00:00:00Z</contentModified><by>Léa Brun</by>"
        '<language tag="fr"/><headline role="hld:kicker">TRAVAUX</headline>'
        f"<headline>Le pont rouvre</headline></contentMeta><contentSet>{content}</contentSet></newsItem>"
    )


def message(*items: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><newsMessage xmlns="http://iptc.org/std/nar/2006-10-01/"><header>'
        f"<sent>2025-11-08T08:00:00Z</sent></header><itemSet>{''.join(items)}</itemSet></newsMessage>"
    )


def read(path: Path, data: str) -> tuple[list[Article], list[str]]:
    path.write_text(data, encoding="utf-8")
    found = list(read_articles([path]))
    return [a for a in found if isinstance(a, Article)], [str(e) for e in found if not isinstance(e, Article)]


def test_a_text_item(tmp_path: Path) -> None:
    assert read(tmp_path / "a.xml", item()) == (
        [
            Article(
                "urn:newsml:ads.example:20251108:pont",
                "Le pont rouvre",
                "AUBRENNE (ADS) – Le pont a rouvert samedi.\n\nLe prix\n\n618 000 euros.",
                "fr",
                datetime(2025, 11, 8, 7, 30, tzinfo=PARIS),
                "Léa Brun",
                "Agence de la Sarve",
            )
        ],
        [],
    )


def test_nitf_and_plain_text_inside(tmp_path: Path) -> None:
    nitf = (
        '<inlineXML contenttype="application/nitf+xml"><nitf xmlns="http://iptc.org/std/NITF/2006-10-18/"><body>'
        '<body.head><hedline><hl1>Non</hl1></hedline><distributor>Non</distributor></body.head><body.content>'
        "<p>Un.</p><p>Deux.</p></body.content></body></nitf></inlineXML>"
    )  # fmt: skip
    plain = '<inlineData contenttype="text/plain">Un.\n\n  Deux &amp; trois.</inlineData>'
    articles, errors = read(tmp_path / "a.xml", message(item(nitf, "urn:a"), item(plain, "urn:b")))
    assert errors == []
    assert [(a.id, a.title, a.text) for a in articles] == [
        ("urn:a", "Le pont rouvre", "Un.\n\nDeux."),
        ("urn:b", "Le pont rouvre", "Un.\n\nDeux & trois."),
    ]


def test_of_several_versions_the_last_one_counts(tmp_path: Path) -> None:
    texts = [item(XHTML.replace("618", price), version=number) for number, price in ((2, "620"), (10, "630"), (1, "1"))]
    (found,), errors = read(tmp_path / "a.xml", message(*texts))
    assert errors == []
    assert "630 000" in found.text


def test_pictures_are_passed_over_and_a_message_of_pictures_is_reported(tmp_path: Path) -> None:
    picture = item('<remoteContent href="http://127.0.0.1:9/a.jpg"/>', "urn:p", kind="ninat:picture")
    articles, errors = read(tmp_path / "a.xml", message(picture, item()))
    assert (len(articles), errors) == (1, [])
    assert read(tmp_path / "b.xml", message(picture)) == (
        [],
        [f"{tmp_path / 'b.xml'}: holds no news item with text"],
    )


@pytest.mark.parametrize(
    ("meta", "published"),
    [
        ("", datetime(2025, 11, 9, 10, 0, tzinfo=PARIS)),
        ("<firstCreated>2025-11-08T07:30:00Z</firstCreated>", datetime(2025, 11, 8, 7, 30, tzinfo=UTC)),
        ("<firstCreated>hier</firstCreated>", None),
    ],
)
def test_the_day_is_that_of_the_first_version(tmp_path: Path, meta: str, published: datetime | None) -> None:
    (found,), _ = read(tmp_path / "a.xml", item(more=meta))
    assert found.published == published


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": '<pubStatus qcode="stat:canceled"/>'}, "its agency marks it as canceled: not to be published"),
        (
            {"status": '<pubStatus uri="http://cv.iptc.org/newscodes/pubstatusg2/withheld"/>'},
            "its agency marks it as withheld: not to be published",
        ),
        (
            {"more": "<embargoed>2999-01-01T00:00:00Z</embargoed>"},
            "is under embargo until 2999-01-01T00:00:00Z. Build again after that",
        ),
        ({"more": "<embargoed>bientôt</embargoed>"}, "is under embargo until a moment that cannot be read: bientôt"),
        (
            {"content": '<remoteContent href="http://127.0.0.1:9/a.xml"/>'},
            "the news item holds no text of its own (only a reference?)",
        ),
        (
            {"content": '<inlineXML contenttype="application/xhtml+xml"/>'},
            "the news item holds no text of its own (only a reference?)",
        ),
    ],
)  # fmt: skip
def test_items_that_are_not_to_be_read(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    path = tmp_path / "a.xml"
    assert read(path, item(**changes)) == ([], [f"{path}: {reason}"])  # type: ignore[arg-type]
    articles, errors = read(path, message(item(guid="urn:good"), item(**changes)))  # type: ignore[arg-type]
    assert [a.id for a in articles] == ["urn:good"]
    assert errors == [f"{path}#urn:newsml:ads.example:20251108:pont: {reason}"]


def test_an_embargo_that_is_over(tmp_path: Path) -> None:
    assert len(read(tmp_path / "a.xml", item(more="<embargoed>2025-11-08T00:00:00</embargoed>"))[0]) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            "<svg/>",
            "its root element is <svg>; known are newsItem and newsMessage (NewsML-G2), nitf, rss, feed and rdf:RDF",
        ),
        (item()[:800], "not well-formed XML: "),
        (item().replace("samedi.</p>", "samedi."), "not well-formed XML: "),
        ('<!DOCTYPE newsItem [<!ENTITY a "b">]>' + item(), "declares entities of its own"),
    ],
)  # fmt: skip
def test_documents_that_cannot_be_read(tmp_path: Path, data: str, reason: str) -> None:
    articles, errors = read(tmp_path / "a.xml", data)
    assert articles == []
    assert errors[0].startswith(f"{tmp_path / 'a.xml'}: {reason}")
