"""XML from anywhere: nothing is fetched, read beside it, or unfolded."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from index.formats.xml_documents import DeclaresEntities, name_of, parse_root, parse_xml, text_in

LAUGHS = (
    '<!DOCTYPE a [<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)) + "]>"
)


@pytest.mark.parametrize("body", ["<a>&l9;</a>", '<a b="&l9;"/>', "<a/>"])
def test_entities_do_not_unfold(body: str) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"declares entities|not well-formed XML: .*(?:loop|amplification)"):
        parse_xml(f"{LAUGHS}{body}".encode())
    assert time.monotonic() - began < 2


def test_other_files_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("geheim")
    with pytest.raises(DeclaresEntities):
        parse_xml(f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><a>&x;</a>'.encode())
    dtd = tmp_path / "letters.dtd"
    dtd.write_text('<!ENTITY x "geheim">')
    root = parse_xml(f'<!DOCTYPE a SYSTEM "{dtd.as_uri()}"><a>un &lt; deux</a>'.encode())
    assert text_in(root) == "un < deux"
    with pytest.raises(ValueError, match="uses &x;, which no DTD here declares"):
        text_in(parse_xml(f'<!DOCTYPE a SYSTEM "{dtd.as_uri()}"><a>&x;</a>'.encode()))


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda *arguments: asked.append(arguments))
    root = parse_xml(b'<!DOCTYPE nitf SYSTEM "http://127.0.0.1:9/nitf-3-2.dtd"><nitf>&eacute;t&#233;</nitf>')
    assert text_in(root) == "été"
    assert asked == []


def test_text_comes_in_order_and_on_one_line() -> None:
    root = parse_xml(b"<a>un <b>deux <c>trois</c> quatre</b>\n  cinq<!-- six --><d/> sept</a>")
    assert text_in(root) == "un deux trois quatre cinq sept"
    assert text_in(None) == ""


def test_the_root_is_known_before_the_rest_is_read() -> None:
    assert name_of(parse_root(b'<?xml version="1.0"?><!-- x --><n:rss xmlns:n="urn:n"><channel>')) == "rss"
    assert name_of(parse_root(b"<feed><a></b>")) == "feed"
    for wrong in (b"", b"   ", b"mot", b"\xff\xfe\x00", b"%PDF-1.4"):
        with pytest.raises(ValueError, match=r"not XML|holds no XML element"):
            parse_root(wrong)


def test_depth_is_bounded() -> None:
    with pytest.raises(ValueError, match="not well-formed XML"):
        parse_xml(b"<a>" * 5000 + b"</a>" * 5000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252", "iso-8859-15"])
def test_the_declared_encoding_counts(encoding: str) -> None:
    assert text_in(parse_xml(f'<?xml version="1.0" encoding="{encoding}"?><a>été à la mer</a>'.encode(encoding))) == (
        "été à la mer"
    )


def test_bytes_of_another_encoding_are_refused() -> None:
    with pytest.raises(ValueError, match="not well-formed XML"):
        parse_xml('<?xml version="1.0" encoding="utf-8"?><a>été</a>'.encode("cp1252"))
