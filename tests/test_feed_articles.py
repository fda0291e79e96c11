"""Feeds in the dialects that newspapers publish, compared with what was put in; nothing is ever fetched."""

from __future__ import annotations

import socket
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from index.articles import Article, read_articles
from index.formats import feed_articles

PARIS = timezone(timedelta(hours=1))
RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>Le Courrier</title><link>https://echo.example/</link>
<language>en-US</language><atom:link href="http://127.0.0.1:9/feed" rel="self"/>
<item><title>Le pont &amp;amp; la crue</title><link>https://echo.example/pont</link><guid>https://echo.example/?p=12</guid>
<pubDate>Sat, 08 Nov 2025 00:30:00 +0100</pubDate><dc:creator>Léa Brun</dc:creator>
<description>Un résumé.</description>
<content:encoded><![CDATA[<p>Le pont a rouvert samedi.</p><script>x()</script><p>Les habitants l’ont traversé à pied,
sous la pluie, avec leurs enfants et leurs chiens, et beaucoup ont trouvé qu’il n’avait jamais été aussi large ni
aussi beau, ce qui a fait sourire l’architecte.</p><img src="http://127.0.0.1:9/x.png">]]></content:encoded></item>
<item><title>Brève</title><guid isPermaLink="false">17</guid>
<description>Pas de date, &lt;b&gt;pas&lt;/b&gt; de contenu.</description></item>
<item><title>Vide</title><link>https://echo.example/vide</link></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de">
<title type="html">Die &lt;i&gt;Zeitung&lt;/i&gt;</title>
<author><name>Redaktion</name></author><updated>2026-01-01T00:00:00Z</updated><id>urn:feed</id>
<entry><title>Die Orgel</title><id>tag:zeitung.example,2025:1</id><link href="https://zeitung.example/orgel"/>
<published>2025-11-08T07:30:00Z</published><updated>2025-12-24T00:00:00Z</updated><summary>Kurz.</summary>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">
<p>Sie klingt <em>wieder</em>.</p><ul><li>Pfeifen</li></ul></div></content></entry>
<entry><title>Nur geändert</title><id>tag:zeitung.example,2025:2</id><updated>2025-12-24T00:00:00Z</updated>
<author><name>Ruth Ahlmeier</name></author><source><title>Agentur</title></source>
<content type="text">Ein Text &lt; zwei.</content></entry></feed>"""


def read(path: Path, data: str | bytes) -> tuple[list[Article], list[str]]:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    found = list(read_articles([path]))
    return [a for a in found if isinstance(a, Article)], [str(e) for e in found if not isinstance(e, Article)]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a feed asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("name", ["a.rss", "a.xml"])
def test_rss(tmp_path: Path, name: str) -> None:
    (full, brief), errors = read(tmp_path / name, RSS)
    assert full == Article(
        id="https://echo.example/?p=12",
        title="Le pont & la crue",
        text="Le pont a rouvert samedi.\n\nLes habitants l’ont traversé à pied, sous la pluie, avec leurs enfants et "
        "leurs chiens, et beaucoup ont trouvé qu’il n’avait jamais été aussi large ni aussi beau, ce qui a fait "
        "sourire l’architecte.",
        language="fr",
        published=datetime(2025, 11, 8, 0, 30, tzinfo=PARIS),
        author="Léa Brun",
        source="Le Courrier",
        url="https://echo.example/pont",
    )
    assert (brief.id, brief.text, brief.published) == (f"{name}#17", "Pas de date, pas de contenu.", None)
    assert errors == [f"{tmp_path / name}#3: the text is empty"]


def test_atom(tmp_path: Path) -> None:
    (orgel, changed), errors = read(tmp_path / "a.atom", ATOM)
    assert errors == []
    assert orgel == Article(
        "tag:zeitung.example,2025:1", "Die Orgel", "Sie klingt wieder.\n\n- Pfeifen", "de",
        datetime(2025, 11, 8, 7, 30, tzinfo=UTC), "Redaktion", "Die Zeitung", "https://zeitung.example/orgel",
    )  # fmt: skip
    # The last change is not the day of publication.
    assert (changed.text, changed.published, changed.author, changed.source) == (
        "Ein Text < zwei.", None, "Ruth Ahlmeier", "Agentur",
    )  # fmt: skip


def test_rdf_with_its_dublin_core_date(tmp_path: Path) -> None:
    rdf = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>Asahi</title></channel>'
        '<item rdf:about="https://a.example/1"><title>橋</title><link>https://a.example/1</link>'
        "<dc:date>2025-11-08</dc:date><description>橋は土曜日に再開し、住民は雨の中を歩いて渡った。</description></item></rdf:RDF>"
    )
    (found,), errors = read(tmp_path / "a.xml", rdf)
    assert errors == []
    assert (found.title, found.published, found.language, found.source) == ("橋", date(2025, 11, 8), "ja", "Asahi")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "windows-1252", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    source = (
        f'<?xml version="1.0" encoding="{encoding}"?><rss version="2.0"><channel><item><title>Été</title>'
        "<description>Il a plu à Noël.</description></item></channel></rss>"
    )
    (found,), errors = read(tmp_path / "a.rss", source.encode(encoding))
    assert (errors, found.title, found.text) == ([], "Été", "Il a plu à Noël.")


def test_what_is_not_quite_xml_is_mended(tmp_path: Path) -> None:
    sloppy = RSS.replace("Un résumé.", "Noix & fils&nbsp;: <br>").replace("<title>Brève", "<title>Brève & vite")
    articles, _ = read(tmp_path / "a.rss", sloppy)
    assert [a.title for a in articles] == ["Le pont & la crue", "Brève & vite"]
    assert articles[0].text.startswith("Le pont a rouvert samedi.\n\nLes habitants")


def test_an_entry_of_plain_lines_and_one_with_a_long_guid(tmp_path: Path) -> None:
    plain = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title>'
        f"<entry><id>{'x' * 500}</id><title>a</title><content>Un.\n\n  Deux.\n\n\n\nTrois.</content></entry></feed>"
    )
    (found,), errors = read(tmp_path / "a.atom", plain)
    assert errors == []
    assert found.text == "Un.\n\nDeux.\n\nTrois."
    assert found.id.startswith("a.atom#")
    assert len(found.id) == len("a.atom#") + 16


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "holds no XML element"),
        (RSS[:900], "the feed breaks off (not well-formed XML"),
        (RSS.replace("</rss>", ""), "the feed breaks off (not well-formed XML"),
        ("<rss version='2.0'><channel><title>T</title></channel></rss>", "the feed holds no entries"),
        ("<html><body>x</body></html>", "not a feed: its root element is <html>, not <rss>, <feed> or <rdf:RDF>"),
        ("%PDF-1.4", "not XML: Start tag expected, '<' not found"),
        (
            '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + RSS.split("\n", 1)[1].replace("Brève", "&x;"),
            "declares entities of its own",
        ),
        (
            '<!DOCTYPE rss [<!ENTITY x "y">]>' + RSS.split("\n", 1)[1].replace("Brève", "& &x;"),
            "declares entities of its own",
        ),
    ],
)
def test_feeds_that_cannot_be_read(tmp_path: Path, data: str | bytes, reason: str) -> None:
    articles, errors = read(tmp_path / "a.rss", data)
    assert articles == []
    assert len(errors) == 1
    assert errors[0].removeprefix(f"{tmp_path / 'a.rss'}: ").startswith(reason)


def test_a_large_feed_is_not_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_articles, "MAX_SLOPPY_BYTES", 100)
    _, errors = read(tmp_path / "a.rss", RSS.replace("Brève", "a & b"))
    assert errors[0].endswith("only feeds below 100 bytes are mended")
    monkeypatch.setattr(feed_articles, "MAX_FEED_BYTES", 200)
    assert read(tmp_path / "a.rss", RSS)[1] == [f"{tmp_path / 'a.rss'}: the file is larger than 200 bytes"]
