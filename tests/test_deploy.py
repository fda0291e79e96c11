"""What deploy/ shows is still so: its settings exist, and nginx passes on every event at once, and who asks."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from missing import impossible
from web_fixtures import WITHOUT_LIMITS, UntilCancelled, bridge_script, found_bridge, make_app, response_to, running

from web.commands import sourcier
from web.service.setting_sources import gather
from web.settings import Settings

DEPLOY = Path(__file__).parent.parent / "deploy"


def text_of(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def test_the_settings_file_says_settings(tmp_path: Path) -> None:
    everything = re.sub(r"^# (?=\w+ = )", "", text_of("sourcier.toml"), flags=re.MULTILINE)
    (tmp_path / "sourcier.toml").write_text(everything, encoding="utf-8")
    gathered = gather({}, tmp_path / "sourcier.toml", {})
    assert len(gathered.said_by) == 5
    assert gathered.settings.trusted_proxy == "127.0.0.1"


def test_the_service_starts_a_command_that_exists_and_is_patient() -> None:
    service = text_of("sourcier.service")
    found = re.search(r"^ExecStart=\S+/sourcier (\w+) (.*)$", service, re.MULTILINE)
    assert found
    sourcier.commands[found[1]].make_context(found[1], shlex.split(found[2]), resilient_parsing=False)
    patience = re.search(r"^TimeoutStopSec=(\d+)$", service, re.MULTILINE)
    assert patience
    assert int(patience[1]) > Settings().stop_seconds + 10


def test_every_variable_named_there_exists() -> None:
    known = {f"SOURCIER_{name.upper()}" for name in Settings.__dataclass_fields__} | {"SOURCIER_MODEL_CACHE"}
    for file in DEPLOY.iterdir():
        assert set(re.findall(r"SOURCIER_[A-Z_]+", file.read_text(encoding="utf-8"))) <= known


@contextmanager
def nginx_before(url: str, folder: Path) -> Iterator[str]:
    """nginx with the site of deploy/nginx.conf before the server at `url`, on a free port; yields its URL."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        impossible("nginx is not installed (.ci/run installs what is needed)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    site = text_of("nginx.conf").replace("127.0.0.1:8000", urlsplit(url).netloc)
    assert urlsplit(url).netloc in site
    site = site.replace("listen 80;", f"listen 127.0.0.1:{port};")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    main = (
        f"daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{site}\n}}\n"
    )
    (folder / "nginx.conf").write_text(main, encoding="utf-8")
    with subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]) as process:
        try:
            while process.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=20).close()
                    break
                except ConnectionRefusedError:
                    pass
            assert process.poll() is None, (folder / "error.log").read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def test_behind_nginx_each_event_arrives_before_the_next_is_made(tmp_path: Path) -> None:
    gates = [threading.Event() for _ in range(2)]
    found, _, _, first, _, second, answer = bridge_script()
    app, answerer = make_app([found, gates[0], first, gates[1], second, answer], [found_bridge(), UntilCancelled()])
    asked = {"question": "Quand ?", "stream": True}
    with running(app) as url, nginx_before(url, tmp_path) as proxied:
        with response_to(proxied, "POST", "/api/ask", asked) as stream:
            assert stream.readline() == b"event: passages\n"
            gates[0].set()
            while stream.readline() != b"event: sentence\n":
                pass
            gates[1].set()
            assert b"event: answer\n" in stream.read()
        with response_to(proxied, "POST", "/api/ask", asked) as stream:
            assert stream.readline() == b"event: passages\n"
        assert answerer.cancelled.wait(5)  # nginx tells that the reader left


def test_behind_nginx_readers_are_told_apart_and_metrics_are_closed(tmp_path: Path) -> None:
    settings = replace(WITHOUT_LIMITS, trusted_proxy="127.0.0.1", requests_per_address="1 per hour")
    with running(make_app(settings=settings)[0], settings) as url, nginx_before(url, tmp_path) as proxied:
        for expected in (200, 429):  # what a client says of itself, nginx puts before what it knows
            with response_to(
                proxied, "GET", "/api/articles", **{"X-Forwarded-For": f"203.0.113.{expected}"}
            ) as response:
                assert response.status == expected
                assert len(response.headers["X-Request-Id"]) == 32  # nginx's own
        with response_to(proxied, "GET", "/metrics") as response:
            assert response.status == 404
        with response_to(proxied, "POST", "/api/ask", {"question": "x" * 300_000}) as response:
            assert response.status == 413


def test_behind_nginx_the_page_of_this_server_needs_no_key(tmp_path: Path) -> None:
    settings = replace(WITHOUT_LIMITS, trusted_proxy="127.0.0.1", require_key="programs")
    with running(make_app(settings=settings)[0], settings) as url, nginx_before(url, tmp_path) as proxied:
        for origin, expected in ((proxied, 200), ("http://evil.example", 401)):
            with response_to(proxied, "GET", "/api/articles", Origin=origin) as response:
                assert response.status == expected
