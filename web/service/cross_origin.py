"""Which other sites' pages may read the API in their readers' browsers (CORS): none, unless the settings name them."""

from __future__ import annotations

import re

from flask import Flask
from flask_cors import CORS

from web.settings import Settings

PREFLIGHT_S = 600  # how long a browser remembers what it may do
READABLE = ("X-Request-Id", "X-Api-Version", "Retry-After")
OPEN_PATHS = ("/api/.*", "/v1/.*", "/openapi.json")


def allow_origins(app: Flask, settings: Settings) -> None:
    """Let the pages of the allowed origins call the API, event streams too; cookies are never part of it."""
    origins = settings.cors_origins
    if not origins:
        return
    # As patterns, because flask-cors takes a text with a bracket (an IPv6 address) for one, and its own have no end.
    exactly = [re.compile(re.escape(origin) + r"\Z", re.IGNORECASE) for origin in origins]
    CORS(
        app,
        resources=[re.compile(path + r"\Z") for path in OPEN_PATHS],
        origins="*" if "*" in origins else exactly,
        send_wildcard=True,
        methods=["GET", "HEAD", "POST", "OPTIONS"],
        expose_headers=list(READABLE),
        max_age=PREFLIGHT_S,
        always_send=False,
    )
