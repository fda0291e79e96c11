"""A stop lets answers finish, a second one does not; only the proxy that is named is believed."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest
from flask import Flask
from web_fixtures import WITHOUT_LIMITS, UntilCancelled, bridge_script, found_bridge, make_app, response_to, running

from web.service.server import Server
from web.settings import Settings

TESTS = Path(__file__).parent


def asking(url: str) -> AbstractContextManager[http.client.HTTPResponse]:
    return response_to(url, "POST", "/api/ask", {"question": "Quand ?", "stream": True})


def status(url: str, path: str, **headers: str) -> int:
    with response_to(url, "GET", path, **headers) as response:
        return response.status


@contextmanager
def served(app: Flask, settings: Settings) -> Iterator[Server]:
    server = Server(app, replace(settings, port=0))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


def test_a_stop_lets_answers_finish_and_refuses_new_ones() -> None:
    gate = threading.Event()
    app, _ = make_app([found_bridge(), gate, *bridge_script()[1:]])
    with served(app, WITHOUT_LIMITS) as server, asking(server.url) as stream:
        assert stream.readline() == b"event: passages\n"
        server.stop()
        for path in ("/", "/api/articles", "/readyz"):
            with response_to(server.url, "GET", path) as refused:
                assert refused.status == 503
                assert refused.headers["Connection"] == "close"
                assert int(refused.headers["Retry-After"]) > 0
        with response_to(server.url, "GET", "/healthz") as health:
            assert health.status == 200
            assert health.headers["Connection"] == "close"
        gate.set()
        assert b"event: answer\n" in stream.read()


def test_answers_that_take_too_long_to_finish_are_cut_short() -> None:
    app, answerer = make_app([found_bridge(), UntilCancelled()])
    with served(app, replace(WITHOUT_LIMITS, stop_seconds=0.5)) as server, asking(server.url) as stream:
        assert stream.readline() == b"event: passages\n"
        server.stop()
        assert b'event: error\ndata: {"error": {"code": "not_ready"' in stream.read()
        assert answerer.closed.wait(5)


SERVE = """
import sys
sys.path.insert(0, sys.argv[1])
import threading
from web_fixtures import *
from web.service.server import serve
gate = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), gate.set()), daemon=True).start()
app, _ = make_app([found_bridge(), gate, *bridge_script()[1:]], [found_bridge(), UntilCancelled()])
serve(app, Settings(port=0), None, lambda url: print(url, flush=True))
print("stopped cleanly")
"""


@contextmanager
def process() -> Iterator[tuple[subprocess.Popen[str], IO[str], IO[str]]]:
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(TESTS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=TESTS.parent,
        env={**os.environ},
    ) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        try:
            yield one, one.stdin, one.stdout
        finally:
            one.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_a_stream_lets_it_come_to_its_end(number: signal.Signals) -> None:
    with process() as (one, stdin, stdout):
        url = stdout.readline().strip()
        with asking(url) as stream:
            assert stream.readline() == b"event: passages\n"
            one.send_signal(number)
            while status(url, "/readyz") != 503:
                pass
            stdin.write("go on\n")
            stdin.flush()
            assert b"event: answer\n" in stream.read()
        assert stdout.read() == "stopped cleanly\n"
        assert one.wait(10) == 0


def test_a_second_signal_stops_at_once() -> None:
    with process() as (one, _, stdout):
        url = stdout.readline().strip()
        with asking(url) as stream:
            assert stream.readline() == b"event: passages\n"
            one.send_signal(signal.SIGTERM)
            while status(url, "/readyz") != 503:
                pass
            one.send_signal(signal.SIGTERM)
            assert b"event: error\n" in stream.read()
        assert stdout.read() == "stopped cleanly\n"
        assert one.wait(10) == 0


ONE_EACH = replace(WITHOUT_LIMITS, requests_per_address="1 per hour")


def statuses(url: str, *forwarded: str) -> list[int]:
    return [status(url, "/api/articles", **{"X-Forwarded-For": one}) for one in forwarded]


def test_without_a_named_proxy_nobody_can_choose_an_address() -> None:
    with running(make_app(settings=ONE_EACH)[0], ONE_EACH) as url:
        assert statuses(url, "203.0.113.1", "203.0.113.2") == [200, 429]


def test_the_named_proxy_says_who_asks_and_its_clients_cannot() -> None:
    settings = replace(ONE_EACH, trusted_proxy="127.0.0.1")
    with running(make_app(settings=settings)[0], settings) as url:
        assert statuses(url, "203.0.113.1", "203.0.113.2", "203.0.113.1") == [200, 200, 429]
        # A proxy adds its client at the end: what stands before, the client has made up.
        assert statuses(url, "198.51.100.7, 203.0.113.1") == [429]
        assert statuses(url, "[2001:db8::1]", "2001:db8::2") == [200, 429]


def test_another_proxy_than_the_named_one_is_not_believed() -> None:
    settings = replace(ONE_EACH, trusted_proxy="192.0.2.1")
    with running(make_app(settings=settings)[0], settings) as url:
        assert statuses(url, "203.0.113.1", "203.0.113.2") == [200, 429]


def test_two_proxies_one_behind_the_other() -> None:
    settings = replace(ONE_EACH, trusted_proxy="127.0.0.1", proxy_count=2)
    with running(make_app(settings=settings)[0], settings) as url:
        assert statuses(url, "203.0.113.1, 192.0.2.9", "203.0.113.2, 192.0.2.9") == [200, 200]
        assert statuses(url, "1.2.3.4, 203.0.113.1, 192.0.2.9") == [429]


def test_metrics_are_not_for_those_behind_a_proxy() -> None:
    settings = replace(WITHOUT_LIMITS, trusted_proxy="127.0.0.1")
    with running(make_app(settings=settings)[0], settings) as url:
        assert status(url, "/metrics") == 200
        assert status(url, "/metrics", **{"X-Forwarded-For": "203.0.113.1"}) == 404
