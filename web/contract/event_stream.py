"""An answer as server-sent events: kept alive while it is silent, and never ended without saying how it ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import chain, islice

from flask import Response, g

from qa.events import Answer, Event
from web.asking import Unfinished
from web.faults import Fault, fault_of

KEEP_ALIVE_S = 10.0  # proxies commonly cut a connection that is silent for 30 to 60 s
FIRST_TICKS = 10  # x TICK_S = 5 s for the first event, then the stream is opened without it

Events = Generator[Event | None, None, None]


def await_first(events: Events) -> Iterator[Event | None]:
    """Give the events back once the first one is there; what fails before it (busy, above all) is raised here.

    So it is still a plain HTTP error, with its status.
    """
    first = next((event for event in islice(events, FIRST_TICKS) if event is not None), None)
    return chain((first,), events)


def streamed(events: Events, write: Callable[[Event], str], write_fault: Callable[[Fault], str]) -> Response:
    """Answer with the events, each written by `write` ("" for none), the last one an Answer or a fault.

    Raises what fails before the first event.
    """
    begun = await_first(events)
    response = Response(_kept_alive(begun, write, write_fault, g.request_id), mimetype="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold the events back
    # A body that was never started does not run its own `finally`.
    response.call_on_close(events.close)
    return response


def data_line(data: Mapping[str, object]) -> str:
    """Write an object as the data of an event. json.dumps leaves no newline, so one line always holds all of it."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _kept_alive(
    events: Iterator[Event | None],
    write: Callable[[Event], str],
    write_fault: Callable[[Fault], str],
    request_id: str,
) -> Iterator[str]:
    spoke = time.monotonic()
    finished = False
    try:
        for event in events:
            written = "" if event is None else write(event)
            finished = finished or isinstance(event, Answer)
            if not written and time.monotonic() - spoke >= KEEP_ALIVE_S:
                written = ": keep-alive\n\n"
            if written:
                spoke = time.monotonic()
                yield written
        if not finished:
            raise Unfinished
    except Exception as error:  # the outermost edge: the status line has long been sent
        yield write_fault(fault_of(error, request_id))
