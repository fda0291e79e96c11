"""The command that measures: labelled questions in, a table out."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.commands import build_with_progress, embedder_option, home_option, json_option, load_embedder
from index.errors import SourcierError
from qa.commands import (
    answerer_of,
    decline_below_option,
    kv_type_option,
    language_model_file,
    language_model_option,
    load_ready,
    states_gb_option,
)

if TYPE_CHECKING:
    from index.embedder import Embedder
    from index.search import Index
    from qa.answers import Answerer
    from qa.evaluation import Outcome
    from qa.measuring.labelled_questions import Half, LabelledQuestion
    from qa.measuring.squad import Paragraph

# Below SOURCIER_HOME: an index for each set of paragraphs that was measured on.
EVAL_FOLDER = "eval"


def _two_letters(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch("[a-z]{2}", value):
        raise click.BadParameter(f"{value!r} is not a two-letter code such as fr.")
    return value


@click.command(name="eval")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--articles",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Ask over the paragraphs of this SQuAD file, which has the same questions in another language.",
)
@click.option(
    "--language", callback=_two_letters, help="Language of the paragraphs, as fr; otherwise each one's is detected."
)
@click.option(
    "--half",
    type=click.Choice(["even", "odd", "all"]),
    default="all",
    show_default=True,
    help="Ask every second question of each file: even asks the first, the third and so on (numbered from 0).",
)
@click.option("--sample", "sample_size", type=click.IntRange(1), help="Ask only so many of them, chosen by --seed.")
@click.option("--seed", default=0, show_default=True, help="Which sample.")
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 20), help="Passages found for an answer.")
@click.option("--search-only", is_flag=True, help="Measure what is found; write no answers.")
@click.option(
    "--rows",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep each question's outcome in this file as it comes; with a file of the same settings, go on.",
)
@home_option
@embedder_option
@language_model_option
@states_gb_option
@kv_type_option
@decline_below_option
@json_option
def evaluate_command(
    files: tuple[Path, ...],
    articles: Path | None,
    language: str | None,
    half: Half,
    sample_size: int | None,
    seed: int,
    k: int,
    search_only: bool,
    rows: Path | None,
    home: Path,
    embedder: str | None,
    language_model: str | None,
    states_gb: float,
    kv_type: str,
    decline_below: float,
    as_json: bool,
) -> None:
    """Ask labelled questions and measure what is found, right, declined and cited.

    FILES are .jsonl of labelled questions (see corpus/README.md), asked over the index of --home; or .json in SQuAD
    format, 1.1 or 2.0, whose paragraphs are indexed as articles of their own below HOME/eval first.

    \b
    R@1, R@5, MRR@10  the right article among the ten found first
    right             every fact is given, or half of a marked answer's words; of what
                      has no answer: declined
    recall, answered  share of a marked answer's words in the answer, 0 when declined;
                      and only of those answered
    F1, exact         as SQuAD counts. Low by nature: answers are whole sentences, what
                      is marked is a few words
    cited             of those answered, the right article is cited
    AUROC             does the answerability tell what has an answer from what has not?
    risk, coverage    share of the answers that are not right; share answered. --json
                      has the whole curve; --decline-below 0 draws it to its end
    citations         precision: cited spans that overlap a marked answer; recall:
                      answers of which one cited span holds it whole

    --json gives each figure its count and 95 % interval. Ctrl-C prints the table of what was asked.

    \b
    Examples:
      sourcier eval corpus/questions.jsonl --sample 40
      sourcier eval dev-v2.0.json --half odd --rows odd.jsonl --json > odd.json
      sourcier eval xquad.es.json --articles xquad.en.json --sample 200
    """
    from index.model_files import DEFAULT_EMBEDDER, DEFAULT_LANGUAGE_MODEL
    from index.progress import TerminalProgress
    from qa.evaluation import evaluate
    from qa.measuring.evaluation_rows import Rows
    from qa.measuring.labelled_questions import check_distinct, one_half, sample

    per_file, paragraphs = questions_and_paragraphs(files, articles, language)
    questions = sample([one for own in per_file for one in one_half(own, half)], sample_size, seed)
    check_distinct(questions)
    if not questions:
        raise SourcierError("There is no question to ask in what was given.")
    settings = {
        "files": [_named(path) for path in files],
        "articles": _named(articles) if articles else None,
        "index": _corpus_digest(home) if paragraphs is None else None,
        "language": language,
        "half": half,
        "sample": sample_size,
        "seed": seed,
        "k": k,
        "search_only": search_only,
        "decline_below": decline_below,
        "embedder": embedder or DEFAULT_EMBEDDER,
        "language_model": None if search_only else language_model or DEFAULT_LANGUAGE_MODEL,
        "kv_type": kv_type,
    }
    stopped = False
    with Rows(rows, settings) as kept:
        missing = [one for one in questions if (one.kind, one.id) not in kept.known]
        if missing:
            path = None if search_only else language_model_file(language_model)
            vectors, name = load_embedder(embedder)
            if paragraphs is not None:
                home = home / EVAL_FOLDER / folder_name(files, articles, paragraphs, language)
                index_paragraphs(paragraphs, home, vectors, name, language)
            with _loaded(home, vectors, path, states_gb, kv_type, decline_below) as (answerer, index):
                try:
                    with TerminalProgress(unit="questions") as progress:
                        progress.advance("asking", len(kept.known), len(questions))
                        for outcome in evaluate(answerer, index, missing, k):
                            kept.add(outcome)
                            progress.advance("asking", len(kept.known), len(questions))
                except KeyboardInterrupt:
                    stopped = True
        outcomes = [kept.known[key] for one in questions if (key := (one.kind, one.id)) in kept.known]
    _print(outcomes, len(questions), settings, as_json)
    if stopped:
        go_on = " The same command goes on from here." if rows else ""
        click.echo(f"Stopped after {len(outcomes)} of {len(questions)} questions.{go_on}", err=True)
        sys.exit(130)


def questions_and_paragraphs(
    files: Sequence[Path], articles: Path | None, language: str | None
) -> tuple[list[list[LabelledQuestion]], list[Paragraph] | None]:
    """The questions of each file, and the paragraphs that they are asked over; None for those of the home's index."""
    from qa.measuring.labelled_questions import read_questions
    from qa.measuring.squad import asked_over, read_squad

    lines = [path.suffix == ".jsonl" for path in files]
    if all(lines):
        if articles or language:
            raise SourcierError("--articles and --language are for files in SQuAD format (.json).")
        return [read_questions(path) for path in files], None
    if any(lines):
        raise SourcierError(".jsonl files are asked over the index of --home, .json over their own: give one kind.")
    squad = [read_squad(path) for path in files]
    if articles is None:
        return [list(one.questions) for one in squad], [paragraph for one in squad for paragraph in one.paragraphs]
    over = read_squad(articles)
    return [asked_over(one.questions, over, articles) for one in squad], list(over.paragraphs)


