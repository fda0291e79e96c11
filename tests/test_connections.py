"""Clients that dribble, idle, come by the thousand or speak no HTTP take nothing from the others."""

from __future__ import annotations

import http.client
import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from web_fixtures import WITHOUT_LIMITS, declined, found_bridge, make_app, running

from web.settings import Settings

HURRIED = replace(WITHOUT_LIMITS, request_seconds=1.0, idle_seconds=1.0)


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    with socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 0), timeout=20) as client:
        yield client


def healthy(url: str) -> float:
    """Seconds until an answer to a new client."""
    started = time.monotonic()
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    return time.monotonic() - started


def seconds_until_closed(client: socket.socket, dribble: bytes) -> float:
    """How long the server bears a client that sends `dribble` ten times a second."""
    started = time.monotonic()
    while time.monotonic() - started < 15:
        if select.select([client], [], [], 0.1)[0]:
            with suppress(ConnectionResetError):
                assert client.recv(100) == b""
            return time.monotonic() - started
        if dribble:
            client.sendall(dribble)
    raise AssertionError("the connection is still open")


@pytest.mark.parametrize(
    ("sent", "dribble"),
    [
        (b"GET / HT", b""),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n"),
        (b"POST /api/ask HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n", b"{"),
        (b"POST /api/ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n"),
        (b"", b""),
    ],
    ids=["stops", "headers", "body", "chunks", "idle"],
)
def test_a_request_that_does_not_end_is_cut_off(sent: bytes, dribble: bytes) -> None:
    with running(make_app()[0], HURRIED) as url, connected(url) as client:
        client.sendall(sent)
        assert 0.9 < seconds_until_closed(client, dribble) < 4
        assert healthy(url) < 1


def test_after_an_answer_the_connection_may_be_used_again_for_a_while() -> None:
    with running(make_app()[0], HURRIED) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        for _ in range(3):
            connection.request("GET", "/api/articles")
            response = connection.getresponse()
            assert response.status == 200
            response.read()
        assert connection.sock is not None
        assert 0.9 < seconds_until_closed(connection.sock, b"") < 4
        connection.close()


def test_an_answer_may_take_longer_than_a_request() -> None:
    app, _ = make_app([2.5, found_bridge(), declined()])
    with running(app, HURRIED) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        connection.request(
            "POST", "/api/ask", json.dumps({"question": "Quand ?"}), {"Content-Type": "application/json"}
        )
        assert connection.getresponse().status == 200
        connection.close()


def test_when_there_are_too_many_those_that_idle_give_way() -> None:
    app, _ = make_app([2.0, found_bridge(), declined()])
    settings = replace(WITHOUT_LIMITS, connections=30)
    with running(app, settings) as url, ExitStack() as open_ones:
        asking = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        asking.request("POST", "/api/ask", json.dumps({"question": "Quand ?"}), {"Content-Type": "application/json"})
        idle = [open_ones.enter_context(connected(url)) for _ in range(90)]
        for client in idle[::2]:
            client.sendall(b"GET / HTTP/1.1\r\nX-")
        assert healthy(url) < 3
        assert asking.getresponse().status == 200  # what is being answered is not given up
        asking.close()
        assert len(select.select(idle, [], [], 1)[0]) >= 60  # closed


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400, "bad_request"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n", 431, "too_large"),
        (b"POST / HTTP/1.1\r\nContent-Length: 900000000000\r\n\r\n", 413, "too_large"),
    ],
    ids=["tls", "space", "negative", "headers", "body"],
)
def test_what_is_no_request_is_refused_as_the_app_refuses(sent: bytes, status: int, code: str) -> None:
    with running(make_app()[0], Settings()) as url, connected(url) as client:
        client.sendall(sent)
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.status == status
        assert response.headers["Connection"] == "close"
        assert response.headers["X-Request-Id"]
        assert json.loads(response.read())["error"]["code"] == code
        assert healthy(url) < 1
