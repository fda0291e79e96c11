"""SPEAK: HTTP, page, JSON, events."""

from __future__ import annotations

from flask import Flask, Response, current_app, g, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from qa.suggestions import SuggestionFile
from web.admission import admit
from web.api import blueprint as api_blueprint
from web.asking import Asking
from web.contract.docs import blueprint as docs_blueprint
from web.contract.openai_bodies import openai_error
from web.contract.openapi import API_VERSION
from web.contract.openapi import blueprint as openapi_blueprint
from web.faults import fault_of, json_fault
from web.feedback import blueprint as feedback_blueprint
from web.openai_api import blueprint as openai_blueprint
from web.pages import blueprint as pages_blueprint
from web.pages import fault_page
from web.ready import Answerer, Index, NotReady, Ready
from web.service.api_keys import KeyRing
from web.service.cross_origin import allow_origins
from web.service.metrics import Metrics
from web.service.rate_limits import limit_rates
from web.service.request_log import RequestLog, RequestRecord
from web.settings import Settings
from web.suggested import Suggested
from web.telemetry import blueprint as telemetry_blueprint

# Everything comes from this host, nothing is written into the page as code or as style.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_MACHINE_PATHS = ("/api/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/static/")


def create_app(settings: Settings, answerer: Answerer | None, index: Index | None) -> Flask:
    """Wire the web room. With None for both, requests get 503 not_ready until `Ready.of(app).fill(...)` is called."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json = _readable_json(app)
    app.url_map.merge_slashes = False  # an article id may hold two slashes in a row

    ready = Ready(answerer, index)
    app.extensions["sourcier"] = ready
    app.extensions["sourcier-settings"] = settings
    asking = app.extensions["sourcier-asking"] = Asking(settings, ready)
    app.extensions["sourcier-keys"] = KeyRing(settings.home)
    app.extensions["sourcier-suggested"] = Suggested(SuggestionFile(settings.home), settings.suggest_proposed)
    metrics = app.extensions["sourcier-metrics"] = Metrics(ready, lambda: asking.under_way)
    app.wsgi_app = RequestLog(app.wsgi_app, metrics)  # type: ignore[method-assign]

    for blueprint in (
        api_blueprint,
        feedback_blueprint,
        openai_blueprint,
        telemetry_blueprint,
        openapi_blueprint,
        docs_blueprint,
        pages_blueprint,
    ):
        app.register_blueprint(blueprint)
    allow_origins(app, settings)
    app.before_request(_name_request)
    app.before_request(_refuse_when_stopping)
    app.before_request(admit)
    limit_rates(app)
    app.after_request(_set_headers)
    app.register_error_handler(Exception, _answer_fault)  # the outermost edge
    return app


def _readable_json(app: Flask) -> DefaultJSONProvider:
    provider = DefaultJSONProvider(app)
    provider.ensure_ascii = False
    provider.sort_keys = False  # the contract's order is the readable one
    return provider


def _name_request() -> None:
    record = RequestRecord.of_request()
    record.route = request.url_rule.rule if request.url_rule else ""
    g.request_id = record.id


def _refuse_when_stopping() -> None:
    if Ready.of(current_app).stopping and request.blueprint != "telemetry":
        raise NotReady


def _set_headers(response: Response) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["X-Request-Id"] = g.request_id
    headers["X-Api-Version"] = API_VERSION
    if "questions_ahead" in g:
        headers["X-Questions-Ahead"] = str(g.questions_ahead)
    if request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
    return response


def _answer_fault(error: Exception) -> Response:
    fault = fault_of(error, g.request_id)
    if request.path.startswith("/v1/"):
        response = json_fault(fault, openai_error(fault))
    else:
        response = json_fault(fault) if request.path.startswith(_MACHINE_PATHS) else fault_page(fault)
    if isinstance(error, HTTPException):  # Allow, WWW-Authenticate, Retry-After
        for name, value in error.get_headers(request.environ):
            if name != "Content-Type":
                response.headers[name] = value
    return response
