"""Which stored states an index still needs: the key of every passage, worked out once and remembered beside the states.

A key covers the words that the model reads, and what an article says to machines is looked for in every passage before:
a millisecond each, half a minute for 10,000 articles. What is remembered are digests, of texts and of keys.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from index.articles import Article
from index.headings import heading_of
from index.storage.durable_files import replace_bytes
from qa.language_model import kept_key, prefix_key
from qa.prompt import no_passage_messages, passage_messages, stand_alone_messages

log = logging.getLogger(__name__)

_FILE = "passage-keys"
_DIGEST = 32


class StateKeys:
    """The keys of passages, remembered in a file of `folder`; with None in memory only."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / _FILE if folder is not None and folder.is_dir() else None
        self._known = _read(self._path) if self._path else {}

    def of(self, passages: Iterable[tuple[Article, str]]) -> set[str]:
        """The keys of these passages, and of what prompts begin with; of all others nothing is remembered any more."""
        known: dict[bytes, bytes] = {}
        for article, text in passages:
            digest = hashlib.sha256(f"{heading_of(article)}\0{text}".encode()).digest()
            known[digest] = self._known.get(digest) or bytes.fromhex(kept_key(passage_messages(article, text)) or "")
        if known.keys() != self._known.keys():
            self._known = known
            self._write()
        beginnings = {prefix_key(messages) for messages in (no_passage_messages(), stand_alone_messages((), ""))}
        return {key for key in beginnings if key} | {key.hex() for key in known.values() if key}

    def _write(self) -> None:
        """The way they are made, the digests of passages with their keys, and the SHA-256 of all that."""
        if self._path is None:
            return
        content = _made_by() + b"".join(digest + key for digest, key in self._known.items() if key)
        try:
            replace_bytes(self._path, content + hashlib.sha256(content).digest())
        except OSError as error:
            log.warning("The keys of passages are worked out again next time: %s", error)


def _read(path: Path) -> dict[bytes, bytes]:
    """Nothing where there is no file, or one that is damaged or made in another way."""
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    records, check = content[_DIGEST:-_DIGEST], content[-_DIGEST:]
    if content[:_DIGEST] != _made_by() or hashlib.sha256(content[:-_DIGEST]).digest() != check:
        return {}
    pairs = (records[at : at + 2 * _DIGEST] for at in range(0, len(records), 2 * _DIGEST))
    return {pair[:_DIGEST]: pair[_DIGEST:] for pair in pairs}


@cache
def _made_by() -> bytes:
    """Changes with the code that decides what the model reads of a passage."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()
