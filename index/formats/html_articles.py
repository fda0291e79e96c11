"""Web pages: the article's text and its metadata, without menus, scripts and comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from configparser import ConfigParser
from functools import cache

import trafilatura
from lxml.html import HtmlElement
from trafilatura.settings import Document, use_config

from index.formats.article_fields import MAX_FIELD_CHARS, parse_date
from index.formats.markup_text import without_marks

# Elements of one page. 20,000 short paragraphs take 2 s to extract, 200,000 took 130 s.
MAX_ELEMENTS = 20_000


def declared_charset(data: bytes) -> str | None:
    """Return the encoding that a page names in its first two kilobytes."""
    found = re.search(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", data[:2048], re.IGNORECASE)
    return found[1].decode("ascii") if found else None


def extract_article(html: str) -> tuple[dict[str, object], str]:
    """Return the metadata and the text of a page, paragraphs separated by a blank line. Nothing is fetched.

    Metadata that no article could have (a script as the address, a date that is none) are left out. Raises ValueError
    where the page holds no article.
    """
    tree = trafilatura.load_html(html)
    if tree is None:
        raise ValueError("not a web page")
    if sum(1 for _ in tree.iter()) > MAX_ELEMENTS:
        raise ValueError(f"the page has more than {MAX_ELEMENTS} elements")
    published, title = _published(tree), _title(tree)
    language = re.match(r"[A-Za-z]{2}(?=$|[-_])", tree.get("lang") or "")
    _tidy(tree)
    document = trafilatura.bare_extraction(
        tree, include_comments=False, include_tables=True, with_metadata=True, config=_config()
    )
    if not isinstance(document, Document) or not document.text:
        raise ValueError("no article found in the page")
    keys = {
        "title": title or document.title,
        "author": document.author,
        "published": published,
        "source": document.sitename,
        "url": document.url if re.match(r"https?://[^\s/]", document.url or "") else None,
        "language": language[0] if language else None,
    }
    usable: dict[str, object] = {key: value for key, value in keys.items() if value and len(value) <= MAX_FIELD_CHARS}
    return usable, _spaced(without_marks(document.text))


@cache
def _config() -> ConfigParser:
    """Trafilatura's own settings, but short articles keep their paragraphs.

    Below 250 characters it would fall back on the page's text in one piece.
    """
    config = use_config()
    config.set("DEFAULT", "MIN_EXTRACTED_SIZE", "1")
    config.set("DEFAULT", "MIN_OUTPUT_SIZE", "1")
    return config


def _tidy(tree: HtmlElement) -> None:
    """Take out what browsers do not show, and the two inline elements that trafilatura makes a break or a gap of."""
    for element in list(tree.iter("noscript", "template")):
        element.drop_tree()
    for element in list(tree.iter("time", "q")):
        if element.tag == "q":
            element.text = "“" + (element.text or "")
            element.tail = "”" + (element.tail or "")
        if element.getparent() is not None:
            element.drop_tag()


def _spaced(text: str) -> str:
    """Put a blank line between paragraphs; trafilatura ends each with one \\n, as it does list items and table rows."""
    spaced: list[str] = []
    for line in filter(str.strip, text.split("\n")):
        mark = line.lstrip()[0]
        if spaced:
            spaced.append("\n" if mark in "-|" and spaced[-1].lstrip().startswith(mark) else "\n\n")
        spaced.append(line.rstrip())
    return "".join(spaced)


def _title(tree: HtmlElement) -> str | None:
    """The title a page gives itself, whole: trafilatura would cut "Le pont : rouvert" at the colon."""
    for meta in tree.iter("meta"):
        if meta.get("property") == "og:title" and (meta.get("content") or "").strip():
            return str(meta.get("content"))
    headings = [" ".join(heading.text_content().split()) for heading in tree.iter("h1")]
    return headings[0] if len(headings) == 1 and headings[0] else None


# What publishers write the day of publication in, the most reliable first.
_DATE_NAMES = (
    "article:published_time og:article:published_time og:published_time datepublished date.published publish-date "
    "publish_date publishdate publication_date pubdate dcterms.created dcterms.issued dcterms.date dc.date.issued "
    "dc.date sailthru.date parsely-pub-date citation_publication_date citation_date date created"
)


def _published(tree: HtmlElement) -> str | None:
    """The day of publication as the page's metadata give it.

    Not trafilatura's date: without metadata it takes one from the footer, a picture's address or any date in the text,
    and a wrong date is worse than none.
    """
    for value in _dates(tree):
        value = value.strip().replace("/", "-")
        try:
            parse_date(value)
        except ValueError:
            continue
        return value
    return None


def _dates(tree: HtmlElement) -> Iterator[str]:
    named: dict[str, str] = {}
    for meta in tree.iter("meta"):
        name = meta.get("property") or meta.get("name") or meta.get("itemprop") or ""
        named.setdefault(name.lower(), meta.get("content") or "")
    yield from (named[name] for name in _DATE_NAMES.split() if name in named)
    for script in tree.iter("script"):
        if script.get("type", "").lower() == "application/ld+json":
            # A pattern rather than a parser: a page's JSON is often broken, and holds the date at any depth.
            found = re.search(r'"datePublished"\s*:\s*("(?:[^"\\]|\\.){1,60}")', script.text or "")
            if found:
                yield _unquoted(found[1])
    for time in tree.iter("time"):
        if time.get("itemprop", "").lower() == "datepublished" or time.get("pubdate") is not None:
            yield time.get("datetime") or ""


def _unquoted(source: str) -> str:
    try:
        value: object = json.loads(source)
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""
