"""The options of commands that search: which articles are looked at."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from index.filters import Filters

_OPTIONS = (
    click.option("--since", metavar="DAY", help="Only articles of this day or later, such as 2025-10-07."),
    click.option("--until", metavar="DAY", help="Only articles of this day or earlier."),
    click.option("--source", multiple=True, help="Only articles of this source; may be given several times."),
    click.option("--author", multiple=True, help="Only articles by this author; a surname is enough."),
    click.option("--language", multiple=True, metavar="CODE", help="Only articles in this language, such as fr."),
    click.option("--article", multiple=True, metavar="ID", help="Only this article."),
)


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of index.filters; it gets them as one `filters`. Raises BadQuery."""

    @wraps(command)
    def filtered(*, since: str | None, until: str | None, article: tuple[str, ...], **others: Any) -> None:
        from index.filters import read_filters

        names = {name: others.pop(name) for name in ("source", "author", "language")}
        filters: Filters = read_filters({"since": since, "until": until, "article_id": article, **names})
        command(filters=filters, **others)

    for option in reversed(_OPTIONS):
        filtered = option(filtered)
    return filtered
