"""What is logged, as lines on stderr: JSON for machines, readable on a terminal."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from structlog.typing import Processor

# What these say of each request, RequestLog says better.
_QUIET = ("flask-limiter", "waitress.queue")


def log_to(stream: TextIO, form: Literal["auto", "json", "text"], level: str) -> bool:
    """Send every log line of the process to `stream`, in place of where they went before; whether it is as JSON.

    "auto" is text where the stream is a terminal. A line has `timestamp` (ISO 8601, UTC), `level`, `logger`, `event`,
    and what the code tells besides (`logging`'s `extra`); an exception has its traceback as `exception`.
    """
    import structlog  # not needed for `sourcier --help`

    as_json = form == "json" or (form == "auto" and not stream.isatty())
    shared: list[Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=as_json),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
    ]
    last: list[Processor]
    if as_json:
        last = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        # As Python writes texts, so that a question with a line break in it cannot pass for a line of its own.
        last = [structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0, repr_native_str=True)]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(capture=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    return as_json
