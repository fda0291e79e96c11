"""An embedding model in 8 bits: made once, compared with torch's, never half made; and torch where it cannot be."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from index.embedder import SentenceTransformerEmbedder, SourceText
from index.model_files import DEFAULT_EMBEDDER, obtain
from index.models.int8_conversion import FORMAT, CannotConvert, converted
from index.models.int8_encoder import BATCH_SIZE, Int8Encoder
from index.models.torch_encoder import TorchEncoder
from index.progress import NoProgress
from index.storage.checksums import digest_of

# Loading torch and converting takes a minute on two cores.
pytestmark = pytest.mark.slow

WORDS = """
le la pont maire port ville a dit que les travaux seront finis en mars avril of the council met never
""".split()  # noqa: SIM905 - easier to read


def tiny_folder(folder: Path, *, causal: bool = False) -> Path:
    """A sentence-transformers folder of some hundred kilobytes with random weights."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    reader = folder / "reader"
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(reader)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=512,
        is_decoder=causal,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(reader)
    whole = folder / "whole"
    SentenceTransformer(
        modules=[Transformer(str(reader), max_seq_length=128), Pooling(64)], device="cpu", prompts={"query": "le pont "}
    ).save(str(whole))
    return whole


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of these models goes to the real cache."""
    monkeypatch.setenv("SOURCIER_MODEL_CACHE", str(tmp_path))
    return tmp_path


def nearness(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray(np.sum(one * other, axis=1) / lengths)


@pytest.fixture(scope="module")
def made(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache with what was converted of it."""
    cache = tmp_path_factory.mktemp("cache")
    converted(tiny, digest_of(tiny), cache=cache)
    return cache


def test_vectors_are_those_of_torch_in_the_order_of_the_texts(tiny: Path, made: Path) -> None:
    encoder = Int8Encoder(tiny, converted(tiny, digest_of(tiny), cache=made))
    torch = TorchEncoder(tiny)
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 60))) for _ in range(2 * BATCH_SIZE + 3)]
    assert nearness(encoder.encode(texts), torch.encode(texts)).min() > 0.995
    assert encoder.count_tokens(texts) == torch.count_tokens(texts)
    assert (encoder.dim, encoder.query_prompt, encoder.document_prompt) == (64, "le pont ", "")
    # Longer than the model reads: cut, as torch does.
    long = [" ".join(rng.choice(WORDS, 400))]
    assert nearness(encoder.encode(long), torch.encode(long)).min() > 0.995


def test_a_model_is_converted_once_until_a_byte_of_it_is_another(tiny: Path, made: Path) -> None:
    place = converted(tiny, digest_of(tiny), cache=made)
    at = (place / "model.bin").stat().st_mtime_ns
    assert converted(tiny, digest_of(tiny), cache=made) == place
    assert (place / "model.bin").stat().st_mtime_ns == at
    assert place.stat().st_mode & 0o777 == 0o777 & ~_umask()
    good = (place / "model.bin").read_bytes()
    (place / "model.bin").write_bytes(good[:100] + bytes([good[100] ^ 1]) + good[101:])
    assert (converted(tiny, digest_of(tiny), cache=made) / "model.bin").read_bytes() == good


def test_a_conversion_that_is_killed_leaves_nothing_that_is_taken_for_one(tiny: Path, cache: Path) -> None:
    place = cache / "int8" / f"{digest_of(tiny)[:16]}-{FORMAT}"
    place.parent.mkdir()
    rng = np.random.default_rng(2)
    for seconds in rng.uniform(1, 9, 6):
        child = subprocess.Popen([sys.executable, "-m", "index.models.int8_conversion", tiny, place])
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        child.wait()
        if place.exists():  # it was done before it was killed; nobody starts another one then
            break
    encoder = Int8Encoder(tiny, converted(tiny, digest_of(tiny)))
    assert nearness(encoder.encode(WORDS), TorchEncoder(tiny).encode(WORDS)).min() > 0.995
    assert [path for path in place.parent.iterdir() if path.is_dir()] == [place]


@pytest.mark.parametrize("why", ["causal", "a cache that may not be written"])
def test_what_cannot_be_converted_is_run_by_torch(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, why: str
) -> None:
    folder = tiny_folder(tmp_path / "model", causal=why == "causal")
    if why.startswith("a cache"):
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("SOURCIER_MODEL_CACHE", str(tmp_path / "file"))
    with pytest.raises(CannotConvert):
        converted(folder, digest_of(folder))
    with caplog.at_level(logging.WARNING):
        embedder = SentenceTransformerEmbedder(folder, digest_of(folder))
    assert "is run by torch" in caplog.text
    assert embedder.embed_query("le maire").shape == (64,)
    assert not [path for path in cache.glob("int8/*") if path.is_dir()]


def test_torch_can_be_asked_for(tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCIER_INT8", "0")
    embedder = SentenceTransformerEmbedder(tiny, digest_of(tiny))
    assert embedder.embed_texts([SourceText("", "le port")]).shape == (1, 64)
    assert not (cache / "int8").exists()


def test_openvino_reports_to_nobody(tiny: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its package would otherwise tell its makers of every import."""
    monkeypatch.setenv("SOURCIER_MODEL_CACHE", str(made))
    code = """
import json, sys
from pathlib import Path
from index.storage.checksums import digest_of
from index.embedder import SentenceTransformerEmbedder
folder = Path(sys.argv[1])
SentenceTransformerEmbedder(folder, digest_of(folder)).embed_query("le port")
print(json.dumps(sorted(name for name, module in sys.modules.items() if module is not None)))
"""
    done = subprocess.run([sys.executable, "-c", code, tiny], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "openvino" in loaded
    assert not {"openvino_telemetry", "torch", "transformers", "sentence_transformers"} & loaded


@pytest.mark.models
def test_embeddinggemma_ranks_as_in_torch(embedder: SentenceTransformerEmbedder) -> None:
    assert isinstance(embedder._encoder, Int8Encoder)
    torch = TorchEncoder(obtain(DEFAULT_EMBEDDER, progress=NoProgress()))
    texts = [
        f"{torch.document_prompt}{text}"
        for text in (
            "Le conseil municipal a voté la reconstruction du pont.",
            "La facture atteint 4,2 millions d'euros.",
            "Die Fähre fährt ab Montag wieder.",
            "The museum will stay closed until spring.",
            "El alcalde dimitió el jueves.",
        )
    ]
    questions = [
        f"{torch.query_prompt}{text}"
        for text in (
            "Combien coûtent les travaux ?",
            "When does the museum open?",
            "¿Quién dimitió?",
            "Wann fährt die Fähre?",
        )
    ]
    mine, theirs = embedder._encoder.encode(texts + questions), torch.encode(texts + questions)
    assert nearness(mine, theirs).min() > 0.997
    ranks = [np.argsort(-(v[len(texts) :] @ v[: len(texts)].T), axis=1) for v in (mine, theirs)]
    assert (ranks[0][:, 0] == ranks[1][:, 0]).all()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
