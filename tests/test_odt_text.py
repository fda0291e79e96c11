"""The text of an OpenDocument text as its page shows it."""

from __future__ import annotations

import pytest

from index.formats.odt_text import text_of_odt
from index.formats.xml_documents import parse_xml

SPACES = 'xmlns:text="urn:t" xmlns:table="urn:b" xmlns:draw="urn:d" xmlns:office="urn:o"'


def text(body: str) -> str:
    document = f"<d {SPACES}><office:body><office:text>{body}</office:text></office:body></d>"
    return text_of_odt(parse_xml(document.encode()))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "<text:p>Un<text:s text:c='3'/>deux<text:tab/>trois<text:line-break/>quatre</text:p>",
            "Un deux trois\nquatre",
        ),
        ("<text:p>Un <text:span>d<text:a>eu</text:a></text:span>x.</text:p><text:p/>", "Un deux."),
        (
            "<text:list><text:list-item><text:p>a</text:p></text:list-item>"
            "<text:list-item><text:p>b</text:p></text:list-item></text:list>",
            "- a\n- b",
        ),
        (
            "<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>A</text:p>"
            "</table:table-cell><table:table-cell><text:p>B</text:p></table:table-cell></table:table-row>"
            "</table:table-header-rows><table:table-row><table:table-cell><text:p>1</text:p></table:table-cell>"
            "<table:table-cell><text:p>2</text:p></table:table-cell></table:table-row></table:table>",
            "| A | B |\n| 1 | 2 |",
        ),
        (
            "<text:tracked-changes><text:p>effacé</text:p></text:tracked-changes><text:p>Resté<office:annotation>"
            "<text:p>À revoir</text:p></office:annotation>.</text:p>",
            "Resté.",
        ),
        (
            "<text:p>Le pont<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>De 1764."
            "</text:p></text:note-body></text:note> tient.</text:p><text:p>Fin.</text:p>",
            "Le pont tient.\n\nFin.\n\nDe 1764.",
        ),
        (
            "<text:p>Avant <draw:frame><draw:text-box><text:p>Encadré.</text:p></draw:text-box></draw:frame>après."
            "</text:p>",
            "Avant après.\n\nEncadré.",
        ),
        ("<text:section><text:p>Un\u00adique.</text:p></text:section>", "Unique."),
    ],
)
def test_bodies(body: str, expected: str) -> None:
    assert text(body) == expected


def test_other_documents_are_no_texts() -> None:
    with pytest.raises(ValueError, match="not an OpenDocument text"):
        text_of_odt(parse_xml(b"<d><body><spreadsheet/></body></d>"))
