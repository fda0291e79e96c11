"""The command about the page's suggested questions: list, propose, accept, add and refuse them."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.commands import embedder_option, home_option, json_option
from index.errors import SourcierError
from qa.commands import kv_type_option, language_model_option, load_answerer, states_gb_option

if TYPE_CHECKING:
    from index.search import Index
    from qa.suggesting import Suggester
    from qa.suggestions import Suggestion, SuggestionFile


class NotAnswered(SourcierError):
    """An editor's question that the articles do not answer."""

    def __init__(self, question: str) -> None:
        super().__init__(
            f"The articles do not answer {question!r}, so readers who follow it would be declined. "
            "Put it another way, or see what is found with: sourcier ask"
        )


@click.command()
@click.option("--make", is_flag=True, help="Let the model propose questions about the newest articles without any.")
@click.option("--add", metavar="QUESTION", help="Suggest a question of your own, if the articles answer it.")
@click.option("--accept", metavar="QUESTION", help="Suggest a question that the model proposed.")
@click.option("--refuse", metavar="QUESTION", help="Never suggest or propose this question again.")
@home_option
@embedder_option
@language_model_option
@states_gb_option
@kv_type_option
@json_option
def suggest(
    make: bool,
    add: str | None,
    accept: str | None,
    refuse: str | None,
    home: Path,
    embedder: str | None,
    language_model: str | None,
    states_gb: float,
    kv_type: str,
    as_json: bool,
) -> None:
    """List the questions that the empty page suggests, and those that the model proposes.

    A page shows four of its language, those of the newest articles. Each belongs to the article that answers it, and
    goes when the article changes or is deleted.

    A server that nobody asks lets the model propose questions about the newest articles in French and English. Each was
    asked: search finds its article first, and every sentence of the answer is supported by it. A small model's wording
    is not always a newspaper's, so none of them is shown before it is accepted (unless SOURCIER_SUGGEST_PROPOSED is 1).

    \b
    Example:
      sourcier suggest --make
      sourcier suggest --accept "Qui a reconnu la « Vierge au chardon » ?"
      sourcier suggest --add "Qui a coupé le ruban du pont des Tanneurs ?"
      sourcier suggest --refuse "Combien coûte le tuba de l’harmonie ?"
    """
    from qa.suggestions import SuggestionFile, articles_on_disk

    file, find = SuggestionFile(home), articles_on_disk(home)
    drop_stale_suggestions(home)
    if accept is not None and not file.judge(accept.strip(), "accepted"):
        raise SourcierError(f"{accept!r} is not proposed. See what is with: sourcier suggest")
    if refuse is not None and not file.judge(refuse.strip(), "refused"):
        raise SourcierError(f"{refuse!r} is neither suggested nor proposed. See what is with: sourcier suggest")
    if make or add is not None:
        answerer, index, model = load_answerer(home, embedder, language_model, states_gb, kv_type)
        from qa.suggesting import Suggester

        with closing(model), closing(index):
            suggester = Suggester(model, answerer)
            if add is not None:
                file.add(_of_editor(suggester, add.strip()), find)
            if make:
                _make(suggester, index, file, home)
    listed = [one for one in file.read() if one.question and one.state != "refused"]
    listed.sort(key=lambda one: one.state)  # accepted ones first
    if as_json:
        rows = [
            {"question": one.question, "language": one.language, "article_id": one.article_id, "state": one.state}
            for one in listed
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for one in listed:
        click.echo(f"{one.state}  {one.language}  {one.question}  ({one.article_id})")
    if not listed:
        click.echo("No question is suggested yet. Let the model propose some: sourcier suggest --make", err=True)


def drop_stale_suggestions(home: Path) -> int:
    """Remove the questions about articles that are gone or have changed, without a model; how many there were."""
    from qa.suggestions import SuggestionFile, articles_on_disk

    return SuggestionFile(home).keep_current(articles_on_disk(home))


def _of_editor(suggester: Suggester, question: str) -> Suggestion:
    """An editor's question belongs to the article that is cited first. Raises NotAnswered."""
    from qa.suggestions import Suggestion, digest_of_article

    answer = suggester.answer(question)
    if not answer.answered:
        raise NotAnswered(question)
    article = answer.citations[0].article
    return Suggestion(article.id, digest_of_article(article), answer.language, question, "accepted")


def _make(suggester: Suggester, index: Index, file: SuggestionFile, home: Path) -> None:
    """Each one is kept at once: stopped with Ctrl-C it goes on where it was."""
    from index.progress import TerminalProgress
    from qa.suggesting import articles_to_try
    from qa.suggestions import articles_on_disk

    find = articles_on_disk(home)
    to_try = list(articles_to_try(index, file.read()))
    with TerminalProgress(unit="articles") as progress:
        for number, (article, passage) in enumerate(to_try):
            progress.advance("making questions", number, len(to_try))
            file.add(suggester.from_article(article, passage), find)
        progress.advance("making questions", len(to_try), len(to_try))
