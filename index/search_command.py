"""The command that searches: passages without an answer, and what their scores are made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.commands import embedder_option, home_option, json_option, load_embedder
from index.filter_options import filter_options

if TYPE_CHECKING:
    from index.filters import Filters
    from index.search import Hit


@click.command()
@click.argument("query")
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 100), help="How many passages.")
@click.option("--explain", is_flag=True, help="Say what each score is made of, and which words matched.")
@filter_options
@home_option
@embedder_option
@json_option
def search(
    query: str, k: int, explain: bool, filters: Filters, home: Path, embedder: str | None, as_json: bool
) -> None:
    """Find the passages that matter for QUERY, without answering.

    \b
    Example:
      sourcier search "réouverture du pont"
      sourcier search "réouverture du pont" --since 2025-10-01 --source "Le Courrier de la Sarve"
    """
    from index.generation import current_folder
    from index.search import Index

    current_folder(home)  # says what to do before a model is loaded for nothing
    model, _ = load_embedder(embedder)
    index = Index(home, model)
    hits = index.search(query, k, filters)
    index.close()
    if as_json:
        facts = [_hit_facts(hit) | (_score_facts(query, hit) if explain else {}) for hit in hits]
        click.echo(json.dumps({"hits": facts}, ensure_ascii=False, indent=2))
        return
    for hit in hits:
        article = hit.article
        origin = ", ".join(str(fact) for fact in (article.source, article.published) if fact)
        click.echo(f"{hit.rank}. {article.title}" + (f" ({origin})" if origin else "") + f"  [{hit.score:.3f}]")
        click.echo(f"   {article.text[hit.sentence.start : hit.sentence.end]}")
        click.echo(f"   {article.id} {hit.sentence.start}-{hit.sentence.end}")
        click.echo(_explained(query, hit) if explain else "")


def _explained(query: str, hit: Hit) -> str:
    """The parts of a score, on a line with a blank one behind it."""
    words = ", ".join(_score_facts(query, hit)["words"]) or "none"
    parts = f"cosine {hit.vector:.3f} + 0.1 x words {hit.keyword:.3f} (matched: {words})"
    return f"   = {parts}" + (f" + 0.1 x recency {hit.recency:.3f}" if hit.recency else "") + "\n"


def _score_facts(query: str, hit: Hit) -> dict[str, Any]:
    from index.matched_words import matched_words

    return {
        "vector": round(hit.vector, 4),
        "keyword": round(hit.keyword, 4),
        "recency": round(hit.recency, 4),
        "words": matched_words(query, hit),
    }


def _hit_facts(hit: Hit) -> dict[str, object]:
    return {
        "rank": hit.rank,
        "score": round(hit.score, 4),
        "article_id": hit.article.id,
        "title": hit.article.title,
        "start": hit.passage.start,
        "end": hit.passage.end,
        "text": hit.passage.text,
        "sentence": {"start": hit.sentence.start, "end": hit.sentence.end},
    }
