"""Fetches a picture from a URL somebody wrote down, and refuses every address that is not public.

Does not know what the bytes are.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeAlias

import httpx

from sightline.errors import UnreadableSource

MAX_BYTES = 20_000_000
MAX_REDIRECTS = 5
TIMEOUT_S = 10.0  # for each step: connecting, and every wait for more bytes
DEADLINE_S = 60.0  # for all of it
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet: not private, loopback, link-local, multicast, reserved, …

    An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4) is judged by that one.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.is_site_local or (address.sixtofour is not None and not is_public(address.sixtofour)):
            return False
    refused = (address.is_multicast, address.is_reserved, address.is_link_local, address.is_loopback)
    return address.is_global and not any(refused) and not address.is_unspecified


def fetch(
    url: str,
    *,
    max_bytes: int = MAX_BYTES,
    timeout_s: float = TIMEOUT_S,
    deadline_s: float = DEADLINE_S,
    allowed: Callable[[Address], bool] = is_public,
) -> bytes:
    """The body behind an http or https URL, after at most five redirects.

    Every hop's host is resolved once, every address it has must be `allowed`, and the connection goes to the very
    address that was checked. Raises UnreadableSource.
    """
    with (
        _Deadline(deadline_s) as deadline,
        httpx.Client(verify=_certificates(), trust_env=False, timeout=timeout_s, follow_redirects=False) as client,
    ):
        here = url
        for _ in range(MAX_REDIRECTS + 1):
            try:
                target = httpx.URL(here)
                address = _checked_address(url, target, allowed)
                answer = _get(client, target, address, source=url, max_bytes=max_bytes, deadline=deadline)
            except (httpx.InvalidURL, UnicodeError) as exc:
                raise UnreadableSource(url, "not a valid URL") from exc
            except httpx.TimeoutException as exc:
                raise UnreadableSource(url, "the server did not answer in time") from exc
            except httpx.HTTPError as exc:
                late = "the server did not answer in time"
                reason = late if deadline.passed else "the server could not be reached, or broke off"
                raise UnreadableSource(url, reason) from exc
            if isinstance(answer, bytes):
                return answer
            here = str(answer)
    raise UnreadableSource(url, f"more than {MAX_REDIRECTS} redirects")


def _checked_address(url: str, target: httpx.URL, allowed: Callable[[Address], bool]) -> Address:
    """The address to connect to. Raises UnreadableSource when any address of the host is not allowed."""
    if target.scheme not in ("http", "https") or not target.host:
        raise UnreadableSource(url, "only http and https URLs are fetched")
    try:
        found = socket.getaddrinfo(target.host, target.port or 0, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise UnreadableSource(url, f"the host {target.host} is not known") from exc
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not addresses or not all(allowed(address) for address in addresses):
        raise UnreadableSource(url, f"the host {target.host} is not a public address")
    return addresses[0]


def _get(
    client: httpx.Client, target: httpx.URL, address: Address, *, source: str, max_bytes: int, deadline: _Deadline
) -> bytes | httpx.URL:
    """The body, or where the server points to."""
    request = client.build_request(
        "GET",
        target.copy_with(host=str(address), username=None, password=None, fragment=None),
        headers={"Host": target.netloc.decode("ascii"), "Accept": "image/*", "Accept-Encoding": "identity"},
        extensions={"trace": deadline.watch} | ({"sni_hostname": target.host} if target.scheme == "https" else {}),
    )
    response = client.send(request, stream=True)
    try:
        if response.has_redirect_location:
            return target.join(response.headers["Location"])
        if response.status_code != 200:
            raise UnreadableSource(source, f"the server answered {response.status_code}")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise UnreadableSource(source, "the server answered in an encoding that was not asked for")
        body = bytearray()
        for piece in response.iter_raw():
            body += piece
            if len(body) > max_bytes:
                raise UnreadableSource(source, f"larger than the {max_bytes / 1e6:,.0f} MB that are fetched")
        if deadline.passed:  # which ends a body of unknown length as if it were whole
            raise UnreadableSource(source, "the server did not answer in time")
        return bytes(body)
    finally:
        response.close()


class _Deadline:
    """Shuts the connection in hand when time is up, whatever the server is doing: timeouts are for single waits."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True
        self._connection: socket.socket | None = None

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._ends_at

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Take over each connection as the client makes it; its way of telling is httpcore's `trace`."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._connection = info["return_value"].get_extra_info("socket")
            if self.passed:  # while the host's name was looked up, or a redirect followed
                self._shut()

    def _shut(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):  # closed already
                self._connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


@cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
