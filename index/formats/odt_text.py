"""The text of an OpenDocument text (content.xml): paragraphs, headings, list items and rows of tables."""

from __future__ import annotations

from lxml import html

from index.formats.markup_text import MAX_DEPTH, text_of
from index.formats.xml_documents import Element, name_of

# Elements of OpenDocument, and the HTML that says the same; others are read through.
_SAME = {
    "h": "h2",
    "line-break": "br",
    "list": "ul",
    "list-item": "li",
    "p": "p",
    "table": "table",
    "table-cell": "td",
    "table-row": "tr",
}
# Deleted text, remarks of editors, forms, drawings' own descriptions: on no printed page.
_UNREAD_NAMES = (
    "annotation annotation-end bookmark-ref desc forms note-citation sequence-decls title tracked-changes "
    "variable-decls user-field-decls table-of-content alphabetical-index illustration-index"
)
_UNREAD = frozenset(_UNREAD_NAMES.split())


def text_of_odt(content: Element) -> str:
    """Return the text. Raises ValueError where there is no text body, or elements are nested too deeply."""
    body = next((node for node in content.iter() if name_of(node) == "body"), None)
    text = next((node for node in body if name_of(node) == "text"), None) if body is not None else None
    if text is None:
        raise ValueError("not an OpenDocument text: it has no text body")
    root = html.Element("div")
    notes = html.Element("div")
    _copy(text, root, notes, 0)
    root.append(notes)
    return text_of(root)


def _copy(source: Element, target: Element, notes: Element, depth: int) -> None:
    """Write the children of an element as HTML; footnotes go to the end, as on a page."""
    if depth > MAX_DEPTH:
        raise ValueError(f"elements are nested more than {MAX_DEPTH} deep")
    _add(target, source.text)
    for child in source:
        name = name_of(child)
        if name in ("s", "tab"):
            _add(target, " ")
        elif name == "note":
            _copy(child, notes, notes, depth + 1)
        elif name and name not in _UNREAD:
            # A text box stands in its own place: not in the middle of the paragraph it is anchored to.
            into = notes if name == "text-box" else target
            if name in _SAME:
                into = html.Element(_SAME[name])
                target.append(into)
            _copy(child, into, notes, depth + 1)
        _add(target, child.tail)


def _add(target: Element, text: str | None) -> None:
    """As an element of its own: text put behind text is copied whole, again and again."""
    if text:
        span = html.Element("span")
        span.text = text
        target.append(span)
