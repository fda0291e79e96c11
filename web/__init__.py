"""SPEAK: HTTP, page, JSON, events."""

from __future__ import annotations

import secrets

from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider

from web.api import blueprint as api_blueprint
from web.asking import Asking
from web.faults import fault_of, json_fault
from web.feedback import blueprint as feedback_blueprint
from web.pages import blueprint as pages_blueprint
from web.pages import fault_page
from web.ready import Answerer, Index, Ready
from web.settings import Settings
from web.telemetry import blueprint as telemetry_blueprint

# Everything comes from this host, nothing is written into the page as code or as style.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def create_app(settings: Settings, answerer: Answerer | None, index: Index | None) -> Flask:
    """Wire the web room. With None for both, requests get 503 not_ready until `Ready.of(app).fill(...)` is called."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json = _readable_json(app)
    app.url_map.merge_slashes = False  # an article id may hold two slashes in a row

    ready = Ready(answerer, index)
    app.extensions["sourcier"] = ready
    app.extensions["sourcier-settings"] = settings
    app.extensions["sourcier-asking"] = Asking(settings, ready)

    for blueprint in (api_blueprint, feedback_blueprint, telemetry_blueprint, pages_blueprint):
        app.register_blueprint(blueprint)
    app.before_request(_name_request)
    app.after_request(_set_headers)
    app.register_error_handler(Exception, _answer_fault)  # the outermost edge
    return app


def _readable_json(app: Flask) -> DefaultJSONProvider:
    provider = DefaultJSONProvider(app)
    provider.ensure_ascii = False
    provider.sort_keys = False  # the contract's order is the readable one
    return provider


def _name_request() -> None:
    g.request_id = secrets.token_hex(6)


def _set_headers(response: Response) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["X-Request-Id"] = g.request_id
    if "questions_ahead" in g:
        headers["X-Questions-Ahead"] = str(g.questions_ahead)
    if request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    return response


def _answer_fault(error: Exception) -> Response:
    fault = fault_of(error, g.request_id)
    machine = request.path.startswith(("/api/", "/healthz", "/readyz", "/static/"))
    response = json_fault(fault) if machine else fault_page(fault)
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        response.headers["Allow"] = ", ".join(sorted(allowed))
    return response
