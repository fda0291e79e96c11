"""Zipped documents: their parts, and what is no document but made to fill the memory."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from index.formats import zip_parts
from index.formats.zip_parts import ZipParts, part_beside


def zipped(path: Path, parts: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return path


def test_parts_come_back(tmp_path: Path) -> None:
    with ZipParts(zipped(tmp_path / "a.docx", {"a.xml": b"<a/>", "b/c.xml": b"<c/>"})) as parts:
        assert parts.names == {"a.xml", "b/c.xml"}
        assert (parts.read("a.xml"), parts.read("b/c.xml")) == (b"<a/>", b"<c/>")
        with pytest.raises(ValueError, match=r"holds no d\.xml"):
            parts.read("d.xml")


def test_a_bomb_is_not_unfolded(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.docx", {"a.xml": b"\0" * (zip_parts.MAX_BYTES + 1)})
    assert path.stat().st_size < 20_000
    with (
        ZipParts(path) as parts,
        pytest.raises(ValueError, match=r"a\.xml unfolds to 16777217 bytes; at most 16777216"),
    ):
        parts.read("a.xml")


def test_a_bomb_that_lies_about_its_size_is_not_unfolded(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.docx", {"a.xml": b"\0" * 50_000_000})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.find(signature) + offset, 100)
    path.write_bytes(data)
    with ZipParts(path) as parts, pytest.raises(ValueError, match=r"a\.xml is broken"):
        parts.read("a.xml")


def test_all_parts_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "a.epub", {f"{number}.xml": b"x" * 100 for number in range(5)})
    monkeypatch.setattr(zip_parts, "MAX_UNPACKED_BYTES", 250)
    with ZipParts(path) as parts:
        assert len(parts.read("0.xml") + parts.read("1.xml")) == 200
        with pytest.raises(ValueError, match="unfolds to 100 bytes; at most 50"):
            parts.read("2.xml")
    monkeypatch.setattr(zip_parts, "MAX_PARTS", 4)
    with pytest.raises(ValueError, match="holds 5 parts; at most 4"):
        ZipParts(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"%PDF-1.7 ...", r"not a \.docx file, whatever its name says"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "locked with a password, or of an Office before 2007"),
        (b"PK\x03\x04" + bytes(200), "broken or cut off"),
    ],
)
def test_what_is_no_zip_says_what_it_is(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=reason):
        ZipParts(path)


def test_a_cut_or_damaged_file_is_reported(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "a.docx", {"a.xml": bytes(range(256)) * 40}, zipfile.ZIP_STORED).read_bytes()
    (tmp_path / "cut.docx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="broken or cut off"):
        ZipParts(tmp_path / "cut.docx")
    damaged = bytearray(whole)
    damaged[500] ^= 1
    (tmp_path / "damaged.docx").write_bytes(damaged)
    with ZipParts(tmp_path / "damaged.docx") as parts, pytest.raises(ValueError, match=r"a\.xml is broken: Bad CRC"):
        parts.read("a.xml")


def test_a_locked_part_is_reported(tmp_path: Path) -> None:
    data = bytearray(zipped(tmp_path / "a.docx", {"a.xml": b"<a/>"}).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(signature) + offset] |= 1
    (tmp_path / "a.docx").write_bytes(data)
    with ZipParts(tmp_path / "a.docx") as parts, pytest.raises(ValueError, match="locked with a password"):
        parts.read("a.xml")


@pytest.mark.parametrize(
    ("name", "reference", "part"),
    [
        ("OEBPS/content.opf", "text/ch%201.xhtml#p3", "OEBPS/text/ch 1.xhtml"),
        ("OEBPS/content.opf", "../cover.xhtml", "cover.xhtml"),
        ("content.opf", "a.xhtml", "a.xhtml"),
    ],
)
def test_addresses_between_parts(name: str, reference: str, part: str) -> None:
    assert part_beside(name, reference) == part
