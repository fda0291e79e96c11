"""Requests that no browser makes, as bytes over a real server: each is refused, and the next reader is served."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from web_fixtures import make_app, running

HOST = b"Host: sourcier.example\r\nConnection: close\r\n"
JSON = HOST + b"Content-Type: application/json\r\n"
MEGABYTE = b" " * 1_000_000


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    app, _ = make_app()
    with running(app) as url:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        yield parts.hostname, parts.port


@pytest.fixture(autouse=True)
def still_serving(address: tuple[str, int]) -> Iterator[None]:
    """Whatever a test sent, the next reader gets an answer."""
    yield
    assert status_of(said_to(address, b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")) == 200


def said_to(address: tuple[str, int], *pieces: bytes) -> bytes:
    """Send the pieces and read until the server closes the connection.

    This side stays open: waitress takes a half-closed connection for a reader who has left, and says nothing.
    """
    with socket.create_connection(address, timeout=20) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass  # the server has closed already; what it said can still be read
        received = b""
        try:
            while piece := connection.recv(65_536):
                received += piece
        except ConnectionError:
            pass  # closed with some of what was sent unread
        return received


def status_of(answer: bytes) -> int:
    """The status of an answer; 0 for none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


PATHS = {
    "/static/../../pyproject.toml": 404,
    "/static/..%2f..%2fpyproject.toml": 404,
    "/static/%2e%2e/%2e%2e/pyproject.toml": 404,
    "/static/..%5c..%5cpyproject.toml": 404,
    "/static//etc/passwd": 404,
    "/static/%2fetc%2fpasswd": 404,
    "/static/style.css%00.js": 404,
    "/static/%00": 404,
    "/api/articles/..%2f..%2fetc%2fpasswd": 404,
    "/api/articles/%00": 404,
    "/api/articles/%ff%fe": 404,
    "/api/articles/%ED%A0%80": 404,
    "/api/articles/%": 404,
    "/api/articles/%zz": 404,
    "/articles/%00%0d%0aSet-Cookie:%20a=b": 404,
    "/articles/pont-tanneurs-fermeture?start=-1&end=99999999999999999999&span=%00-%ff": 200,
    "/api/articles?limit=%00": 400,
    "/api/articles?limit=5&limit=-1": 200,
    "/api/articles?%ff=%fe&offset=1": 200,
    "/v1/models/..%2f..%2f": 404,
    "/v1/models/%0d%0a": 404,
    "/?q=%ff%00%0d%0a<script>": 200,
    "//evil.example/": 404,
    "/%2f%2fevil.example": 404,
    "/docs/../healthz": 404,
    "/;/healthz": 404,
    "/HEALTHZ": 404,
    "/" + "a" * 60_000: 404,
    "/" + "b" * 100_000: 431,
    "http://evil.example/healthz": 200,
    "*": 404,
}


