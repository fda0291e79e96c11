"""An embedding model made ready for this processor, once: its weights in 8 bits, for OpenVINO.

A sentence-transformers folder is traced with torch, its matrices become 8-bit numbers with one scale a row, and the
result is kept in the cache of model files. What comes of it is compared with what torch makes of the same texts, and
thrown away when that is something else. From then on neither torch nor sentence-transformers is loaded to embed.

sentence-transformers has a backend of that name; it goes through optimum-intel, which asks for other versions of half
of what is installed here and cannot convert EmbeddingGemma (2026-11-23).
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import numpy as np
import numpy.typing as npt

from index.models.model_cache import model_cache
from index.models.torch_encoder import TorchEncoder
from index.progress import NoProgress, Progress
from index.storage.checksums import file_digests, stamp_path
from index.storage.durable_files import sync_file, sync_folder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger(__name__)

# Changes when another conversion of the same model is to be made.
FORMAT = 1
# How near a vector must be to the one that torch makes: EmbeddingGemma's are at .9985 to .9998.
LEAST_COSINE = 0.995
# Compared in one batch, so that padding is too. The last is longer than EmbeddingGemma's sliding window of 257 tokens.
_COMPARED = (
    "task: search result | query: Qui dirige la coopérative des Sablons ?",
    "title: Le pont rouvrira en mars | text: Les travaux ont coûté 4,2 millions d'euros, a dit le maire.",
    "Der Hafen wird bis Ende März gesperrt.",
    "أعلنت البلدية إغلاق الجسر.",
    " ".join(f"In {year} the council met {year % 7} times, and nothing came of it." for year in range(1960, 1990)),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is to be known of a converted model besides its graph, and the SHA-256 of the graph's files."""

    dim: int
    max_tokens: int
    query_prompt: str
    document_prompt: str
    digests: dict[str, str]


class CannotConvert(Exception):
    """This model stays with torch; the text says why."""


def openvino() -> Any:
    """The package, imported so that it tells nobody: it would send an event to its makers at every import."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # importing it fails from now on
    import openvino

    return openvino


def converted(folder: Path, digest: str, progress: Progress | None = None, cache: Path | None = None) -> Path:
    """The folder with model.xml, model.bin and facts.json for a sentence-transformers folder of that digest.

    Made when it is not there yet: a minute for EmbeddingGemma. Raises CannotConvert when it cannot be made, or kept.
    """
    progress = progress or NoProgress()
    place = (cache or model_cache()) / "int8" / f"{digest[:16]}-{FORMAT}"
    if _is_whole(place):
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(place.with_suffix(".lock")):
            if not _is_whole(place):  # another process may have made it meanwhile
                progress.say("Making the embedding model ready for this processor: once, about a minute.")
                _convert_apart(folder, place)
    except OSError as error:
        raise CannotConvert(f"{place} cannot be written: {error}") from error
    return place


def _convert_apart(folder: Path, place: Path) -> None:
    """In a process of its own, which takes the 2 GB that torch needs for it along when it ends."""
    done = subprocess.run(  # noqa: S603 - this very module, on the folder that was asked for
        [sys.executable, "-m", "index.models.int8_conversion", str(folder), str(place)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CannotConvert(lines[-1] if lines else f"its conversion ended with status {done.returncode}")


def facts_of(place: Path) -> Facts:
    return Facts(**json.loads((place / "facts.json").read_text(encoding="utf-8")))


def _is_whole(place: Path) -> bool:
    try:
        facts = facts_of(place)
        found = file_digests(place)
    except (OSError, ValueError, TypeError):
        return False
    return bool(facts.digests) and all(found.get(name) == digest for name, digest in facts.digests.items())


def _convert(folder: Path, place: Path) -> None:
    with _beside(place) as made:
        published = TorchEncoder(folder)
        try:
            graph = _in_8_bits(_traced(published.model))
        except Exception as error:  # whatever torch or OpenVINO do not know of this model
            raise CannotConvert(f"it cannot be traced: {error}") from error
        openvino().save_model(graph, made / "model.xml", compress_to_fp16=False)
        del graph
        facts = Facts(
            dim=published.dim,
            max_tokens=int(published.model.max_seq_length or 512),
            query_prompt=published.query_prompt,
            document_prompt=published.document_prompt,
            digests=file_digests(made),
        )
        stamp_path(made).unlink(missing_ok=True)
        (made / "facts.json").write_text(json.dumps(asdict(facts), indent=1), encoding="utf-8")
        _compare(published, folder, made)
        for file in made.iterdir():
            sync_file(file)


@contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """A folder that takes the place's name when nothing was raised, and is gone otherwise."""
    made = place.with_name(f".{place.name}")
    shutil.rmtree(made, ignore_errors=True)  # of a process that was killed
    made.mkdir()
    try:
        yield made
        shutil.rmtree(place, ignore_errors=True)
        made.replace(place)
        sync_folder(place.parent)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _traced(model: SentenceTransformer) -> Any:
    """token ids and mask, both (texts, tokens) int64 -> (texts, dim) float32, as an openvino.Model."""
    import torch

    transformer, *rest = list(model)
    reader: Any = transformer.auto_model
    windows = _windows(reader.config)

    class Whole(torch.nn.Module):
        """Masks are made here: those that transformers makes cannot be traced."""

        def __init__(self) -> None:
            super().__init__()
            self.reader, self.rest = reader, torch.nn.ModuleList(rest)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            hidden = (1.0 - attention_mask[:, None, None, :].float()) * -1e9
            place = torch.arange(input_ids.shape[1])
            apart = (place[:, None] - place[None, :]).abs()[None, None].float()
            masks = {name: hidden + (apart >= (window or 1e9)).float() * -1e9 for name, window in windows.items()}
            mask: Any = masks if len(masks) > 1 else next(iter(masks.values()))
            read = self.reader(input_ids=input_ids, attention_mask=mask).last_hidden_state
            features: dict[str, Any] = {"token_embeddings": read, "attention_mask": attention_mask}
            for module in self.rest:
                features = module(features)
            vectors: torch.Tensor = features["sentence_embedding"]
            return vectors

    example = torch.ones((2, 12), dtype=torch.int64)
    with torch.no_grad():
        return openvino().convert_model(
            Whole().eval(), example_input={"input_ids": example, "attention_mask": example.clone()}
        )


