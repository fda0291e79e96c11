"""How often one address or one API key may ask: flask-limiter, counting in memory."""

from __future__ import annotations

import math
import time
from typing import NoReturn

from flask import Flask, current_app, request
from flask_limiter import Limiter, RequestLimit
from werkzeug.exceptions import TooManyRequests

from web.admission import caller
from web.settings import NONE, Settings

# Each costs seconds of the language model; everything else costs milliseconds.
_QUESTIONS = (("POST", "/api/ask"), ("POST", "/v1/chat/completions"), ("POST", "/"))


def limit_rates(app: Flask) -> None:
    """Refuse with TooManyRequests whoever asks more often than the settings allow. `admit` must come before."""
    Limiter(
        _counted_as,
        app=app,
        application_limits=[_limit],
        strategy="moving-window",
        storage_uri="memory://",
        on_breach=_refuse,
    )


def _limit() -> str:
    if request.method == "OPTIONS" or request.blueprint == "telemetry":
        return ""
    settings: Settings = current_app.extensions["sourcier-settings"]
    if caller().key:
        limit = settings.questions_per_key if _is_question() else settings.requests_per_key
    else:
        limit = settings.questions_per_address if _is_question() else settings.requests_per_address
    return "" if limit == NONE else limit


def _counted_as() -> str:
    return f"{'questions' if _is_question() else 'requests'} {caller().client}"


def _is_question() -> bool:
    return (request.method, request.path) in _QUESTIONS


def _refuse(breached: RequestLimit) -> NoReturn:
    wait = max(1, math.ceil(breached.reset_at - time.time()))
    who = "with this API key" if caller().key else "from this address"
    what = "questions" if _is_question() else "requests"
    raise TooManyRequests(f"Too many {what} {who}: at most {breached.limit}. Wait {wait} s.", retry_after=wait)
