"""XML from anywhere, read so that it can neither fetch, nor read another file, nor unfold to gigabytes."""

from __future__ import annotations

import html
from typing import Any

from lxml import etree

# An element of lxml, of XML or of HTML.
Element = Any


class DeclaresEntities(ValueError):
    """A document brings its own entities, with which it could read files or unfold without end."""

    def __init__(self) -> None:
        super().__init__("declares entities of its own, which are not accepted. Write what they stand for")


def parse_xml(data: bytes) -> Element:
    """Return the root element. Raises ValueError where the bytes are no XML, or declare entities.

    A DOCTYPE that names the DTD of a format is common (NITF, XHTML) and is not loaded. The letters such a DTD would
    declare (`&eacute;`) stay entity nodes; `text_in` knows them.
    """
    try:
        root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        raise ValueError(f"not well-formed XML: {error.msg}") from error
    _refuse_entities(root)
    return root


def parse_root(data: bytes) -> Element:
    """Return the root element as far as its first tag says, whatever comes behind it."""
    parser = etree.XMLPullParser(["start"], **_SAFE)
    try:
        for at in range(0, len(data), 4096):
            parser.feed(data[at : at + 4096])
            for _, element in parser.read_events():
                return element
    except etree.XMLSyntaxError as error:
        # What libxml2 read before it stumbled is still told.
        for _, element in parser.read_events():
            return element
        raise ValueError(f"not XML: {error.msg}") from error
    raise ValueError("holds no XML element")


def name_of(element: Element) -> str:
    """Return an element's name without its namespace; "" for what is no element (a comment, an entity)."""
    return str(etree.QName(element).localname) if isinstance(element.tag, str) else ""


def text_in(element: Element | None) -> str:
    """Return all text in an element on one line, "" for None."""
    if element is None:
        return ""
    return " ".join("".join(_in_order(element)).split())


def _in_order(element: Element) -> list[str]:
    pieces = [letter_of(element) if element.tag is etree.Entity else element.text or ""]
    for child in element:
        if isinstance(child.tag, str) or child.tag is etree.Entity:
            pieces.extend(_in_order(child))
        pieces.append(child.tail or "")
    return pieces


def letter_of(entity: Element) -> str:
    """Return the letters of an entity that HTML knows. Raises ValueError for another one."""
    name = str(entity.text)
    letters = html.unescape(name)
    if letters == name:
        raise ValueError(f"uses {name}, which no DTD here declares. Write the letter itself")
    return letters


_SAFE: dict[str, bool] = {
    "resolve_entities": False,
    "load_dtd": False,
    "no_network": True,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def _parser() -> Element:
    return etree.XMLParser(**_SAFE)


def _refuse_entities(root: Element) -> None:
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and next(dtd.iterentities(), None) is not None:
        raise DeclaresEntities
