"""The chat page and the article page."""

from __future__ import annotations

from flask import Blueprint, Response

from web.faults import Fault

blueprint = Blueprint("pages", __name__)


def fault_page(fault: Fault) -> Response:
    return Response(fault.message, fault.status, mimetype="text/plain")
