"""What readers think of answers: each verdict is one JSON line below SOURCIER_HOME, for the newsroom to read."""

from __future__ import annotations

import json
import os
import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from flask import Blueprint, Response, current_app, jsonify, request
from pydantic import ConfigDict, Field

from web.contract import bodies
from web.contract.operations import operation
from web.contract.request_fields import AtMost, Closed, Text
from web.contract.validation import Question, read_body
from web.faults import FeedbackFull
from web.settings import Settings

FEEDBACK_FILE = "feedback.jsonl"
# About 50,000 verdicts with their answers. A file that strangers can write to must end somewhere.
MOST_BYTES = 64 * 1024 * 1024

# JSON lets them stand, but many a reader of lines ends a line there.
_OTHER_LINE_ENDS = re.compile("[\x85\u2028\u2029]")

blueprint = Blueprint("feedback", __name__)
_writing = threading.Lock()


class Feedback(Closed):
    """What a reader thinks of an answer. Nothing says who the reader is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"verdict": "down", "reason": "incomplete", "question": "Quand rouvre le pont ?"}]
        }
    )

    id: Annotated[
        str,
        Field(
            pattern="^[0-9a-zA-Z-]{0,40}$",
            description="The client's own name for the answer: of two verdicts with one id the later one counts",
        ),
    ] = ""
    verdict: Literal["up", "down"]
    reason: Literal["", "wrong", "incomplete", "off_topic", "source", "outdated", "other"] = ""
    comment: Annotated[str, Text(1_000, may_be_blank=True)] = ""
    question: Question
    answer: Annotated[str, Text(20_000, may_be_blank=True)] = ""
    articles: Annotated[
        tuple[Annotated[str, Text(1_000)], ...],
        AtMost(50, "article ids"),
        Field(description="The articles that the answer cited"),
    ] = ()


@blueprint.post("/api/feedback")
@operation("Feedback", takes=Feedback, gives=bodies.Stored, faults=("busy",), needs_models=False, status=201)
def feedback() -> Response:
    """Store a reader's verdict on an answer, for the newsroom; answered once it is on the disk."""
    settings: Settings = current_app.extensions["sourcier-settings"]
    store_feedback(read_body(Feedback, request, settings), settings.home, datetime.now(UTC))
    response = jsonify(bodies.Stored(status="stored"))
    response.status_code = 201
    return response


def store_feedback(given: Feedback, home: Path, at: datetime) -> None:
    """Append one line and wait until it is on the disk. Raises FeedbackFull, OSError."""
    line = json.dumps({"at": at.isoformat(timespec="seconds"), **given.model_dump()}, ensure_ascii=False)
    data = _OTHER_LINE_ENDS.sub(lambda found: f"\\u{ord(found[0]):04x}", line).encode() + b"\n"
    home.mkdir(parents=True, exist_ok=True)
    with _writing, open(home / FEEDBACK_FILE, "a+b", opener=_private) as file:
        size = file.seek(0, os.SEEK_END)
        if size + len(data) > MOST_BYTES:
            raise FeedbackFull(home / FEEDBACK_FILE)
        if size and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n":
            data = b"\n" + data  # a line that a crash cut short must not swallow this one
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _private(path: str, flags: int) -> int:
    """Only the server's own user reads what readers wrote."""
    return os.open(path, flags, 0o600)
