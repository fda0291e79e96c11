"""Markup to text, compared with what a reader of the page would see."""

from __future__ import annotations

import time

import pytest

from index.formats.markup_text import text_of, text_of_html
from index.formats.xml_documents import parse_xml


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Un.</p><p>Deux.</p>", "Un.\n\nDeux."),
        ("Un.<br><br>Deux,<br/>trois.", "Un.\n\nDeux,\ntrois."),
        ("<h2>Le pont</h2>Il a rouvert.<h3>Le prix</h3><p>Cher.</p>", "Le pont\n\nIl a rouvert.\n\nLe prix\n\nCher."),
        ("<ul><li>œuf</li><li><p>sel</p></li><li></li></ul>", "- œuf\n- sel"),
        ("<ol start='3'><li>a<ul><li>b</li></ul></li><li>c</li></ol>", "3. a\n- b\n4. c"),
        ("<ol start='-9'><li>a</li></ol><ol start='x'><li>b</li></ol>", "1. a\n1. b"),
        (
            "<table><caption>Prix</caption><tr><th>Noix</th><td><p>6,20</p> €</td></tr><tr><td>Cèpe<td>16 €</table>",
            "Prix\n\n| Noix | 6,20 € |\n| Cèpe | 16 € |",
        ),
        ("<table><tr><td><p>Un.</p><p>Deux.</p></td></tr></table>", "Un.\n\nDeux."),
        ("<p>Ex&shy;em&#8203;ple de la Grund\u00adschule\ufeff.</p>", "Exemple de la Grundschule."),
        ("<p>Il dit <q>non</q> et <b>s</b>’en va , <i>vite</i>.</p>", "Il dit “non” et s’en va , vite."),
        ("<p>A\n  b\t c&nbsp;: d</p>", "A b c\u00a0: d"),
        ("<pre>un\n  deux\n\ntrois</pre>", "un\ndeux\n\ntrois"),
        (
            "<script>x()</script><style>p{}</style><p hidden>non</p><p style='Display : none'>non</p>"
            "<p>oui<img alt='non'><span style='visibility:hidden'>non</span></p><!-- non -->",
            "oui",
        ),
        ("<ruby>橋<rp>(</rp><rt>はし</rt><rp>)</rp></ruby>を渡る", "橋を渡る"),
        ('<?xml version="1.0" encoding="utf-8"?><p>a\0b</p>', "ab"),
        ("<p>1 &lt; 2 &amp; 3 &eacute;</p>", "1 < 2 & 3 é"),
        ("", ""),
        ("<!-- rien -->", ""),
        ("sans markup", "sans markup"),
    ],
)
def test_html(markup: str, text: str) -> None:
    assert text_of_html(markup) == text


def test_elements_of_any_namespace_and_letters_of_a_dtd() -> None:
    root = parse_xml(
        b'<!DOCTYPE n SYSTEM "n.dtd"><n xmlns="urn:n"><hl2>&Eacute;t&eacute;</hl2><p>A &amp; b.</p>'
        b"<media><media-reference>x.jpg</media-reference><media-caption>Le pont.</media-caption></media></n>"
    )
    assert text_of(root) == "Été\n\nA & b.\n\nLe pont."


def test_long_and_deep_markup_ends_soon() -> None:
    began = time.monotonic()
    assert text_of_html("<ol>" + "<li>a" * 50_000).count("\n") == 49_999
    assert len(text_of_html("<br> " * 100_000 + "x")) == 1
    assert text_of_html("<p>a</p>" + "<div>" * 100_000 + "x") == "a"  # libxml2 ends at a depth of 256
    assert time.monotonic() - began < 10
    deep = parse_xml(b"<a>" * 250 + b"x" + b"</a>" * 250)
    for _ in range(20):
        wrap = deep.makeelement("a")
        wrap.append(deep)
        deep = wrap
    with pytest.raises(ValueError, match="nested more than 256 deep"):
        text_of(deep)
