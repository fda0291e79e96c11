"""The heading that goes with a piece of an article wherever it is read alone."""

from __future__ import annotations

from index.articles import Article


def heading_of(article: Article) -> str:
    """Give the title, with source and day where they are known.

    It goes with every sentence when it is embedded, and with the passage when the model reads it.
    """
    day = article.published.strftime("%Y-%m-%d") if article.published else None
    origin = ", ".join(part for part in (article.source, day) if part)
    return f"{article.title} ({origin})" if origin else article.title
