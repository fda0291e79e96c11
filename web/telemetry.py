"""Is the process alive, is it ready to answer, and what has it counted."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from flask import Blueprint, Response, current_app, jsonify, request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from web.contract import bodies
from web.contract.operations import operation
from web.faults import NotFound
from web.ready import the_index
from web.service.metrics import Metrics
from web.settings import Settings

blueprint = Blueprint("telemetry", __name__)


@blueprint.get("/healthz")
@operation("Operation", gives=bodies.Alive, needs_models=False)
def healthz() -> Response:
    """Say that the process lives; never looks at anything that could be slow or broken."""
    return jsonify(bodies.Alive(status="ok"))


@blueprint.get("/readyz")
@operation("Operation", gives=bodies.Serving)
def readyz() -> Response:
    """Say which generation is being served; 503 `not_ready` until the models are loaded."""
    manifest = the_index().manifest
    return jsonify(
        bodies.Serving(
            status="ready",
            generation=manifest.generation,
            built_at=manifest.built_at,
            articles=manifest.articles,
            passages=manifest.passages,
            sentences=manifest.sentences,
            languages=list(manifest.languages),
        )
    )


@blueprint.get("/metrics")
def metrics() -> Response:
    """Give the counts in Prometheus' text format, to those networks that the settings name; others find nothing."""
    if not _may_read_metrics():
        raise NotFound("There is nothing here.")
    return Response(Metrics.of_app().written(), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _may_read_metrics() -> bool:
    settings: Settings = current_app.extensions["sourcier-settings"]
    if settings.trusted_proxy is None and "X-Forwarded-For" in request.headers:
        return False  # a proxy that the settings do not know: whoever stands behind it has its address here
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return False
    return any(address in ip_network(network) for network in settings.metrics_from)