def _windows(config: Any) -> dict[str, int | None]:
    """How far a token sees, by kind of layer; None is everywhere. One kind only where all layers are alike."""
    if getattr(config, "is_decoder", False) or not getattr(config, "use_bidirectional_attention", True):
        raise CannotConvert("its tokens see only what is before them")
    kinds = set(getattr(config, "layer_types", None) or ("full_attention",))
    return {kind: config.sliding_window if kind == "sliding_attention" else None for kind in sorted(kinds)}


def _in_8_bits(graph: Any) -> Any:
    """Every matrix that something is multiplied by, and every table that rows are taken from, in 8-bit numbers."""
    ops = openvino().opset13
    for node in graph.get_ordered_ops():
        kind = node.get_type_name()
        if kind not in ("MatMul", "Gather"):
            continue
        weights = _constant(node.input_value(1 if kind == "MatMul" else 0).get_node())
        if weights is None or weights.ndim != 2 or weights.size < 1 << 10 or weights.dtype.kind != "f":
            continue
        by_row = kind == "Gather" or node.get_attributes()["transpose_b"]
        scales = np.abs(weights).max(axis=1 if by_row else 0, keepdims=True) / 127
        scales[scales == 0] = 1
        small = np.clip(np.round(weights / scales), -127, 127).astype(np.int8)
        if kind == "MatMul":
            product = ops.multiply(ops.convert(ops.constant(small), "f16"), ops.constant(scales.astype(np.float16)))
            node.input(1).replace_source_output(ops.convert(product, "f32").output(0))
        else:
            axis, which = ops.constant(np.int64(0)), node.input_value(1)
            rows = ops.convert(ops.gather(ops.constant(small), which, axis), "f32")
            of_rows = ops.gather(ops.constant(scales.astype(np.float32)), which, axis)
            node.output(0).replace(ops.multiply(rows, of_rows).output(0))
    return graph


def _constant(node: Any) -> npt.NDArray[np.float32] | None:
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant":
        return None
    data: npt.NDArray[Any] = node.get_data()
    return data.astype(np.float32) if data.dtype.kind == "f" else data


def _compare(published: TorchEncoder, folder: Path, made: Path) -> None:
    from index.models.int8_encoder import Int8Encoder

    try:
        mine = Int8Encoder(folder, made).encode(_COMPARED)
    except Exception as error:  # a tokenizer that is not in one file, an operation OpenVINO does not have
        raise CannotConvert(f"it does not run: {error}") from error
    theirs = published.encode(_COMPARED)
    nearness = np.sum(mine * theirs, axis=1) / np.linalg.norm(mine, axis=1)
    log.info("8-bit vectors are at %.4f to %.4f of torch's", nearness.min(), nearness.max())
    if not nearness.min() >= LEAST_COSINE:
        raise CannotConvert(f"its vectors would be too far from torch's: {nearness.min():.3f}")


def main() -> None:
    """python -m index.models.int8_conversion FOLDER PLACE"""
    folder, place = map(Path, sys.argv[1:])
    try:
        with warnings.catch_warnings():  # of all in a trace that could depend on the example; they are compared below
            warnings.simplefilter("ignore")
            _convert(folder, place)
    except (CannotConvert, OSError) as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
