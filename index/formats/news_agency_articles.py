"""The formats of news agencies, NewsML-G2 and NITF, and what else comes as .xml; told apart by the root element.

NewsML-G2 is https://iptc.org/standards/newsml-g2/, NITF https://iptc.org/standards/nitf/.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from index.errors import ArticleError
from index.formats.article_fields import Fields, check_fields, clean_text, parse_date
from index.formats.document_facts import usable_facts
from index.formats.encodings import read_bytes, reason_of
from index.formats.feed_articles import FEED_ROOTS, MAX_FEED_BYTES, feed_entries
from index.formats.markup_text import text_of
from index.formats.nitf_documents import nitf_facts, nitf_text
from index.formats.xml_documents import Element, name_of, parse_root, parse_xml, text_in

# ninat: of NewsML-G2 (https://cv.iptc.org/newscodes/ninature/). Pictures, sound and graphics are no text.
_WITH_TEXT = frozenset(("", "text", "composite"))


def read_xml(path: Path) -> Iterator[Fields | ArticleError]:
    """Read NewsML-G2, NITF or a feed."""
    data = read_bytes(path, MAX_FEED_BYTES)
    root = name_of(parse_root(data))
    if root in FEED_ROOTS:
        yield from feed_entries(data, path)
    elif root == "nitf":
        document = parse_xml(data)
        facts = nitf_facts(document)
        _refuse_unpublished(facts.pop("status"), None)
        yield check_fields(usable_facts(facts), clean_text(nitf_text(document)), str(path), path.stem)
    elif root in ("newsItem", "newsMessage"):
        yield from _news_items(parse_xml(data), path)
    else:
        raise ValueError(
            f"its root element is <{root}>; known are newsItem and newsMessage (NewsML-G2), nitf, rss, feed and rdf:RDF"
        )


def _news_items(root: Element, path: Path) -> Iterator[Fields | ArticleError]:
    """The text items of a document. Of several versions of one item in a message the last one counts."""
    items = [root] if name_of(root) == "newsItem" else [node for node in root.iter() if name_of(node) == "newsItem"]
    texts = [item for item in items if _class_of(item) in _WITH_TEXT]
    if not texts:
        raise ValueError("holds no news item with text")
    latest: dict[str, Element] = {}
    for number, item in enumerate(texts):
        key = item.get("guid") or str(number)
        if key not in latest or _version(item) >= _version(latest[key]):
            latest[key] = item
    for number, item in enumerate(latest.values(), start=1):
        guid = item.get("guid")
        place = f"{path}#{guid or number}" if len(texts) > 1 else str(path)
        try:
            yield _fields(item, place, path.stem, "" if guid or len(texts) == 1 else str(number))
        except ArticleError as error:
            yield error
        except ValueError as error:
            yield ArticleError(place, reason_of(error))


def _fields(item: Element, place: str, stem: str, part: str) -> Fields:
    meta, content = _child(item, "itemMeta"), _child(item, "contentMeta")
    _refuse_unpublished(_code(_child(meta, "pubStatus")), text_in(_child(meta, "embargoed")) or None)
    text, inside = _content(item)
    facts = {
        "id": item.get("guid"),
        "title": text_in(_headline(content)) or text_in(_child(meta, "title")),
        "author": _names(content, "by") or _names(content, "creator"),
        # The first version is what was published; a correction comes later and is not a new event.
        "published": text_in(_child(meta, "firstCreated"))
        or text_in(_child(content, "contentCreated"))
        or text_in(_child(meta, "versionCreated")),
        "source": _names(content, "infoSource") or _names(meta, "provider"),
        "language": _tag(content) or item.get("{http://www.w3.org/XML/1998/namespace}lang"),
        "url": next(
            (node.get("href") for node in _children(meta, "link") if "html" in node.get("contenttype", "")), None
        ),
    }
    own = usable_facts(facts)
    return check_fields({**usable_facts(inside), **own}, clean_text(text), place, stem, part)


def _content(item: Element) -> tuple[str, dict[str, str | None]]:
    """The text of the first rendition that has one, and what an NITF document in it says of itself."""
    contents = _child(item, "contentSet")
    for rendition in contents if contents is not None else ():
        document = next((node for node in rendition if isinstance(node.tag, str)), None)
        if name_of(rendition) == "inlineXML" and document is not None:
            if name_of(document) == "nitf":
                facts = nitf_facts(document)
                _refuse_unpublished(facts.pop("status"), None)
                return nitf_text(document), facts
            body = next((node for node in document.iter() if name_of(node) == "body"), document)
            return text_of(body), {}
        if name_of(rendition) == "inlineData" and rendition.get("encoding") is None and text_in(rendition):
            return "\n".join(line.strip() for line in "".join(rendition.itertext()).strip().split("\n")), {}
    raise ValueError("the news item holds no text of its own (only a reference?)")


def _refuse_unpublished(status: str | None, embargo: str | None) -> None:
    """What an agency holds back or takes back is not to be quoted to readers."""
    if status not in (None, "", "usable"):
        raise ValueError(f"its agency marks it as {status}: not to be published")
    if not embargo:
        return
    try:
        until = parse_date(embargo)
    except ValueError:
        raise ValueError(f"is under embargo until a moment that cannot be read: {embargo[:40]}") from None
    moment = until if isinstance(until, datetime) else datetime(until.year, until.month, until.day, tzinfo=UTC)
    if (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) > datetime.now(UTC):
        raise ValueError(f"is under embargo until {embargo}. Build again after that")


def _class_of(item: Element) -> str:
    return _code(_child(_child(item, "itemMeta"), "itemClass"))


def _code(element: Element | None) -> str:
    """The end of a concept's code: "text" of qcode="ninat:text" or of its whole address."""
    if element is None:
        return ""
    code = element.get("qcode") or element.get("uri") or ""
    return str(code).replace("/", ":").rpartition(":")[2].lower()


def _version(item: Element) -> int:
    version = item.get("version") or ""
    return int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0


def _headline(content: Element | None) -> Element | None:
    """The main headline: one without a role, or of the role main, before kickers and subheads."""
    lines = _children(content, "headline")
    return next((line for line in lines if _role(line) in ("", "main", "headline", "hld")), next(iter(lines), None))


def _role(element: Element) -> str:
    return str(element.get("role") or "").rpartition(":")[2].lower()


def _names(parent: Element | None, name: str) -> str:
    """The readable names of people or houses, or what their codes end with."""
    found = []
    for node in _children(parent, name):
        inner = text_in(next((child for child in node if name_of(child) == "name"), None))
        plain = text_in(node) if len(node) == 0 else ""
        found.append(inner or plain or str(node.get("literal") or node.get("qcode") or "").rpartition(":")[2])
    return ", ".join(dict.fromkeys(filter(None, found)))


def _tag(content: Element | None) -> str | None:
    language = _child(content, "language")
    return None if language is None else language.get("tag")


def _children(parent: Element | None, name: str) -> list[Element]:
    return [] if parent is None else [node for node in parent if name_of(node) == name]


def _child(parent: Element | None, name: str) -> Element | None:
    return next(iter(_children(parent, name)), None)
