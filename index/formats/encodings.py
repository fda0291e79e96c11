"""Files to bytes, and bytes to text, whatever their encoding; nothing larger than a limit is loaded into memory."""

from __future__ import annotations

from pathlib import Path

import charset_normalizer

# Twice the longest text in a script of four bytes a character.
MAX_BYTES = 16 * 1024 * 1024
# Of formats that hold pictures beside the text: a newspaper's page, a saved web page.
MAX_BYTES_WITH_PICTURES = 64 * 1024 * 1024
# Of what a library says about a file.
_REASON_CHARS = 300


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """Return what a file holds. Raises ValueError where that is more than `limit` bytes (MAX_BYTES)."""
    most = limit or MAX_BYTES
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"the file is larger than {most} bytes")
    return data


def decoded(data: bytes, declared: str | None = None) -> str:
    """Return the text of bytes: by its byte order mark, as UTF-8, as declared, or by what charset-normalizer
    makes of it.

    Raises ValueError where they are no text.
    """
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding)
    if b"\0" in data:
        raise ValueError("holds NUL bytes: no text, or UTF-16 without a byte order mark. Save it as UTF-8")
    for encoding in filter(None, ("utf-8", declared)):
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        return text
    known = _by_letters(data)
    if known is not None:
        return known
    best = charset_normalizer.from_bytes(data).best()
    if best is None:
        raise ValueError("not text in any known encoding")
    return str(best)


# The characters beyond ASCII that texts of one encoding hold. Bytes of another one, read in it, soon give
# something else or hardly an ASCII letter. charset-normalizer takes short French text for Baltic,
# Polish for Vietnamese.
_MARKS = "«»“”‘’„–—…•·€§°©®\u00a0\u00ad"
_CENTRAL = "ąćęłńóśźżáäčďéěíňôöřšťúůüýžľĺŕőűăâîşţ"
_LETTERS = {
    "cp1252": "àâäáãåæçéèêëíìîïñóòôöõøœúùûüßÀÂÄÁÆÇÉÈÊËÎÏÍÑÓÔÖŒÚÙÛÜ£ªº¿¡²½¼¾±×",
    "cp1250": _CENTRAL + _CENTRAL.upper(),
    "iso8859_2": _CENTRAL + _CENTRAL.upper(),
    "cp1254": "çğıöşüâîûÇĞİÖŞÜ",
}


def _by_letters(data: bytes) -> str | None:
    """The text of bytes that are plainly of one European encoding with Latin letters."""
    for encoding, letters in _LETTERS.items():
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        beyond = [char for char in text if not char.isascii()]
        if frozenset(_MARKS + letters).issuperset(beyond) and 4 * len(beyond) < sum(map(str.isalpha, text)):
            return text
    return None


def reason_of(error: Exception) -> str:
    """Return what an error says on one line, without the number and the path that the system puts around it.

    Readers of other formats quote the file in their errors, with whatever control characters are in it.
    """
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    line = " ".join("".join(char if char.isprintable() else " " for char in said).split())
    return line if len(line) <= _REASON_CHARS else line[: _REASON_CHARS - 1] + "…"
