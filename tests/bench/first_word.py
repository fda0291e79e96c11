"""How long a reader waits: Sourcier against the usual way, same questions, model and machine, turn by turn in one run.

    .venv/bin/python tests/bench/first_word.py ../shared/data/piaf/piaf-v1.1.json --questions 100

(a) plain    llama-cpp-python's create_chat_completion over the three best passages in one prompt
(b) stored   Sourcier, the passages it reads stored on disk (memory for states is off)
(c) fresh    Sourcier, nothing stored but the prompt's prefix

All three search the same index first, and the search counts. Only questions of odd paragraphs are asked: the probes
were fitted to the others. It prints a table; there is no pass or fail. The first run embeds PIAF (3 to 12 minutes). 100
questions take 35 to 80 minutes on two cores; Ctrl-C ends it with a table of what it has.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import qa  # noqa: F401 - says how OpenMP threads wait, before llama_cpp or torch is loaded
from index.commands import load_embedder
from index.embedder import Embedder
from index.search import Index
from qa.answerability import DECLINE_BELOW
from qa.answers import REPLY_TOKENS
from qa.commands import adapter_of, answerer_of, language_model_file, layers_of
from qa.events import Answer, Checked, Draft, Found
from qa.language_model import Asker
from qa.llama_model import DEFAULT_CONTEXT_TOKENS, LlamaModel, state_identity
from qa.measuring.eval_command import index_paragraphs
from qa.measuring.labelled_questions import LabelledQuestion
from qa.measuring.measures import answer_recall, words
from qa.measuring.squad import read_squad
from qa.prefill_cache import PrefillCache
from qa.prompt import QUESTION_LABEL, answer_messages, passage_block, passage_messages

DEFAULT_HOME = Path(".sourcier/bench-piaf")
PASSAGES = 3
WAYS = ("a plain", "b stored", "c fresh")


@dataclass
class Measured:
    """One question asked in one way; seconds since it was asked, None where it did not happen."""

    way: str
    question: str
    evidence: float | None = None
    first_word: float | None = None
    first_sentence: float | None = None
    check: float | None = None  # from the last word of the first sentence that is shown to its being shown
    total: float = 0.0
    shown: str = ""  # what a reader gets to see; nothing when declined
    written: str = ""  # all the model wrote
    recall: float = 0.0
    recall_written: float = 0.0


class Plain:
    """(a): the three best passages in one prompt, the way everyone does it."""

    def __init__(self, path: Path, index: Index) -> None:
        import llama_cpp

        self._llama = llama_cpp.Llama(
            str(path), n_ctx=DEFAULT_CONTEXT_TOKENS, n_threads=2, n_threads_batch=2, verbose=False
        )
        self._index = index
        self._lock = threading.Lock()  # it serves one at a time

    def ask(self, asked: LabelledQuestion) -> Measured:
        started = time.monotonic()
        measured = Measured("a plain", asked.question)
        hits = self._index.search(asked.question, 5)[:PASSAGES]
        measured.evidence = time.monotonic() - started
        # The same words as Sourcier's own prompt, with three passages in the place of one. What stands before them is
        # read once here too: llama-cpp-python goes on from what the last prompt had in common with this one.
        *before, user = answer_messages(hits[0], asked.question, "fr")
        passages = [passage_block(hit.article, hit.passage.text).removesuffix(QUESTION_LABEL) for hit in hits]
        prompt = "".join([*passages, QUESTION_LABEL, *user.pieces[1:]])
        messages = [{"role": message.role, "content": message.text} for message in before]
        messages.append({"role": "user", "content": prompt})
        with self._lock:
            for chunk in self._llama.create_chat_completion(
                messages, temperature=0.0, max_tokens=REPLY_TOKENS, stream=True, stop=["\n\n"]
            ):
                text = chunk["choices"][0]["delta"].get("content", "")
                if text and measured.first_word is None:
                    measured.first_word = time.monotonic() - started
                measured.written += text
        measured.total = time.monotonic() - started
        measured.shown = measured.written
        return measured


class Sourcier:
    """(b) and (c)."""

    def __init__(self, path: Path, index: Index, embedder: Embedder, folder: Path, decline_below: float) -> None:
        adapter = adapter_of(path)
        self.states = PrefillCache(folder, state_identity(path, adapter=adapter), memory_bytes=0)
        self.model = LlamaModel(path, states=self.states, layers=layers_of(path), adapter=adapter)
        self._index = index
        self._answerer = answerer_of(index, embedder, self.model, path, decline_below)

    def forget(self) -> None:
        self.states.flush()
        self.states.keep_only(())

    def store(self, asked: LabelledQuestion) -> None:
        for hit in self._index.search(asked.question, 5)[:PASSAGES]:
            self.model.read_ahead(passage_messages(hit.article, hit.passage.text))
        self.states.flush()

    def ask(self, asked: LabelledQuestion, way: str) -> Measured:
        started = time.monotonic()
        measured, last_word = Measured(way, asked.question), 0.0
        for event in self._answerer.ask(asked.question, asker=Asker()):
            now = time.monotonic() - started
            if isinstance(event, Found):
                measured.evidence = now
            elif isinstance(event, Draft):
                measured.first_word = measured.first_word or now
                measured.written += event.text
                last_word = now
            elif isinstance(event, Checked) and measured.first_sentence is None:
                measured.first_sentence, measured.check = now, now - last_word
            elif isinstance(event, Answer):
                measured.total = now
                measured.shown = event.text if event.answered else ""
        return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("piaf", type=Path, help="a file in SQuAD format")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--readers", type=int, nargs="*", default=[1, 4, 8], help="readers at once, after that")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--decline-below", type=float, default=DECLINE_BELOW, help="0: decline nothing")
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME)
    parser.add_argument("--language-model", help="a name of `sourcier models`, or the path of a chat GGUF")
    parser.add_argument("--out", type=Path, help="a file for each question's figures; with one of before, go on")
    given = parser.parse_args()

    embedder, name = load_embedder(None)
    piaf = read_squad(given.piaf)
    questions = piaf.questions
    index_paragraphs(piaf.paragraphs, given.home, embedder, name, "fr")
    index = Index(given.home, embedder)
    path = language_model_file(given.language_model)
    before = _memory_mb()
    with tempfile.TemporaryDirectory() as folder:
        sourcier = Sourcier(path, index, embedder, Path(folder), given.decline_below)
        with_sourcier = _memory_mb()
        plain = Plain(path, index)
        odd = {one.id for one in piaf.paragraphs[1::2]} - {one.id for one in piaf.paragraphs[::2]}
        chosen = random.Random(given.seed).sample(
            [one for one in questions if odd.issuperset(one.articles)], given.questions
        )
        _warm_up(plain, sourcier, questions[0])
        print(f"memory: {before} MB with embedder and index, {with_sourcier} MB with Sourcier's model besides")
        done = _measured_before(given.out)
        known = {one.question for one in done}
        with contextlib.suppress(KeyboardInterrupt):
            for number, asked in enumerate(chosen, start=1):
                if asked.question in known:
                    continue
                for measured in _three_ways(plain, sourcier, asked):
                    measured.recall = answer_recall(measured.shown, asked.answers)
                    measured.recall_written = answer_recall(measured.written, asked.answers)
                    done.append(measured)
                    if given.out:
                        with given.out.open("a", encoding="utf-8") as file:
                            file.write(_line(measured))
                print(f"\r{number} of {len(chosen)}", end="", flush=True)
        print(f"\r{len(done) // 3} questions of PIAF, seed {given.seed}; seconds, median (and 90th percentile)")
        _print_table(done)
        with contextlib.suppress(KeyboardInterrupt):
            _together(plain, sourcier, chosen, given.readers)
        print(f"memory at the end: {_memory_mb()} MB")
        sourcier.model.close()


def _measured_before(path: Path | None) -> list[Measured]:
    """What an interrupted run wrote; a question that was not asked in all three ways is asked again."""
    if not path or not path.exists():
        return []
    done = [Measured(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    ways = Counter(one.question for one in done)
    whole = [one for one in done if ways[one.question] == len(WAYS)]
    path.write_text("".join(_line(one) for one in whole), encoding="utf-8")
    return whole


def _line(measured: Measured) -> str:
    return json.dumps(asdict(measured), ensure_ascii=False) + "\n"


def _three_ways(plain: Plain, sourcier: Sourcier, asked: LabelledQuestion) -> Iterable[Measured]:
    """The third finds stored what the second read: the same passages, for it goes the same way."""
    yield plain.ask(asked)
    sourcier.forget()
    yield sourcier.ask(asked, "c fresh")
    sourcier.states.flush()
    yield sourcier.ask(asked, "b stored")


def _warm_up(plain: Plain, sourcier: Sourcier, asked: LabelledQuestion) -> None:
    """What is set up at first use counts for nobody."""
    for _ in _three_ways(plain, sourcier, asked):
        pass


def _print_table(done: Sequence[Measured]) -> None:
    print(
        f"{'':10}{'evidence':>15}{'first word':>15}{'first checked':>15}{'the check':>15}{'total':>15}{'words/s':>9}",
        end="",
    )
    print(f"{'shown':>7}", end="")
    print(f"{'recall':>8}{'of what was written':>21}")
    for way in sorted({one.way for one in done}):
        mine = [one for one in done if one.way == way]
        times = "".join(
            f"{_median(getattr(one, name) for one in mine):>15}"
            for name in ("evidence", "first_word", "first_sentence", "check", "total")
        )
        speed = sum(len(words(one.written)) for one in mine) / sum(one.total for one in mine)
        shown = sum(bool(one.shown) for one in mine) / len(mine)
        recall = statistics.mean(one.recall for one in mine)
        print(f"{way:10}{times}{speed:9.2f}{shown:7.2f}{recall:8.3f}", end="")
        print(f"{statistics.mean(one.recall_written for one in mine):21.3f}")


def _median(values: Iterable[float | None]) -> str:
    known = sorted(value for value in values if value is not None)
    return f"{statistics.median(known):.2f} ({known[int(0.9 * len(known))]:.2f})" if known else "–"


def _together(plain: Plain, sourcier: Sourcier, chosen: Sequence[LabelledQuestion], readers: Sequence[int]) -> None:
    """The same eight questions asked by so many readers at once, in rounds."""
    some = chosen[: max(readers, default=0)]
    for asked in some:
        sourcier.store(asked)
    print(f"\n{len(some)} questions, so many readers at once; all passages stored; seconds")
    print(f"{'':10}{'readers':>8}{'first word, first to last in a round':>38}{'all done':>10}{'words/s':>9}")
    ways: list[tuple[str, Callable[[LabelledQuestion], Measured]]] = [
        ("a plain", plain.ask),
        ("b stored", lambda asked: sourcier.ask(asked, "b stored")),
    ]
    for count in readers:
        for name, ask in ways:
            if name == "a plain" and count not in (min(readers), max(readers)):
                continue  # it serves one after the other anyway
            started = time.monotonic()
            spreads, written = [], 0
            for start in range(0, len(some), count):
                measured = _at_once(ask, some[start : start + count])
                first = sorted(one.first_word for one in measured if one.first_word is not None)
                spreads.append((first[0], first[-1]) if first else (0.0, 0.0))
                written += sum(len(words(one.written)) for one in measured)
            seconds = time.monotonic() - started
            earliest = statistics.median(low for low, _ in spreads)
            latest = statistics.median(high for _, high in spreads)
            print(f"{name:10}{count:8}{f'{earliest:.2f} to {latest:.2f}':>38}{seconds:10.1f}{written / seconds:9.2f}")


def _at_once(ask: Callable[[LabelledQuestion], Measured], some: Sequence[LabelledQuestion]) -> list[Measured]:
    results: list[Measured] = []
    threads = [threading.Thread(target=lambda one=one: results.append(ask(one))) for one in some]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _memory_mb() -> int:
    """Memory of this process, in MB, pages of a file that it maps twice counted once; 0 where the system does not tell
    (other than Linux)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) // 1024
    return 0


if __name__ == "__main__":
    main()
