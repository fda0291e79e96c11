"""What readers think of answers: each verdict is one JSON line below SOURCIER_HOME, for the newsroom to read."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from flask import Blueprint, Response, current_app, jsonify, request

from web.faults import BadRequest, FeedbackFull
from web.settings import Settings
from web.validation import read_text

Verdict = Literal["up", "down"]
Reason = Literal["", "wrong", "incomplete", "off_topic", "source", "outdated", "other"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
REASONS: tuple[Reason, ...] = get_args(Reason)

FEEDBACK_FILE = "feedback.jsonl"
MOST_COMMENT_CHARACTERS = 1_000
MOST_ANSWER_CHARACTERS = 20_000
MOST_ARTICLES = 50
MOST_ID_CHARACTERS = 1_000
# About 50,000 verdicts with their answers. A file that strangers can write to must end somewhere.
MOST_BYTES = 64 * 1024 * 1024

# JSON lets them stand, but many a reader of lines ends a line there.
_OTHER_LINE_ENDS = re.compile("[\x85\u2028\u2029]")
FIELDS = ("id", "verdict", "reason", "comment", "question", "answer", "articles")

blueprint = Blueprint("feedback", __name__)
_writing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Feedback:
    """One verdict. `id` is the page's own name for the answer: of two lines with the same id the later one counts.

    `articles` are the ids of the articles that the answer cited. Nothing says who the reader is.
    """

    id: str
    verdict: Verdict
    reason: Reason
    comment: str
    question: str
    answer: str
    articles: tuple[str, ...]


@blueprint.post("/api/feedback")
def feedback() -> Response:
    """Store a verdict; 201 once it is on the disk."""
    settings: Settings = current_app.extensions["sourcier-settings"]
    store_feedback(read_feedback(_body(), settings), settings.home, datetime.now(UTC))
    response = jsonify({"status": "stored"})
    response.status_code = 201
    return response


def read_feedback(body: Mapping[str, object], settings: Settings) -> Feedback:
    """Check the fields of a verdict. Raises BadRequest with one line that names the field."""
    for name in body:
        if name not in FIELDS:
            raise BadRequest(f"Unknown field {name[:40]!a}. Known fields: {', '.join(FIELDS)}.")
    verdict = next((one for one in VERDICTS if one == body.get("verdict")), None)
    if verdict is None:
        raise BadRequest("'verdict' must be 'up' or 'down'.")
    reason = next((one for one in REASONS if one == body.get("reason", "")), None)
    if reason is None:
        raise BadRequest(f"'reason' must be one of: {', '.join(one for one in REASONS if one)}; or empty.")
    given = body.get("id", "")
    if not isinstance(given, str) or not re.fullmatch("[0-9a-zA-Z-]{0,40}", given):
        raise BadRequest("'id' must be at most 40 letters, digits and hyphens.")
    return Feedback(
        id=given,
        verdict=verdict,
        reason=reason,
        comment=read_text(body.get("comment", ""), "comment", MOST_COMMENT_CHARACTERS, may_be_empty=True),
        question=read_text(body.get("question"), "question", settings.max_question_characters),
        answer=read_text(body.get("answer", ""), "answer", MOST_ANSWER_CHARACTERS, may_be_empty=True),
        articles=_article_ids(body.get("articles", [])),
    )


def store_feedback(given: Feedback, home: Path, at: datetime) -> None:
    """Append one line and wait until it is on the disk. Raises FeedbackFull, OSError."""
    line = json.dumps({"at": at.isoformat(timespec="seconds"), **asdict(given)}, ensure_ascii=False)
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


def _body() -> Mapping[str, object]:
    if request.mimetype != "application/json":
        raise BadRequest("Send JSON, with the header 'Content-Type: application/json'.")
    try:
        body = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


def _article_ids(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_ARTICLES:
        raise BadRequest(f"'articles' must be a list of at most {MOST_ARTICLES} article ids.")
    return tuple(read_text(one, f"articles[{place}]", MOST_ID_CHARACTERS) for place, one in enumerate(value))
