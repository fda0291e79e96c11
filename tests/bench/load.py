"""Many readers at once, for minutes: is every request answered or refused properly, and does the memory stay flat?

    .venv/bin/python tests/bench/load.py --clients 64 --seconds 300
    .venv/bin/python tests/bench/load.py --fake --clients 64 --seconds 60 --idle 1000

It starts `sourcier serve` with the small model over the index of SOURCIER_HOME (or, with --fake, a server whose
answerer only plays an answer of two seconds), asks from as many threads as there are clients, two thirds of the
questions as streams, and tells every outcome. --idle opens that many connections besides which send nothing or half a
request, and opens them again when the server closes them. It ends with status 1 when a stream had no final event, an
answer was none of the contract, or refusals were slow.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import select
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent.parent
SMALL_MODEL = "qwen2.5-coder-0.5b-instruct-q4_k_m"
REFUSED = ("busy", "rate_limited", "not_ready")
LONGEST_WAIT_S = 2.0  # between a refusal and the next try: less than Retry-After says, so that many are refused
REFUSAL_LIMIT_MS = 200.0

FAKE = """
import sys
sys.path.insert(0, sys.argv[1])
import itertools
from web_fixtures import *
from web.service.server import serve
found, draft, _, first, _, second, answer = bridge_script()
class Endless:
    def popleft(self):
        return [0.2, found, 0.4, draft, 0.4, first, 0.8, second, 0.2, answer]
app, answerer = make_app()
answerer.scripts = Endless()
serve(app, Settings(port=0), None, lambda url: print(f"Open {url} in", file=sys.stderr, flush=True))
"""


@dataclass
class Outcomes:
    """What came of all requests: seconds by outcome. Any thread may add."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: str, seconds: float) -> None:
        with self.lock:
            self.seconds[outcome].append(seconds)


