"""Who asks, and whether they may: programs with an API key, readers with the page.

Nothing here can tell a reader's browser from a program that copies its headers; what such a program gets is what one
reader gets, under the limits of one address. Where that is too much, SOURCIER_REQUIRE_KEY=everyone lets nobody in
without a key.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from flask import current_app, g, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from web.service.api_keys import KeyRing
from web.service.request_log import RequestRecord
from web.settings import Settings

log = logging.getLogger(__name__)

PROGRAM_PATHS = ("/api/", "/v1/")
_IPV6_SUBSCRIBER = 64  # bits: what one subscriber is given, so more addresses are no more readers
_HOW = "Send the header 'Authorization: Bearer KEY'; whoever runs this server makes keys."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request comes from: the name of an API key, or an address without one."""

    key: str
    address: str

    @property
    def client(self) -> str:
        """One text for each who is to be treated fairly among others."""
        return f"key {self.key}" if self.key else f"address {self.address}"


def admit() -> None:
    """Let the request in, or raise Unauthorized; `caller()` knows who it is from then on."""
    g.caller = Caller("", address_of(request.remote_addr or ""))
    settings: Settings = current_app.extensions["sourcier-settings"]
    if settings.log_addresses:
        RequestRecord.of_request().more["address"] = request.remote_addr
    if settings.trusted_proxy is None and "X-Forwarded-For" in request.headers:
        _tell_of_proxy()
    ring: KeyRing = current_app.extensions["sourcier-keys"]
    if request.method == "OPTIONS" or request.endpoint == "static" or request.blueprint == "telemetry":
        return  # a browser's preflight carries no key
    if settings.require_key == "auto" and not ring.all_keys():
        return
    given = request.authorization
    if given is not None and given.type == "bearer":
        found = ring.find(given.token or "")
        if found is None:
            raise _refused("This API key is unknown or was revoked.")
        g.caller = Caller(found.name, g.caller.address)
        RequestRecord.of_request().key = found.name
    elif settings.require_key == "everyone":
        raise _refused(f"An API key is needed here. {_HOW}")
    elif request.path.startswith(PROGRAM_PATHS) and not _from_own_page():
        raise _refused(f"Programs need an API key here. {_HOW}")


def _tell_of_proxy() -> None:
    if not current_app.extensions.setdefault("sourcier-proxy-told", False):
        current_app.extensions["sourcier-proxy-told"] = True
        log.warning(
            "A proxy at %s sends X-Forwarded-For, which is not believed: all its readers count as one address. "
            "If it is yours, set SOURCIER_TRUSTED_PROXY=%s",
            request.remote_addr,
            request.remote_addr,
        )


def caller() -> Caller:
    """Who the request being served comes from."""
    known: Caller = g.caller
    return known


def address_of(text: str) -> str:
    """An address as limits count it: IPv4 as it is, IPv6 as its subscriber's network."""
    try:
        address = ip_address(text)
    except ValueError:
        return text[:64]  # a proxy may name its clients otherwise
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((int(address), _IPV6_SUBSCRIBER), strict=False))
    return str(address)


def _from_own_page() -> bool:
    """Whether a browser says that a page of this server asks. Plain HTTP brings no Sec-Fetch-Site, a GET no Origin."""
    site = request.headers.get("Sec-Fetch-Site")
    if site:
        return site == "same-origin"
    said = request.headers.get("Origin") or request.headers.get("Referer") or ""
    try:
        return urlsplit(said).netloc.lower() == request.host.lower() != ""
    except ValueError:
        return False


def _refused(message: str) -> Unauthorized:
    return Unauthorized(message, www_authenticate=WWWAuthenticate("bearer", {"realm": "sourcier"}))
