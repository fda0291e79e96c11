"""A small model hub on this machine: the resolve addresses of a few files, with HEAD, ETag, commit and Range.

Large files are redirected to another address, as the real one does with all weights.
"""

from __future__ import annotations

import hashlib
import http.server
import re
import threading

LARGE = 100_000  # bytes


class StandInHub:
    """Use it in `with`; `url` goes into HF_ENDPOINT. `files` maps "repository/path" to the bytes served."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[tuple[str, str, str | None]] = []  # method, repository/path, Range
        self.redirected: list[tuple[str, str | None]] = []  # method, Range
        self.gated: set[str] = set()
        hub = self

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(with_body=False)

            def do_GET(self) -> None:
                self._answer(with_body=True)

            def _answer(self, *, with_body: bool) -> None:
                if self.path.startswith("/cdn/"):
                    hub.redirected.append((self.command, self.headers.get("Range")))
                    self._send(hub.files[self.path.removeprefix("/cdn/")], with_body=with_body)
                    return
                found = re.fullmatch(
                    r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", self.path
                )
                name = f"{found['repository']}/{found['path']}" if found else ""
                hub.asked.append((self.command, name, self.headers.get("Range")))
                if found and found["repository"] in hub.gated:
                    self._refuse(401, "GatedRepo")
                elif name not in hub.files:
                    self._refuse(404, "EntryNotFound")
                elif len(hub.files[name]) > LARGE:
                    self._redirect(name)
                else:
                    self._send(hub.files[name], with_body=with_body)

            def _redirect(self, name: str) -> None:
                self.send_response(302)
                self.send_header("Location", f"{hub.url}/cdn/{name}")
                self.send_header("X-Repo-Commit", "0" * 40)
                self.send_header("X-Linked-Etag", f'"{hashlib.sha256(hub.files[name]).hexdigest()}"')
                self.send_header("X-Linked-Size", str(len(hub.files[name])))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _refuse(self, status: int, code: str) -> None:
                self.send_response(status)
                self.send_header("X-Error-Code", code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _send(self, content: bytes, *, with_body: bool) -> None:
                wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
                first = int(wanted[1]) if wanted else 0
                self.send_response(206 if wanted else 200)
                if wanted:
                    self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(content) - first))
                self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
                self.send_header("X-Repo-Commit", "0" * 40)
                self.end_headers()
                if with_body:
                    self.wfile.write(content[first:])

            def log_message(self, *_words: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> StandInHub:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
