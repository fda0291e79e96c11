"""The tiny models are what they say: llama.cpp loads them, a token is a byte, and what they read matters."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tiny_gguf import CONTEXT_TOKENS, TURN_END, TURN_START, WINDOW, plain_model, recurrent_model, sliding_model

import qa  # noqa: F401  # before llama_cpp: it says how its threads wait

# isort: split
import llama_cpp

MODELS = [plain_model, recurrent_model, sliding_model]
WRITABLE = {*range(ord(" "), ord("~") + 1), TURN_END}
# Logits span about 15. Read in other slices they differ by up to .02, most of it from flash attention.
ROUNDING = 0.1


class Reader:
    """One model, one context of two sequences."""

    def __init__(self, path: Path) -> None:
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), llama_cpp.llama_model_default_params())
        assert self.model
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = 512
        parameters.n_seq_max = 2
        parameters.kv_unified = True
        parameters.n_threads = parameters.n_threads_batch = 1
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        assert self.context
        self.memory = llama_cpp.llama_get_memory(self.context)

    def close(self) -> None:
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)

    def tokens(self, text: str, control: bool) -> list[int]:
        data = text.encode()
        buffer = (llama_cpp.llama_token * (len(data) + 1))()
        count = llama_cpp.llama_tokenize(self.vocabulary, data, len(data), buffer, len(buffer), True, control)
        return list(buffer[:count])

    def read(self, tokens: list[int], sequence: int = 0) -> npt.NDArray[np.float32]:
        """Logits (258,) after the last of `tokens`, which follow those that the sequence has."""
        start = llama_cpp.llama_memory_seq_pos_max(self.memory, sequence) + 1
        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for place, token in enumerate(tokens):
            batch.token[place] = token
            batch.pos[place] = start + place
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = sequence
            batch.logits[place] = place == len(tokens) - 1
        status = llama_cpp.llama_decode(self.context, batch)
        llama_cpp.llama_batch_free(batch)
        assert status == 0
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(self.context, -1), shape=(258,)).copy()

    def write(self, prompt: bytes, count: int) -> list[int]:
        """The `count` likeliest tokens, one after the other, past the end of the turn too."""
        self.forget()
        written = [int(self.read(list(prompt)).argmax())]
        while len(written) < count:
            written.append(int(self.read(written[-1:]).argmax()))
        return written

    def forget(self) -> None:
        llama_cpp.llama_memory_clear(self.memory, True)


@pytest.fixture(scope="module", params=MODELS, ids=lambda write: write.__name__)
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    reader = Reader(request.param(tmp_path_factory.mktemp("tiny") / "model.gguf"))
    yield reader
    reader.close()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(plain_model(tmp_path / "plain.gguf"))
    yield reader
    reader.close()


@pytest.mark.parametrize("write", MODELS)
def test_the_bytes_are_the_same_each_time(write: Callable[[Path], Path], tmp_path: Path) -> None:
    one, other = write(tmp_path / "one.gguf"), write(tmp_path / "other.gguf")
    assert one.read_bytes() == other.read_bytes()
    assert one.stat().st_size < 500_000


@pytest.mark.parametrize(
    ("write", "recurrent", "window"),
    [(plain_model, False, 0), (recurrent_model, True, 0), (sliding_model, False, WINDOW)],
)
def test_llama_cpp_knows_what_it_has(
    write: Callable[[Path], Path], recurrent: bool, window: int, tmp_path: Path
) -> None:
    reader = Reader(write(tmp_path / "model.gguf"))
    assert llama_cpp.llama_model_is_recurrent(reader.model) == recurrent
    assert llama_cpp.llama_model_n_swa(reader.model) == window
    assert llama_cpp.llama_model_n_ctx_train(reader.model) == CONTEXT_TOKENS
    assert llama_cpp.llama_model_chat_template(reader.model, None) is None
    reader.close()


def test_a_token_is_a_byte(reader: Reader) -> None:
    every_kind = "abc é\t\n 1234 l'été  — 漢字 🙂\0"
    assert reader.tokens("abc é", control=False) == list("abc é".encode())
    assert reader.tokens(every_kind, control=True) == list(every_kind.encode())
    piece = ctypes.create_string_buffer(8)
    for byte in range(256):
        assert llama_cpp.llama_token_to_piece(reader.vocabulary, byte, piece, len(piece), 0, False) == 1
        assert piece.raw[0] == byte


def test_the_words_of_chatml_are_tokens_only_where_they_are_meant_to_be(reader: Reader) -> None:
    text = "<|im_start|>user\nHi<|im_end|>"
    assert reader.tokens(text, control=True) == [TURN_START, *b"user\nHi", TURN_END]
    assert reader.tokens(text, control=False) == list(text.encode())
    assert llama_cpp.llama_vocab_is_eog(reader.vocabulary, TURN_END)
    assert not llama_cpp.llama_vocab_is_eog(reader.vocabulary, TURN_START)


def test_logits_depend_on_all_that_was_read(reader: Reader) -> None:
    text = b"One sentence that is longer than the window of the sliding model."
    assert len(text) > WINDOW
    logits = []
    for prompt in (text, b"T" + text[1:], text[:-1] + b"!"):
        reader.forget()
        logits.append(reader.read(list(prompt)))
    assert np.isfinite(logits).all()
    assert np.abs(logits[0] - logits[1]).max() > 5 * ROUNDING
    assert np.abs(logits[0] - logits[2]).max() > 5 * ROUNDING


def test_reading_in_pieces_is_reading_at_once(reader: Reader) -> None:
    text = list(b"Two sentences. They are read again in three pieces, and then one by one.")
    reader.forget()
    at_once = reader.read(text)
    for cuts in ([0, 5, 40, len(text)], list(range(len(text) + 1))):
        reader.forget()
        pieces = [reader.read(text[start:end]) for start, end in pairwise(cuts)]
        np.testing.assert_allclose(pieces[-1], at_once, atol=ROUNDING)


def test_what_is_written_is_varied_and_readable(reader: Reader) -> None:
    written = [reader.write(prompt, 40) for prompt in (b"What is new?", b"What is old?")]
    assert written[0] != written[1]
    for tokens in written:
        assert len(set(tokens)) >= 5
        assert set(tokens) <= WRITABLE


def test_some_replies_of_the_plain_model_end(plain: Reader) -> None:
    ends = [TURN_END in plain.write(f"Question {number}".encode(), 60) for number in range(10)]
    assert any(ends)
    assert not all(ends)


def test_the_plain_model_goes_on_from_a_copy_and_from_a_saved_state(plain: Reader) -> None:
    before, after = list(b"A prefix to keep. "), list(b"A question?")
    plain.read(before)
    llama_cpp.llama_memory_seq_cp(plain.memory, 0, 1, 0, -1)
    size = llama_cpp.llama_state_seq_get_size(plain.context, 1)
    state = (ctypes.c_uint8 * size)()
    assert llama_cpp.llama_state_seq_get_data(plain.context, state, size, 1) == size
    fresh = plain.read(after)
    np.testing.assert_allclose(plain.read(after, sequence=1), fresh, atol=ROUNDING)

    plain.forget()
    assert np.abs(plain.read(after) - fresh).max() > 5 * ROUNDING  # without the prefix
    assert llama_cpp.llama_state_seq_set_data(plain.context, state, size, 1) == size
    np.testing.assert_allclose(plain.read(after, sequence=1), fresh, atol=ROUNDING)
