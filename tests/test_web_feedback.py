"""Readers' verdicts: what is refused, what is stored, and that nothing of it is lost or grows without end."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from web_fixtures import make_app

import web.feedback
from web.faults import FeedbackFull
from web.feedback import FEEDBACK_FILE, Feedback, store_feedback
from web.settings import Settings

VERDICT = {
    "id": "a1b2-c3",
    "verdict": "down",
    "reason": "source",
    "comment": "L’article dit « le 15 mars ».\n<script>alert(1)</script>",
    "question": "Quand rouvre le pont ?",
    "answer": "Le 14 mars.",
    "articles": ["pont-tanneurs-fermeture"],
}
AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    return make_app(settings=Settings(home=tmp_path / "home"))[0].test_client()


def verdict(name: str) -> Feedback:
    given = {"id": name, "verdict": "up", "comment": "é" * 500, "question": "Quand ?"}
    return Feedback.model_validate(given, context=Settings())


def lines(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (home / FEEDBACK_FILE).read_text(encoding="utf-8").splitlines()]


def test_a_verdict_is_stored_as_it_was_sent(client: FlaskClient, tmp_path: Path) -> None:
    response = client.post("/api/feedback", json=VERDICT)
    assert (response.status_code, response.json) == (201, {"status": "stored"})
    (stored,) = lines(tmp_path / "home")
    assert datetime.fromisoformat(stored.pop("at")).tzinfo is not None
    assert stored == VERDICT
    assert (tmp_path / "home" / FEEDBACK_FILE).stat().st_mode & 0o777 == 0o600


def test_a_verdict_needs_only_itself_and_the_question(client: FlaskClient, tmp_path: Path) -> None:
    assert client.post("/api/feedback", json={"verdict": "up", "question": "Quand ?"}).status_code == 201
    (stored,) = lines(tmp_path / "home")
    assert set(stored) == {"at", *VERDICT}  # nothing about the reader
    assert (stored["reason"], stored["comment"], stored["articles"]) == ("", "", [])


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"verdict": "sideways"}, "verdict"),
        ({"verdict": None}, "verdict"),
        ({"verdict": ["up"]}, "verdict"),
        ({"reason": "bored"}, "reason"),
        ({"reason": {}}, "reason"),
        ({"comment": "x" * 1_001}, "comment"),
        ({"comment": 3}, "comment"),
        ({"comment": "a\0b"}, "comment"),
        ({"question": ""}, "question"),
        ({"question": "x" * 1_001}, "question"),
        ({"answer": "x" * 20_001}, "answer"),
        ({"articles": "pont"}, "articles"),
        ({"articles": ["a"] * 51}, "articles"),
        ({"articles": [7]}, "articles[0]"),
        ({"id": "../../etc"}, "id"),
        ({"id": 7}, "id"),
        ({"name": "Anna"}, "name"),
    ],
)
def test_what_is_not_a_verdict_is_refused_by_the_name_of_its_field(
    client: FlaskClient, tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    response = client.post("/api/feedback", json={**VERDICT, **changed})
    assert response.status_code == 400
    assert response.json["error"]["code"] == "bad_request"
    assert f"'{named}'" in response.json["error"]["message"]
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("body", "mimetype"), [("{", "application/json"), ("[]", "application/json"), ('{"verdict":"up"}', "text/plain"),
                           ("[" * 50_000, "application/json")]
)  # fmt: skip
def test_only_a_json_object_is_taken(client: FlaskClient, body: str, mimetype: str) -> None:
    """A form of another site cannot send application/json without being asked first (CORS)."""
    response = client.post("/api/feedback", data=body, content_type=mimetype)
    assert response.status_code == 400


def test_verdicts_sent_at_once_are_whole_lines(tmp_path: Path) -> None:
    given = [verdict(str(number)) for number in range(40)]
    threads = [threading.Thread(target=store_feedback, args=(one, tmp_path, AT)) for one in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(one["id"]) for one in lines(tmp_path)) == list(range(40))


def test_a_line_cut_short_by_a_crash_does_not_swallow_the_next(tmp_path: Path) -> None:
    (tmp_path / FEEDBACK_FILE).write_text('{"id": "torn', encoding="utf-8")
    store_feedback(verdict("whole"), tmp_path, AT)
    torn, whole = (tmp_path / FEEDBACK_FILE).read_text(encoding="utf-8").splitlines()
    assert torn == '{"id": "torn'
    assert json.loads(whole)["id"] == "whole"


def test_a_full_file_is_told_and_kept(client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client.post("/api/feedback", json=VERDICT)
    before = lines(tmp_path / "home")
    monkeypatch.setattr(web.feedback, "MOST_BYTES", 300)
    response = client.post("/api/feedback", json=VERDICT)
    assert response.status_code == 503
    assert response.json["error"]["code"] == "busy"
    assert str(tmp_path) not in response.text
    assert lines(tmp_path / "home") == before
    with pytest.raises(FeedbackFull, match="move it away"):
        store_feedback(verdict("x"), tmp_path / "home", AT)
