"""Web pages saved in one file, as Chromium and Internet Explorer write them."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest

from index.articles import Article, read_articles
from index.formats import saved_pages

TEXT = "Le pont a rouvert samedi.\n\nLes habitants l’ont traversé à pied, sous la pluie."
PAGE = (
    '<html lang="fr"><head><meta property="article:published_time" content="2025-11-08">{head}</head><body><article>'
    + "".join(f"<p>{part}</p>" for part in TEXT.split("\n\n"))
    + "</article></body></html>"
)


LONG_HEADER = b"MIME-Version: 1.0\nContent-Type: text/html; " + b"a=(((" * 90_000 + b"\n\n<p>mot"


def quoted(text: str, charset: str) -> bytes:
    """Quoted-printable, by hand: every byte that is not plain ASCII, and the equals sign."""
    return b"".join(
        bytes([byte]) if 32 <= byte < 127 and byte != 61 else b"=%02X" % byte for byte in text.encode(charset)
    )


def saved(head: str = "", charset: str = "utf-8", headers: str = "", start: str = "") -> bytes:
    frame = "--b\r\nContent-Type: text/html\r\nContent-Location: cid:ad@x\r\n\r\n<p>Achetez nos pneus !</p>\r\n"
    first = (
        f'--b\r\nContent-Type: text/html; charset="{charset}"\r\nContent-Transfer-Encoding: quoted-printable\r\n'
        "Content-ID: <page@x>\r\nContent-Location: https://echo.example/pont\r\n\r\n"
    ).encode() + quoted(PAGE.format(head=head), charset) + b"\r\n"  # fmt: skip
    parts = [frame.encode(), first] if start else [first, frame.encode()]
    opening = (
        f"From: <Saved by Blink>\r\nDate: Mon, 2 Mar 2026 10:00:00 -0000\r\nMIME-Version: 1.0\r\n{headers}"
        f'Content-Type: multipart/related; type="text/html"; {start} boundary="b"\r\n\r\n'
    )
    return opening.encode() + b"".join(parts) + b"--b--\r\n"


def one(path: Path, data: bytes) -> Article | str:
    path.write_bytes(data)
    (found,) = read_articles([path])
    return found if isinstance(found, Article) else found.reason


def test_round_trip(tmp_path: Path) -> None:
    headers = (
        "Snapshot-Content-Location: https://echo.example/2025/pont\r\nSubject: =?utf-8?Q?Le=20pont=20:=20rouvert?=\r\n"
    )
    found = one(tmp_path / "a.mhtml", saved(headers=headers))
    assert found == Article(
        "a.mhtml", "Le pont : rouvert", TEXT, "fr", date(2025, 11, 8), None, None, "https://echo.example/2025/pont"
    )


def test_what_the_page_says_goes_before_what_the_file_says(tmp_path: Path) -> None:
    head = '<meta property="og:title" content="Le titre"><link rel="canonical" href="https://echo.example/canon">'
    found = one(tmp_path / "a.mht", saved(head, headers="Subject: Autre\r\n"))
    assert isinstance(found, Article)
    assert (found.title, found.url) == ("Le titre", "https://echo.example/canon")


@pytest.mark.parametrize("charset", ["utf-8", "windows-1252"])
def test_encodings(tmp_path: Path, charset: str) -> None:
    found = one(tmp_path / "a.mhtml", saved(charset=charset))
    assert isinstance(found, Article)
    assert (found.text, found.url) == (TEXT, "https://echo.example/pont")


def test_the_page_is_the_part_that_the_file_begins_with(tmp_path: Path) -> None:
    found = one(tmp_path / "a.mhtml", saved(start='start="<page@x>";'))
    assert isinstance(found, Article)
    assert found.text == TEXT


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a saved web page: it does not begin as MIME does"),
        (b"<html><p>mot</html>", "not a saved web page: it does not begin as MIME does"),
        (saved()[:120], "holds no web page (no text/html part; cut off?)"),
        (b"MIME-Version: 1.0\nContent-Type: image/png\n\nx", "holds no web page (no text/html part; cut off?)"),
        (LONG_HEADER, "a header has more than 4000 characters"),
        (b"MIME-Version: 1.0\n" + b"--b\n" * 10_001, "holds more than 10000 parts"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(tmp_path: Path, data: bytes, reason: str) -> None:
    began = time.monotonic()
    assert one(tmp_path / "a.mhtml", data) == reason
    assert time.monotonic() - began < 5


def test_a_long_subject_is_no_title(tmp_path: Path) -> None:
    found = one(tmp_path / "a.mhtml", saved(headers="Subject: " + "=?utf-8?q?a?= " * 50_000 + "\r\n"))
    assert isinstance(found, Article)
    assert found.title == "Le pont a rouvert samedi."
    assert saved_pages.MAX_HEADER_CHARS < 50_000
