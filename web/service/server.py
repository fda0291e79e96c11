"""The open port: waitress with threads, no fork, and a stop that lets answers under way end politely."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import waitress
from flask import Flask
from waitress import wasyncore
from waitress.server import BaseWSGIServer

from index.errors import SourcierError
from web.ready import Answerer, Index, Ready
from web.service.connections import Connection, close_useless
from web.settings import Settings

log = logging.getLogger(__name__)

LOOP_S = 0.5  # how soon a stop is noticed, and how often connections are looked at
GRACE_S = 5.0  # what answers that were cut short get to say so
# Waitress refuses an enormous body by itself, and closes; up to here it reads the body, so that the client does not
# meet a closed connection but the app's answer.
BODY_MARGIN_BYTES = 16 * 1024 * 1024
MAX_HEADER_BYTES = 64 * 1024
PROXY_HEADERS = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
SPARE_FILES = 256  # open files besides connections: the index, the models, logs

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
        self._settings = settings
        self._sockets: dict[int, Any] = {}
        self._most = _allowed_connections(settings.connections)
        self._looked = 0.0
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
                connection_limit=self._most,
                asyncore_use_poll=True,
                max_request_header_size=MAX_HEADER_BYTES,
                **_proxy(settings),
                max_request_body_size=settings.max_body_bytes + BODY_MARGIN_BYTES,
                ident="sourcier",
            )
        except OSError as error:
            wasyncore.close_all(self._sockets)
            raise PortProblem(settings.host, settings.port, error.strerror or str(error)) from error
        for one in self._sockets.values():
            if isinstance(one, BaseWSGIServer):
                one.channel_class = partial(Connection, lambda: self._ready.stopping)
        self._threads = server.task_dispatcher
        # "localhost" may be two sockets (IPv4 and IPv6); their ports only differ when port 0 was asked for.
        listening = getattr(server, "effective_listen", None)
        self.port = int(listening[0][1] if listening else server.effective_port)
        shown = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.url = f"http://{shown}:{self.port}"

    def run(self) -> None:
        """Serve until `stop`; returns when the answers under way have ended, or were cut short and have said so."""
        try:
            while not self._ready.stopping:
                self._turn(LOOP_S)
            deadline = time.monotonic() + self._settings.stop_seconds
            if self._answering():
                log.info("Stopping; answers under way may finish, for up to %g s.", self._settings.stop_seconds)
            while self._answering() and not self._ready.closing and time.monotonic() < deadline:
                self._turn(LOOP_S / 10)
            self._ready.closing = True
            deadline = time.monotonic() + GRACE_S
            while self._answering() and time.monotonic() < deadline:
                self._turn(LOOP_S / 10)
        finally:
            self._ready.stopping = self._ready.closing = True
            self._threads.shutdown()
            wasyncore.close_all(self._sockets)

    def stop(self, *, finish: bool = True) -> None:
        """End `run`, from any thread or a signal handler: it only sets flags. `finish` False cuts answers short."""
        self._ready.closing = self._ready.closing or not finish
        self._ready.stopping = True

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._sockets, count=1)
        now = time.monotonic()
        if now - self._looked >= LOOP_S or len(self._sockets) >= self._most:
            self._looked = now
            close_useless(self._connections(), self._most, self._settings.request_seconds, self._settings.idle_seconds)

    def _connections(self) -> list[Connection]:
        return [one for one in self._sockets.values() if isinstance(one, Connection)]

    def _answering(self) -> bool:
        return any(one.requests or one.total_outbufs_len for one in self._connections())


def _proxy(settings: Settings) -> dict[str, Any]:
    if settings.trusted_proxy is None:
        # The headers stay, for the app to see that there is a proxy; it believes none.
        return {"clear_untrusted_proxy_headers": False}
    return {
        "trusted_proxy": settings.trusted_proxy,
        "trusted_proxy_count": settings.proxy_count,
        "trusted_proxy_headers": PROXY_HEADERS,
        "clear_untrusted_proxy_headers": True,
    }


def _allowed_connections(wanted: int) -> int:
    """As many as the process may have files open; the usual soft limit of 1,024 is raised as far as it may be."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
        if allowed < needed:
            log.warning("Only %d of %d connections: raise the limit of open files.", allowed - SPARE_FILES, wanted)
            return max(16, allowed - SPARE_FILES)
    return wanted


def serve(
    app: Flask, settings: Settings, load: Load | None = None, opened: Callable[[str], None] | None = None
) -> None:
    """Open the port, load in the background, and serve until SIGTERM or SIGINT. Call it on the main thread.

    A second signal cuts answers under way short, a third does what signals do. `opened` is told the URL once the port
    is open. When `load` fails the server stops and its error is raised.
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
        if Ready.of(app).stopping:
            server.stop(finish=False)
            signal.signal(signum, signal.SIG_DFL)
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
