"""NITF in the manner of IPTC's sample document and of agencies, compared with what was put in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from index.articles import Article, read_articles
from index.formats.nitf_documents import nitf_facts
from index.formats.xml_documents import parse_xml

NITF = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE nitf SYSTEM "http://127.0.0.1:9/nitf-3-6.dtd">
<nitf><head><title>Weather and Tide Updates</title><docdata management-status="{status}">
<doc-id regsrc="ADS" id-string="20251108-17"/>
<date.issue norm="20251108T073000Z"/><doc.copyright holder="Agence de la Sarve" year="2025"/></docdata>{pubdata}</head>
<body><body.head><hedline><hl1>La crue &amp; le pont</hl1><hl2>Sous la pluie</hl2></hedline>
<byline>{byline}</byline><dateline><location>Aubrenne</location></dateline>
<abstract><p>Une fois de plus.</p></abstract></body.head>
<body.content><block><p lede="true">La Sarve est mont&eacute;e &#224; <num>3,50</num> m&egrave;tres.</p>
<hl2>Le prix</hl2>
<p>Cher.</p><media media-type="image"><media-reference source="a.jpg"/>
<media-caption>Le pont, samedi.</media-caption></media>
<ul><li>un</li><li>deux</li></ul><table><tr><td>Noix</td><td>6 €</td></tr></table></block></body.content>
<body.end><tagline>lb/ads</tagline></body.end></body></nitf>"""
TEXT = "La Sarve est montée à 3,50 mètres.\n\nLe prix\n\nCher.\n\nLe pont, samedi.\n\n- un\n- deux\n\n| Noix | 6 € |"
PUBDATA = '<pubdata type="print" date.publication="20251109" name="Le Courrier"/>'


def nitf(byline: str = "Par Léa Brun", status: str = "usable", pubdata: str = "", encoding: str = "utf-8") -> str:
    return NITF.format(byline=byline, status=status, pubdata=pubdata, encoding=encoding)


def one(path: Path, data: bytes) -> Article | str:
    path.write_bytes(data)
    (found,) = read_articles([path])
    return found if isinstance(found, Article) else found.reason


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-15", "windows-1252", "utf-16"])
def test_round_trip(tmp_path: Path, encoding: str) -> None:
    assert one(tmp_path / "a.xml", nitf(encoding=encoding).encode(encoding)) == Article(
        "ADS:20251108-17", "La crue & le pont", TEXT, "fr", datetime(2025, 11, 8, 7, 30, tzinfo=UTC), "Léa Brun",
        "Agence de la Sarve",
    )  # fmt: skip


def test_a_paper_and_its_day_go_before_the_agency_and_its_day(tmp_path: Path) -> None:
    found = one(tmp_path / "a.xml", nitf(pubdata=PUBDATA).encode())
    assert isinstance(found, Article)
    assert (found.published, found.source) == (date(2025, 11, 9), "Le Courrier")


@pytest.mark.parametrize(
    ("byline", "author"),
    [
        ("By <person>Ann Lee</person> and <person>Jo Wu</person><byttl>Staff</byttl>", "Ann Lee, Jo Wu"),
        ("By Ann Lee", "Ann Lee"),
        ("Ann Lee", "Ann Lee"),
        ("By", "By"),
        ("", None),
    ],
)
def test_bylines(byline: str, author: str | None) -> None:
    assert nitf_facts(parse_xml(nitf(byline).encode()))["author"] == author


@pytest.mark.parametrize("status", ["embargoed", "withheld", "canceled"])
def test_what_an_agency_holds_back_is_left_out(tmp_path: Path, status: str) -> None:
    reason = f"its agency marks it as {status}: not to be published"
    assert one(tmp_path / "a.xml", nitf(status=status).encode()) == reason


def test_an_id_that_does_not_say_whose_it_is_is_none(tmp_path: Path) -> None:
    found = one(tmp_path / "a.xml", nitf().replace(' regsrc="ADS"', "").encode())
    assert isinstance(found, Article)
    assert found.id == "a.xml"
    named = one(tmp_path / "b.xml", nitf().replace("20251108-17", "urn:ads:17").encode())
    assert isinstance(named, Article)
    assert named.id == "urn:ads:17"


def test_documents_that_cannot_be_read(tmp_path: Path) -> None:
    assert one(tmp_path / "a.xml", b"<nitf><body/></nitf>") == "not NITF: it has no body.content"
    assert one(tmp_path / "b.xml", nitf().replace("&eacute;", "&bogus;").encode()) == (
        "uses &bogus;, which no DTD here declares. Write the letter itself"
    )
    assert one(tmp_path / "c.xml", b"<nitf><body><body.content/></body></nitf>") == "the text is empty"
