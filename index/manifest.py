"""What a generation says of itself, and the names of its files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

from index.errors import BrokenIndex
from index.storage.vector_blocks import BLOCK_NAME

# Raised whenever a file of a generation changes its meaning; a generation of another format is refused, not guessed at.
FORMAT_VERSION = 3
# Blocks of vectors are the same in these: a build takes vectors over from what cannot be searched any more.
_BLOCKS_FIT = (2, FORMAT_VERSION)
ARTICLES_FILE = "articles.sqlite"
MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True, slots=True)
class Approximation:
    """What a generation says of its inverted file (index/storage/inverted_file.py).

    `probes` of `lists` are looked through; `recall`: the share of the 10 nearest sentences that this finds, over
    `queries` sums of four sentences, when it was trained; `later` sentences of this generation were not there then.
    """

    index: str
    lists: int
    probes: int
    recall: float
    queries: int
    later: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation says of itself. `checksums` maps file name to SHA-256; `built_at` is ISO 8601 in UTC.

    `recipe` is the digest of the code that made its rows (index/recipe.py). `approximation` is None where every
    sentence is compared with the query.
    """

    format_version: int
    generation: str
    embedder: str
    embedder_digest: str
    dim: int
    passage_tokens: int
    articles: int
    passages: int
    sentences: int
    languages: tuple[str, ...]
    corpus_digest: str
    recipe: str
    checksums: dict[str, str]
    built_at: str
    approximation: Approximation | None = None

    @property
    def block_names(self) -> list[str]:
        """The files that hold vectors."""
        return [name for name in self.checksums if fnmatch(name, BLOCK_NAME)]

    def made_by(self, recipe: str, embedder_digest: str) -> bool:
        """Whether this code, with this embedding model, would make the same rows of the same files."""
        return (self.recipe, self.embedder_digest) == (recipe, embedder_digest)

    def to_json(self) -> str:
        """The content of manifest.json; its last key is the SHA-256 of the others, as JSON with these settings."""
        content = asdict(self)
        if self.approximation is None:
            del content["approximation"]
        digest = hashlib.sha256(_as_json(content).encode()).hexdigest()
        return _as_json({**content, "manifest_checksum": digest})

    @classmethod
    def read(cls, folder: Path, for_blocks: bool = False) -> Manifest:
        """Raises BrokenIndex when there is none, when it is damaged, or when it is of another format.

        `for_blocks`: an earlier format will do, as long as its vectors lie in blocks.
        """
        path = folder / MANIFEST_FILE
        try:
            text = path.read_text(encoding="utf-8")
            content = json.loads(text)
            if content["format_version"] not in (_BLOCKS_FIT if for_blocks else (FORMAT_VERSION,)):
                raise BrokenIndex(path, f"format {content['format_version']!r}, this Sourcier reads {FORMAT_VERSION}")
            del content["manifest_checksum"]
            content["languages"] = tuple(content["languages"])
            if "approximation" in content:
                content["approximation"] = Approximation(**content["approximation"])
            manifest = cls(**content)
        except FileNotFoundError:
            raise BrokenIndex(path, "missing") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BrokenIndex(path, f"not a readable manifest ({error})") from error
        if manifest.to_json() != text:
            raise BrokenIndex(path, "differs from what was written (damaged, or changed after it was built)")
        return manifest


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _as_json(content: dict[str, object]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"