@pytest.mark.parametrize(("path", "status"), PATHS.items(), ids=[path[:40] for path in PATHS])
def test_a_path_leads_nowhere_but_to_what_is_served(address: tuple[str, int], path: str, status: int) -> None:
    answer = said_to(address, f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert status_of(answer) == status
    for secret in (b"root:", b"[project]", b"Traceback"):
        assert secret not in body
    assert b"text/html" not in head or b"<script>" not in body
    assert b"Set-Cookie" not in head
    assert b"Location" not in head


ASK = b"POST /api/ask HTTP/1.1\r\n"
DOCS = b"GET /docs HTTP/1.1\r\n"
BODY = b'{"question": ""}'  # refused by the app, with 400, when it gets there
SIXTEEN = b"Content-Length: 16\r\n"

HEADERS: dict[str, tuple[bytes, int]] = {
    "as it should be": (ASK + JSON + SIXTEEN + b"\r\n" + BODY, 400),
    "length is negative": (ASK + JSON + b"Content-Length: -16\r\n\r\n" + BODY, 400),
    "length is no number": (ASK + JSON + b"Content-Length: 1e1\r\n\r\n" + BODY, 400),
    "length has a sign": (ASK + JSON + b"Content-Length: +16\r\n\r\n" + BODY, 400),
    "length is enormous": (ASK + JSON + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n" + BODY, 413),
    "length is less than there is": (ASK + JSON + b"Content-Length: 4\r\n\r\n" + BODY, 400),
    "two lengths": (ASK + JSON + SIXTEEN + b"Content-Length: 5\r\n\r\n" + BODY, 400),
    "length and chunks": (ASK + JSON + SIXTEEN + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "an unknown transfer coding": (ASK + JSON + b"Transfer-Encoding: gzip\r\n\r\n" + BODY, 501),
    "a chunk size that is none": (ASK + JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY, 400),
    "a chunk longer than its size": (ASK + JSON + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n", 400),
    "a header of 300 kB": (ASK + HOST + b"X-Long: " + b"x" * 300_000 + b"\r\n\r\n", 431),
    "40,000 headers": (ASK + HOST + b"".join(b"X-%d: 1\r\n" % i for i in range(40_000)) + b"\r\n", 431),
    "a header without a colon": (ASK + HOST + b"nonsense\r\n\r\n", 400),
    "a header name with a blank": (ASK + HOST + b"Content-Length : 5\r\n\r\nhello", 400),
    "a NUL in a header": (ASK + JSON + SIXTEEN + b"X-Nul: a\0b\r\n\r\n" + BODY, 400),
    "bytes that are no text": (ASK + JSON + SIXTEEN + b"Accept-Language: \xff\xfe\x80\r\n\r\n" + BODY, 400),
    "a bare newline": (ASK + JSON + SIXTEEN + b"X-Bare: a\nInjected: b\r\n\r\n" + BODY, 400),
    "two hosts": (DOCS + HOST + b"Host: <script>alert(1)</script>\r\n\r\n", 200),
    "a host that is markup": (DOCS + b"Connection: close\r\nHost: \"><script>alert(1)</script>\r\n\r\n", 200),
    "a content type that is none": (ASK + HOST + SIXTEEN + b"Content-Type: \xff/;;=\r\n\r\n" + BODY, 400),
    "a charset that is none": (
        ASK + HOST + SIXTEEN + b"Content-Type: application/json; charset=\0x\r\n\r\n" + BODY, 400),
    "a compressed body": (ASK + JSON + SIXTEEN + b"Content-Encoding: gzip\r\n\r\n" + BODY, 400),
    "a form where JSON belongs": (ASK + HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
                                  + SIXTEEN + b"\r\nquestion=whatever", 400),
    "a broken multipart form": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Type: multipart/form-data\r\n"
                                + SIXTEEN + b"\r\n" + BODY, 400),
    "no host": (b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 200),
    "an unknown method": (b"BREW /api/ask HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "a method in small letters": (b"get /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a method that is a novel": (b"A" * 10_000 + b" /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "an unknown version": (b"GET /healthz HTTP/9.9\r\n" + HOST + b"\r\n", 200),
    "no version": (b"GET /healthz\r\n\r\n", 200),
    "the beginning of TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xa5" * 500 + b"\r\n\r\n", 400),
}  # fmt: skip


@pytest.mark.parametrize(("request_bytes", "status"), HEADERS.values(), ids=HEADERS)
def test_a_malformed_request_gets_its_status(address: tuple[str, int], request_bytes: bytes, status: int) -> None:
    answer = said_to(address, request_bytes)
    assert status_of(answer) == status, answer[:500]
    assert b"Traceback" not in answer
    assert b"<script>alert" not in answer
    assert b"\r\nInjected" not in answer


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET /hea", ASK + HOST, ASK + JSON + b"Content-Length: 99\r\n\r\n" + BODY,
     ASK + JSON + b"Transfer-Encoding: chunked\r\n\r\nffff\r\nx"],
    ids=["nothing", "half a request line", "half the headers", "half a body", "half a chunk"],
)  # fmt: skip
def test_who_leaves_in_the_middle_of_a_request_does_no_harm(address: tuple[str, int], begun: bytes) -> None:
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(begun)


def test_a_hundred_megabytes_are_refused_before_they_are_read(address: tuple[str, int]) -> None:
    head = ASK + JSON + b"Content-Length: 100000000\r\n\r\n"
    assert status_of(said_to(address, head)) == 413
    assert status_of(said_to(address, head, *[MEGABYTE] * 100)) in (0, 413)  # closed while the body was on its way


def test_a_hundred_megabytes_in_chunks_are_cut_off(address: tuple[str, int]) -> None:
    chunk = b"%x\r\n%s\r\n" % (len(MEGABYTE), MEGABYTE)
    head = ASK + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
    assert status_of(said_to(address, head, *[chunk] * 100, b"0\r\n\r\n")) in (0, 413)


def test_a_body_somewhat_too_large_is_refused_in_json(address: tuple[str, int]) -> None:
    answer = said_to(address, ASK + JSON + b"Content-Length: 1000000\r\n\r\n", MEGABYTE)
    assert status_of(answer) == 413
    assert b'{"error":{"code":"too_large","message":"The body is too large: 262144 bytes are taken."}}' in answer


def test_readers_are_served_while_a_hundred_others_never_finish_their_request(address: tuple[str, int]) -> None:
    started = [ASK + JSON + b"Content-Length: 100\r\n\r\n{", ASK + b"Host:", b"G", b""]
    unfinished = [socket.create_connection(address, timeout=20) for _ in range(100)]
    for position, connection in enumerate(unfinished):
        connection.sendall(started[position % len(started)])
    request = b"GET /api/articles HTTP/1.1\r\n" + HOST + b"\r\n"
    answers: list[int] = []
    readers = [threading.Thread(target=lambda: answers.append(status_of(said_to(address, request)))) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(20)
    for connection in unfinished:
        connection.close()
    assert answers == [200] * 8