def _named(path: Path) -> dict[str, str]:
    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _corpus_digest(home: Path) -> str:
    """Which articles the home's index holds. Raises NoIndex."""
    from index.generation import current_folder
    from index.manifest import Manifest

    return Manifest.read(current_folder(home)).corpus_digest


def folder_name(
    files: Sequence[Path], articles: Path | None, paragraphs: Sequence[Paragraph], language: str | None
) -> str:
    """The name of the paragraphs' file, and what tells its paragraphs from others: they are embedded once."""
    digest = hashlib.sha256("\n".join([language or "", *(one.id for one in paragraphs)]).encode()).hexdigest()
    return f"{(articles or files[0]).stem}-{digest[:8]}"


def index_paragraphs(
    paragraphs: Sequence[Paragraph], home: Path, embedder: Embedder, name: str, language: str | None
) -> None:
    """Make paragraphs the articles of the index in `home`; at once when that was done before."""
    from index.storage.durable_files import replace_text

    home.mkdir(parents=True, exist_ok=True)
    distinct = {paragraph.id: paragraph for paragraph in paragraphs}.values()
    rows = [{"id": one.id, "title": one.title, "text": one.text, "language": language} for one in distinct]
    file = home / "paragraphs.jsonl"
    replace_text(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    report = build_with_progress((file,), home, embedder, name)
    if report.unreadable:
        raise SourcierError(f"Not every paragraph can be an article. {report.unreadable[0]}")


@contextlib.contextmanager
def _loaded(
    home: Path, embedder: Embedder, model_file: Path | None, states_gb: float, kv_type: str, decline_below: float
) -> Iterator[tuple[Answerer | None, Index]]:
    """What answers, and the index of the home; without the file of a model there is only the index."""
    from index.search import Index

    with contextlib.ExitStack() as at_the_end:
        index = Index(home, embedder)
        at_the_end.callback(index.close)
        # The first question should not wait for what is set up at first use.
        index.search("première question", 1)
        answerer = None
        if model_file is not None:
            model = load_ready(model_file, home, states_gb, kv_type)
            at_the_end.callback(model.close)
            answerer = answerer_of(index, embedder, model, model_file, decline_below)
        yield answerer, index


def _print(outcomes: Sequence[Outcome], chosen: int, settings: Mapping[str, object], as_json: bool) -> None:
    from qa.measuring.evaluation_summary import summarise, table

    summary = summarise(outcomes)
    if as_json:
        facts = {"settings": settings, "chosen": chosen, "asked": len(outcomes), **asdict(summary)}
        click.echo(json.dumps({**facts, "questions": [asdict(one) for one in outcomes]}, ensure_ascii=False))
    elif outcomes:
        click.echo(table(summary))