@contextlib.contextmanager
def started(fake: bool) -> Iterator[tuple[str, int]]:
    """A server of its own; yields its URL and process id, when it is ready."""
    no_limits = {f"SOURCIER_{what}_PER_ADDRESS": "none" for what in ("QUESTIONS", "REQUESTS")}
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "SOURCIER_LANGUAGE_MODEL": SMALL_MODEL, **no_limits}
    serve = "from web.commands import main; main()"
    command = ["-c", FAKE, str(ROOT / "tests")] if fake else ["-c", serve, "serve", "--port", "0"]
    with subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            url = ""
            for line in process.stderr or ():
                if found := re.search(r"Open (http://\S+) in", line):
                    url = found[1]
                    break
            # Nobody else reads its log.
            threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True).start()
            while not _is_ready(url):
                time.sleep(0.2)
            yield url, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _is_ready(url: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    connection.request("GET", "/readyz")
    ready = connection.getresponse().status == 200
    connection.close()
    return ready


def ask(url: str, question: str, stream: bool) -> str:
    """Ask one question; its outcome: answered, declined, a code of the contract, or what is wrong."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)
    try:
        body = json.dumps({"question": question, "stream": stream})
        connection.request("POST", "/api/ask", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        if response.status == 200 and stream:
            return _outcome_of_stream(content)
        told = json.loads(content)
        if response.status == 200:
            return "answered" if told["answered"] else "declined"
        code: str = told["error"]["code"]
        if code in REFUSED and not response.headers["Retry-After"]:
            return f"WRONG {response.status} without Retry-After"
        return code if code in REFUSED else f"WRONG {response.status} {code}"
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        return f"WRONG {type(error).__name__}"
    finally:
        connection.close()


def _outcome_of_stream(content: bytes) -> str:
    events = [block.split(b"\n") for block in content.split(b"\n\n") if block and not block.startswith(b":")]
    if not events or events[-1][0] not in (b"event: answer", b"event: error"):
        return "WRONG stream without a final event"
    data = json.loads(events[-1][1].removeprefix(b"data: "))
    if events[-1][0] == b"event: error":
        code: str = data["error"]["code"]
        return f"{code} (as an event)" if code in REFUSED else f"WRONG event {code}"
    return "answered" if data["answered"] else "declined"


def keep_asking(url: str, questions: list[str], until: float, outcomes: Outcomes, seed: int) -> None:
    """One client: asks, reads, asks again; waits a little when refused."""
    chance = random.Random(seed)
    while time.monotonic() < until:
        began = time.monotonic()
        outcome = ask(url, chance.choice(questions), stream=chance.random() < 2 / 3)
        outcomes.add(outcome, time.monotonic() - began)
        if outcome in REFUSED:
            time.sleep(chance.uniform(0.5, 1) * LONGEST_WAIT_S)


def keep_idling(url: str, count: int, until: float) -> None:
    """Hold connections that send nothing, or half a request; open again those that the server has closed."""
    address = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
    idle: list[socket.socket] = []
    while time.monotonic() < until:
        poll = select.poll()
        by_number = {one.fileno(): one for one in idle}
        for number in by_number:
            poll.register(number, select.POLLIN | select.POLLHUP)
        for number, _ in poll.poll(0):
            by_number[number].close()
        idle = [one for one in idle if one.fileno() >= 0]
        while len(idle) < count and time.monotonic() < until:
            with contextlib.suppress(OSError):
                idle.append(socket.create_connection(address, timeout=20))
                if len(idle) % 2:
                    idle[-1].sendall(b"POST /api/ask HTTP/1.1\r\nX-")
        time.sleep(0.5)
    for one in idle:
        one.close()


def resident_mb(process: int) -> float:
    """Memory of a process, in MB, pages of a file that it maps twice counted once."""
    status = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1000 if found else 0.0


def print_outcomes(outcomes: Outcomes, memory: list[tuple[float, float]]) -> bool:
    """The table; whether everything was as it should be."""
    table = Table("outcome", "requests", "median ms", "p95 ms", "max ms", box=None, pad_edge=False)
    for outcome, seconds in sorted(outcomes.seconds.items(), key=lambda pair: -len(pair[1])):
        milliseconds = sorted(one * 1000 for one in seconds)
        middle, high = statistics.median(milliseconds), milliseconds[int(0.95 * (len(milliseconds) - 1))]
        table.add_row(outcome, str(len(seconds)), *(f"{one:.0f}" for one in (middle, high, milliseconds[-1])))
    console = Console()
    console.print(table)
    for place, name in ((0, "start"), (len(memory) // 2, "middle"), (-1, "end")):
        console.print(f"memory {name}: {memory[place][1]:,.0f} MB after {memory[place][0]:.0f} s")
    refusals = sorted(one * 1000 for code in REFUSED for one in outcomes.seconds.get(code, ()))
    slow = bool(refusals) and refusals[int(0.95 * (len(refusals) - 1))] > REFUSAL_LIMIT_MS
    if slow:
        console.print(f"p95 of refusals is above {REFUSAL_LIMIT_MS:.0f} ms")
    return not slow and not any(outcome.startswith("WRONG") for outcome in outcomes.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--idle", type=int, default=0)
    parser.add_argument("--fake", action="store_true")
    given = parser.parse_args()
    lines = (ROOT / "corpus" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    outcomes = Outcomes()
    memory: list[tuple[float, float]] = []
    with started(given.fake) as (url, process):
        began = time.monotonic()
        until = began + given.seconds
        threads = [
            threading.Thread(target=keep_asking, args=(url, questions, until, outcomes, seed))
            for seed in range(given.clients)
        ]
        threads.append(threading.Thread(target=keep_idling, args=(url, given.idle, until)))
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            memory.append((time.monotonic() - began, resident_mb(process)))
            threads[0].join(min(5.0, given.seconds / 20))
    sys.exit(0 if print_outcomes(outcomes, memory) else 1)


if __name__ == "__main__":
    main()
