"""The open port: waitress with threads, no fork, and a stop that lets answers under way end politely."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import waitress
from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel

from index.errors import SourcierError
from web.ready import Answerer, Index, Ready
from web.settings import Settings

LOOP_S = 0.5  # how soon a stop is noticed
GRACE_S = 5.0  # what answers under way get to say that they were cut short
# Waitress refuses an enormous body by itself, in plain text; up to here the app refuses it, in JSON.
BODY_MARGIN_BYTES = 16 * 1024 * 1024

Load = Callable[[], tuple[Answerer, Index]]


class PortProblem(SourcierError):
    """The address cannot be listened on."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"Cannot listen on {host}:{port}: {reason}. Choose another with SOURCIER_HOST, SOURCIER_PORT.")
        self.host = host
        self.port = port


class Server:
    """Holds the listening socket and its threads from construction to the end of `run`."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._ready = Ready.of(app)
        self._sockets: dict[int, Any] = {}
        self._stopping = False
        try:
            # send_bytes stays at its default of 1 (naming it is deprecated): each event leaves at once. The lookahead
            # makes waitress read on while a request is being answered, which is how it notices a client that left.
            server = waitress.create_server(
                app,
                map=self._sockets,
                host=settings.host,
                port=settings.port,
                threads=settings.threads,
                channel_request_lookahead=1,
                connection_limit=1000,
                asyncore_use_poll=True,
                max_request_body_size=settings.max_body_bytes + BODY_MARGIN_BYTES,
                ident="sourcier",
            )
        except OSError as error:
            wasyncore.close_all(self._sockets)
            raise PortProblem(settings.host, settings.port, error.strerror or str(error)) from error
        self._threads = server.task_dispatcher
        # "localhost" may be two sockets (IPv4 and IPv6); their ports only differ when port 0 was asked for.
        listening = getattr(server, "effective_listen", None)
        self.port = int(listening[0][1] if listening else server.effective_port)
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.url = f"http://{shown}:{self.port}"

    def run(self) -> None:
        """Serve until `stop`; returns when the answers under way have ended or GRACE_S is over."""
        try:
            while not self._stopping:
                wasyncore.loop(timeout=LOOP_S, use_poll=True, map=self._sockets, count=1)
            deadline = time.monotonic() + GRACE_S
            while self._answering() and time.monotonic() < deadline:
                wasyncore.loop(timeout=LOOP_S / 10, use_poll=True, map=self._sockets, count=1)
        finally:
            self._ready.closing = True
            self._threads.shutdown()
            wasyncore.close_all(self._sockets)

    def stop(self) -> None:
        """End `run`, from any thread or a signal handler: it only sets flags."""
        self._ready.closing = True
        self._stopping = True

    def _answering(self) -> bool:
        channels = [one for one in self._sockets.values() if isinstance(one, HTTPChannel)]
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def serve(
    app: Flask, settings: Settings, load: Load | None = None, opened: Callable[[str], None] | None = None
) -> None:
    """Open the port, load in the background, and serve until SIGTERM or SIGINT. Call it on the main thread.

    `opened` is told the URL once the port is open. When `load` fails the server stops and its error is raised.
    """
    server = Server(app, settings)
    failures: list[Exception] = []

    def fill() -> None:
        try:
            if load is not None:
                Ready.of(app).fill(*load())
        except Exception as error:  # the outermost edge of this thread; raised again below
            failures.append(error)
            server.stop()

    def leave(signum: int, frame: FrameType | None) -> None:
        server.stop()

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        if opened is not None:
            opened(server.url)
        threading.Thread(target=fill, name="load", daemon=True).start()
        server.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if failures:
        raise failures[0]
