"""Is the process alive, and is it ready to answer."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from web import bodies
from web.operations import operation
from web.ready import the_index

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
