"""Several readers, one model: the thread that owns the context and advances all of them together.

Read `_run` and `_step` first. Each step decodes one batch: the next token of every reply that is being written, and
behind them a few tokens of the questions that are being read. Before it comes at most one slice of a passage, about a
second on two cores; nothing waits for longer. Who is alone has two slices read in one go, until somebody comes.

What has been read is not read again (qa/decoding/read_before.py). The slices of passages are decoded one prompt at a
time and end where a piece of the prompt does, so a passage is read in the same rows whoever reads beside it; where that
is quicker, by a context of their own (qa/decoding/passage_reader.py).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, takewhile

import numpy as np

from qa.decoding.fair_turns import LEFT_OVER_ROWS, QUESTION_ROWS, QUESTIONS_A_STEP, FairTurns
from qa.decoding.llama_context import Aborted, LlamaContext, Logits, Output, Row
from qa.decoding.lookahead import Lookahead, dealt, guess
from qa.decoding.passage_reader import PassageReader
from qa.decoding.read_before import FIRST_FREE, ReadBefore
from qa.decoding.request import BLOCK_ROWS, LONGEST_SLICE, Behind, Impression, Request
from qa.decoding.running import Running
from qa.errors import Busy, PromptTooLong
from qa.prefill_cache import PrefillCache

log = logging.getLogger(__name__)

# Replies and scores being worked on together. Beyond eight a batch writes no more words a second, but the questions of
# those who come then are read beside the replies instead of waiting for one to end.
RUNNING = 20
# Most rows of replies in a step, their guesses included, where there are not more replies than that.
WRITTEN_ROWS = 16
# Seconds that an idle loop gives others to come, and all of them together: who asks at the same moment is to have the
# first word at the same moment, and the first of eight would be read to its end before the others are here.
NEXT_COMES = 0.010
ALL_COME = 0.060
# Seconds between two looks at whether the asker of a reply that is held has gone.
HELD_LOOK = 0.1
# Slices of a passage decoded in one go for one who is alone: two take 0.96 of the time that they take one by one, four
# no less (two cores with VNNI, 2026-11-28).
SLICES_ALONE = 2
# Rows of the largest batch.
BATCH_ROWS = max(SLICES_ALONE * LONGEST_SLICE, QUESTIONS_A_STEP * QUESTION_ROWS + LEFT_OVER_ROWS)


@dataclass(frozen=True, slots=True)
class Work:
    """What a loop has done since it began, in tokens, and how many requests it has now."""

    tokens_read: int
    tokens_written: int
    running: int
    waiting: int


class DecodeLoop:
    """Owns the context from its own thread. `submit` may be called from any; `close` ends the thread and the context.

    `queue` requests may wait besides those that there are sequences for, each for `longest_wait` seconds, before they
    are refused as Busy. `lookahead` says how many words are guessed; without it, one that learns on this machine. With
    a second context for `reading`, which it owns too, prefixes and passages are read there.
    """

    def __init__(
        self,
        context: LlamaContext,
        cells: int,
        states: PrefillCache,
        queue: int,
        longest_wait: float = 30.0,
        lookahead: Lookahead | None = None,
        reading: LlamaContext | None = None,
    ) -> None:
        self._context = context
        self._cells = cells
        self._states = states
        self._queue = queue
        self._longest_wait = longest_wait
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self._newcomers = False  # since the last look at those who wait
        self._may_admit = False  # somebody came, or room was made, since then
        self._closing = False
        self._last_ended = time.monotonic()
        # From here on only the owner thread.
        self._before = ReadBefore(context, states)
        self._passages = PassageReader(reading, context) if reading else None
        self._lookahead = lookahead or Lookahead(WRITTEN_ROWS)
        self._free = list(range(FIRST_FREE, FIRST_FREE + RUNNING))
        self._running: list[Running] = []
        self._turns = FairTurns(self._running)
        self._tokens_read = self._tokens_written = 0
        self._thread = threading.Thread(target=self._run, name="decode loop", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Queue a request. Raises Busy when too many wait."""
        with self._changed:
            if self._closing:
                raise RuntimeError("the language model was closed")
            if len(self._waiting) >= self._queue + len(self._free) and not request.begun:
                raise Busy(retry_after=5.0)
            self._waiting.append(request)
            self._newcomers |= not request.background
            self._may_admit = True
            self._changed.notify()

    def wake(self) -> None:
        """Look again: a request is not held any more, or was left."""
        with self._changed:
            self._changed.notify()

    def quiet_for(self) -> float:
        """Seconds since the last request that was not in the background ended; 0 while there is one."""
        with self._changed:
            busy = any(not request.background for request in (*self._waiting, *(one.request for one in self._running)))
            return 0.0 if busy else time.monotonic() - self._last_ended

    def work(self) -> Work:
        """How much it has done, as it stood at some moment between two steps or within one."""
        with self._changed:
            return Work(self._tokens_read, self._tokens_written, len(self._running), len(self._waiting))

    def close(self) -> None:
        """Stop at the next step; whoever is still being served gets the end of a reply that was cut."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    # -- the loop ------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._wait_for_work():
            self._gather()
            self._admit()
            try:
                self._drop_those_who_left()
                self._step()
            except Exception as error:  # the outermost edge of this thread; the readers' threads raise it
                self._fail_all(error)
        for one in [*self._running]:
            self._finish(one)
        if self._passages:
            self._passages.close()
        self._context.close()

    def _wait_for_work(self) -> bool:
        """False when the loop was closed."""
        with self._changed:
            while not (self._closing or (self._waiting and self._may_admit) or self._has_work()):
                self._changed.wait(HELD_LOOK if self._running or self._waiting else None)
                if self._waiting:
                    break  # some may have left, or waited for too long
            if self._closing:
                for request in self._waiting:
                    request.outbox.put(None)
                self._waiting.clear()
            return not self._closing

    def _gather(self) -> None:
        """Let those who come together come, where nobody is served yet."""
        enough = time.monotonic() + ALL_COME
        with self._changed:
            if not self._newcomers or any(not one.request.background for one in self._running):
                return
            here = 0
            while here < len(self._waiting) and not self._closing and time.monotonic() < enough:
                here = len(self._waiting)
                self._changed.wait(NEXT_COMES)

    def _has_work(self) -> bool:
        """Whether there is anything to decode, or somebody left."""
        return bool(self._writers() or self._readers_in_turn() or any(one.request.given_up() for one in self._running))

    def _admit(self) -> None:
        """Give sequences to those who wait, first of all to clients that have the fewest."""
        with self._changed:
            self._newcomers = self._may_admit = False
            for request in [*self._waiting]:
                if request.given_up():
                    self._waiting.remove(request)
                    request.outbox.put(None)
                elif not request.begun and time.monotonic() - request.arrived > self._longest_wait:
                    self._waiting.remove(request)
                    request.outbox.put(Busy(retry_after=10.0))
            while self._waiting and self._free:
                running = Counter(one.request.asker.client for one in self._running)
                first = min(self._waiting, key=lambda request: (not request.begun, running[request.asker.client]))
                if self._cells_of(first) > self._cells - sum(self._cells_of(one.request) for one in self._running):
                    break
                self._waiting.remove(first)
                reading = {one.request.asker.client for one in self._running if one.token is None}
                self._turns.join(first.asker.client, reading)
                self._running.append(Running(first.prompt, self._free.pop(), request=first))

    def _cells_of(self, request: Request) -> int:
        """Cells of the context that it can come to need, besides those of a prefix that is held anyway."""
        prompt = request.prompt
        held = prompt.length(prompt.prefix) if self._before.holds_prefix(prompt) else 0
        return prompt.tokens + request.max_tokens - held

    def _drop_those_who_left(self) -> None:
        for one in [*self._running]:
            if one.request.given_up():
                self._finish(one)

    def _step(self) -> None:
        """One slice of a passage, if it is somebody's turn to have one read, and a token for every reply that is being
        written; else with those tokens some of the questions that are being read."""
        readers = self._readers_in_turn()
        if self._context.can_share:
            for one in readers:
                self._before.take_over(one, self._running)
        asking = [one for one in readers if one.behind_passage]
        if readers and readers[0] not in asking:
            asking = []
            self._read_passage(readers[0], alone=len(readers) == 1 and not self._writers())
        writers = self._writers()
        if writers or asking:
            self._write_and_ask(writers, asking)

    def _writers(self) -> list[Running]:
        """Those whose reply is being written, and not held."""
        return [one for one in self._running if one.token is not None and not one.request.held]

    def _readers_in_turn(self) -> list[Running]:
        """Those whose prompt is not read yet, the next one first. What goes on in the background is read while there is
        nothing else."""
        front = [one for one in self._running if not one.request.background]
        reading = [one for one in front or self._running if one.token is None and one.unread]
        return self._turns.in_turn(reading)

    # -- reading -------------------------------------------------------------------------------------------------------

    def _read_passage(self, one: Running, alone: bool) -> None:
        """Decode the next slice of a prefix or passage, or two of them for one who is alone.

        Two are given up when somebody else has work, and so is all that goes on in the background. Who gave way reads
        one slice at a time from then on: those who come and go keep nobody from being read.
        """
        slices = self._slices_in_one_go(one) if alone and not one.gave_way else 1
        part = one.rest_of_slices(slices)
        abort = self._others_have_work if slices > 1 or one.request.background else None
        rows = self._rows_of(one, part)
        outputs: Sequence[Output] = ()
        try:
            if self._passages and not rows[-1].logits:
                self._passages.read(one, part, abort)
            else:
                outputs = self._context.decode(rows, abort)
        except Aborted:
            one.gave_way = True
        else:
            self._take_part(one, part, outputs)

    def _slices_in_one_go(self, one: Running) -> int:
        """Up to the end of the prefix or passage, behind which the state is kept, and behind whole blocks only."""
        prompt = one.prompt
        end = prompt.prefix if one.slices < prompt.prefix else prompt.kept
        coming = prompt.slices[one.slices : min(one.slices + SLICES_ALONE, end) - 1]
        return 1 + sum(1 for _ in takewhile(lambda part: len(part) % BLOCK_ROWS == 0, coming))

    def _others_have_work(self) -> bool:
        return self._newcomers or self._closing or bool(self._writers())

    def _rows_of(self, one: Running, part: Sequence[int]) -> list[Row]:
        """Logits are asked for behind the last token of a prompt only, where anything is made of them."""
        last = one.prompt.tokens - 1 if one.request.scored or one.request.max_tokens else None
        return [Row(token, place, one.sequence, place == last) for place, token in enumerate(part, start=one.position)]

    def _take_part(self, one: Running, part: Sequence[int], outputs: Sequence[Output]) -> None:
        """So much of a prompt is in the cache now. Behind its end, choose the first token or give the scores."""
        self._turns.count(one, len(part))
        self._tokens_read += len(part)
        one.position += len(part)
        while one.unread and one.position >= one.prompt.length(one.slices + 1):
            one.slices += 1
        if self._context.can_share:
            self._before.keep(one)
        if not one.unread:
            self._prompt_read(one, outputs[0] if outputs else None)

    def _prompt_read(self, one: Running, output: Output | None) -> None:
        request = one.request
        if output is not None and request.scored:
            scores = _log_probabilities(output.logits, request.scored)
            request.outbox.put(Impression(scores, output.hidden))
        if output is None or not request.max_tokens:
            self._finish(one)
            return
        one.source = list(chain.from_iterable(request.prompt.slices[request.prompt.prefix :]))
        others = output.logits.copy()
        others[list(request.scored)] = -np.inf  # what it could have begun with instead
        self._choose(one, others)
        self._send(one)

    # -- writing -------------------------------------------------------------------------------------------------------

    def _write_and_ask(self, writers: Sequence[Running], asking: Sequence[Running]) -> None:
        """Decode, in one batch, the chosen token of every reply with guesses behind it, and the next tokens of
        questions, those first whose turn it is. Then choose what follows."""
        parts: list[tuple[list[Row], Callable[[Sequence[Output]], None]]] = []
        worth = self._lookahead.worth(len(writers)) if writers and self._context.can_share else 0
        found = [guess(one.source, one.written, min(worth, one.tokens_left - 1)) for one in writers]
        for one, guesses in zip(writers, dealt(found, worth), strict=True):
            tokens = [one.written[-1], *guesses]
            rows = [Row(token, place, one.sequence, True) for place, token in enumerate(tokens, start=one.position)]
            parts.append((rows, partial(self._take_written, one, guesses)))
        for one, count in self._turns.share_out(asking, sum(len(rows) for rows, _ in parts)).items():
            part = one.rest_of_slices()[:count]
            parts.append((self._rows_of(one, part), partial(self._take_part, one, part)))
        started = time.monotonic()
        outputs = iter(self._context.decode([row for rows, _ in parts for row in rows]))
        if not asking:
            self._lookahead.took(sum(len(rows) for rows, _ in parts), time.monotonic() - started)
        for rows, take in parts:
            take([next(outputs) for row in rows if row.logits])

    def _take_written(self, one: Running, guessed: Sequence[int], outputs: Sequence[Output]) -> None:
        """Go on with the model's own choices as far as the guesses were right."""
        start = one.position
        for place, output in enumerate(outputs):
            one.position += 1
            if output.hidden is not None:
                one.request.outbox.put(Behind(one.length, output.hidden))
            self._choose(one, output.logits)
            if one.token is None or place == len(guessed) or guessed[place] != one.token:
                break
        self._send(one)
        if one.token is not None and guessed:
            right = one.position - start - 1
            self._lookahead.turned_out(right, len(guessed))
            if right < len(guessed):
                self._context.forget(one.sequence, one.position)

    def _choose(self, one: Running, logits: Logits) -> None:
        """Greedy: the most likely token. Its text is to be sent to the reader, unless it ends the turn."""
        one.token = int(np.argmax(logits))
        if self._context.is_end(one.token):
            self._finish(one)
            return
        one.written.append(one.token)
        self._tokens_written += 1
        piece = one.decoder.decode(self._context.piece(one.token))
        one.text += piece
        one.length += len(piece)
        if not one.tokens_left:
            self._finish(one)

    def _send(self, one: Running) -> None:
        """All that was written in this step, in one piece."""
        if one.text:
            one.request.outbox.put(one.text)
        one.text = ""

    # -- ending --------------------------------------------------------------------------------------------------------

    def _finish(self, one: Running) -> None:
        one.token = None
        self._send(one)
        one.request.outbox.put(None)
        if not one.request.background:
            self._last_ended = time.monotonic()
        self._running.remove(one)
        self._context.forget(one.sequence)
        self._free.append(one.sequence)
        self._may_admit = True

    def _fail_all(self, error: Exception) -> None:
        """The context is not to be trusted any more: everything in it is dropped, nothing outside of it is lost."""
        log.error("the decode loop starts over: %s", error, exc_info=not isinstance(error, PromptTooLong))
        for one in [*self._running]:
            one.request.outbox.put(error)
            self._finish(one)
        self._context.forget_all()
        self._before.forget()
        if self._passages:
            self._passages.forget()


def _log_probabilities(logits: Logits, tokens: Sequence[int]) -> list[float]:
    """Natural. In float32, which is exact to 1e-5 here and takes 0.3 ms for 150,000 tokens."""
    highest = logits.max()
    total = float(highest) + float(np.log(np.exp(logits - highest).sum(dtype=np.float64)))
    return [float(logits[token]) - total for token in tokens]
