"""NITF, the older XML of news agencies: the text of an article, and what its head and the lines above the text say."""

from __future__ import annotations

from collections.abc import Iterator

from index.formats.markup_text import text_of
from index.formats.xml_documents import Element, name_of, text_in


def nitf_text(document: Element) -> str:
    """Return the text between headline and tagline. The abstract is left out: it is the text's beginning once more."""
    content = _first(document, "body.content")
    if content is None:
        raise ValueError("not NITF: it has no body.content")
    return text_of(content)


def nitf_facts(document: Element) -> dict[str, str | None]:
    """Return title, author, day, source and id, and as `status` whether it may be published ("usable")."""
    data = _first(document, "docdata")
    published = _first(document, "pubdata")
    return {
        "id": _id(document),
        "title": _title(document),
        "author": _author(document),
        "published": (published.get("date.publication") if published is not None else None)
        or _day(document, "date.issue")
        or _day(document, "date.release")
        or _day(document, "story.date"),
        "source": (published.get("name") if published is not None else None)
        or text_in(_first(document, "distributor"))
        or _attribute(document, "doc.copyright", "holder"),
        "language": document.get("{http://www.w3.org/XML/1998/namespace}lang")
        or next((node.get("{http://www.w3.org/XML/1998/namespace}lang") for node in _all(document, "body")), None),
        "status": data.get("management-status") if data is not None else None,
    }


def _id(document: Element) -> str | None:
    """The agency's id, if it says whose it is: the bare "17" of two agencies would be one article."""
    for node in _all(document, "doc-id"):
        name, house = node.get("id-string") or "", node.get("regsrc") or ""
        if name and (house or ":" in name):
            return name if ":" in name else f"{house}:{name}"
    return None


def _title(document: Element) -> str | None:
    headline = _first(document, "hl1")
    if headline is None:
        headline = _first(document, "hedline")
    return text_in(headline) or text_in(_first(document, "title")) or None


def _author(document: Element) -> str | None:
    """The names in the byline, or the byline without the word before them."""
    lines = list(_all(document, "byline"))
    people = [text_in(node) for line in lines for node in _all(line, "person")]
    plain = [
        text.split(" ", 1)[1] if text.lower().startswith(("by ", "par ", "von ", "por ", "di ")) else text
        for line in lines
        if (text := text_in(line))
    ]
    return ", ".join(people or plain) or None


def _day(document: Element, name: str) -> str | None:
    return _attribute(document, name, "norm")


def _attribute(document: Element, element: str, attribute: str) -> str | None:
    return next((node.get(attribute) for node in _all(document, element) if node.get(attribute)), None)


def _first(element: Element, name: str) -> Element | None:
    return next(_all(element, name), None)


def _all(element: Element, name: str) -> Iterator[Element]:
    return (node for node in element.iter() if name_of(node) == name)
