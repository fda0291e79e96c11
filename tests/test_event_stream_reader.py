"""static/event_stream.js in a real browser, against a reader written down line by line from the WHATWG standard."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from browsing import opened
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from web_fixtures import make_app, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

Events = list[tuple[str, str]]

READ = """async (chunks) => {
  const { readEvents } = await import("/static/event_stream.js");
  const bytes = chunks.map((chunk) => Uint8Array.from(atob(chunk), (char) => char.charCodeAt(0)));
  const body = new ReadableStream({
    pull(controller) {
      if (bytes.length) controller.enqueue(bytes.shift());
      else controller.close();
    },
  });
  const events = [];
  for await (const { event, data } of readEvents(body)) events.push([event, data]);
  return events;
}"""

# https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation


def events_of(body: bytes) -> Events:
    """What the standard makes of a whole body: (type, data) of each event."""
    text = body.decode("utf-8", errors="replace").removeprefix("\ufeff")
    events, event, data = [], "", ""
    for line in lines_of(text):
        if line == "":
            if data:
                events.append((event or "message", data.removesuffix("\n")))
            event, data = "", ""
            continue
        if line.startswith(":"):
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            event = value
        elif field == "data":
            data += value + "\n"
    return events


def lines_of(text: str) -> Iterator[str]:
    """The lines that have ended: by \\r\\n, \\n or \\r."""
    line, position = "", 0
    while position < len(text):
        if text[position] in "\r\n":
            yield line
            line = ""
            position += 2 if text[position : position + 2] == "\r\n" else 1
        else:
            line += text[position]
            position += 1


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


ENDS = st.sampled_from(["\n", "\r", "\r\n"])
VALUES = st.text(st.sampled_from('ab: é🌉\u2028\u0085\0\ufeff{}"data'), max_size=12)
LINES = st.one_of(
    st.builds("data: {}".format, VALUES),
    st.builds("data:{}".format, VALUES),
    st.builds("event: {}".format, VALUES),
    st.builds("{}: {}".format, st.sampled_from(["id", "retry", "", "datum", " data", "data "]), VALUES),
    st.sampled_from(["", "", "", "data", "event", "event:", ":", ": keep-alive", "id", "\ufeffdata: x"]),
)
BODIES = st.one_of(
    st.lists(st.tuples(LINES, ENDS), max_size=20).map(
        lambda lines: "".join(line + end for line, end in lines).encode()
    ),
    st.binary(max_size=60),
    st.lists(
        st.sampled_from([b"data", b":", b" ", b"\r", b"\n", b"\r\n", b"event", b"x", b"\xc3", b"\xa9", b"\xef\xbb\xbf",
                         b"\xf0\x9f", b"\x8c\x89", b"\xff"]),
        max_size=40,
    ).map(b"".join),
)  # fmt: skip


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    app, _ = make_app()
    with running(app) as url, opened(browser, url) as page:
        yield page


@pytest.mark.parametrize("examples", [300, pytest.param(10_000, marks=pytest.mark.slow)], ids=["some", "ten-thousand"])
def test_however_a_body_is_cut_the_events_are_those_of_the_standard(page: Page, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(body=BODIES, places=st.lists(st.integers(0, 1_000), max_size=12))
    @example(body="event: é\r\ndata: 🌉\r\n\r\n".encode(), places=list(range(40)))
    @example(body=b"\xef\xbb\xbfdata: a\n\n", places=[1, 2, 3])
    @example(body=b"event:\ndata: no name is the usual name\n\n", places=[])
    @example(body=b"data: a\r\rdata: b\r", places=[8, 9])
    @example(body=b"data: never ended", places=[])
    def same(body: bytes, places: list[int]) -> None:
        chunks = [base64.b64encode(chunk).decode() for chunk in cut(body, places)]
        read: Events = [(event, data) for event, data in page.evaluate(READ, chunks)]
        assert read == events_of(body)

    same()


def test_the_reference_reads_the_examples_of_the_standard() -> None:
    assert events_of(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [("message", "YHOO\n+2\n10")]
    body = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    assert events_of(body) == [("message", "first event"), ("message", "second event"), ("message", " third event")]
    assert events_of(b"data\n\ndata\ndata\n\ndata:") == [("message", ""), ("message", "\n")]
    assert events_of(b"data:test\n\ndata: test\n\n") == [("message", "test")] * 2
