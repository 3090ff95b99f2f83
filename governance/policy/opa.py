"""Rego on an OPA server: over HTTP or a Unix socket, all policies in one round trip.

The server must hold the bundle that a decision is recorded with. `start` pushes it together with a module that says
which bundle it is, and an answer without that digest is no answer: while another process pushes, or after a push that
broke off, requests are refused. A server that lost everything, as one does that starts anew, is given the bundle again.
A server that loads bundles itself is used with `push=False`, and is not asked what it holds.

One that does not answer is left alone by a circuit breaker: requests are then refused at once instead of at the deadline.

LIMIT: data documents of an earlier bundle stay on the server unless the next one has the same top-level key.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import requests
from opa_client import OpaClient
from opa_client.errors import DeletePolicyError, RegoParseError

from governance.decision import Contribution
from governance.errors import ConfigInvalid, PolicyResultInvalid, PolicyUnavailable
from governance.policy.breaker import Breaker
from governance.policy.bundle import ROOT, Bundle, Policy
from governance.policy.contract import loads_unique
from governance.policy.result import contribution_of, failure_of

_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_PREFIX = "ringfence"
_MARKER = "_bundle"
# A builtin that fails is an error, as on the embedded engine, and not undefined.
_QUERY = "strict-builtin-errors=true"


class OpaEngine:
    """Evaluates the policies of one bundle on an OPA server. Used on one event loop, between `start` and `close`."""

    name = "opa"

    def __init__(self, bundle: Bundle, *, url: str, deadline_ms: int = 500, push: bool = True) -> None:
        self._bundle = bundle
        self._policies = {policy.id: policy for policy in bundle.policies}
        self._socket, self._base = _address(url)
        self._deadline_ms = deadline_ms
        self._push = push
        self._session: aiohttp.ClientSession | None = None
        self._breaker = Breaker(time.monotonic)
        self._restoring: asyncio.Task[None] | None = None
        self.version = "opa"

    async def start(self) -> Self:
        """The engine, connected, with the server holding the bundle.

        Raises PolicyUnavailable where the server cannot be reached, ConfigInvalid where it refuses a policy.
        """
        if self._push:
            if self._socket is not None:
                raise ConfigInvalid("policies are pushed over http: let the server behind the socket load them")
            await asyncio.to_thread(push, self._bundle, self._base)
        connector = aiohttp.UnixConnector(self._socket) if self._socket else aiohttp.TCPConnector(limit=64)
        timeout = aiohttp.ClientTimeout(total=self._deadline_ms / 1000)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        try:
            self.version = await self._server_version()
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Ends the connections."""
        if self._restoring is not None:
            self._restoring.cancel()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def evaluate(self, policies: Sequence[str], document: bytes, *, rows: int = 0) -> tuple[Contribution, ...]:
        """One contribution for each of `policies`, in order. `document` is the input as JSON.

        The number of `rows` does not matter to a server.
        Raises PolicyUnavailable where the server cannot be reached or refuses to answer.
        """
        del rows
        chosen = [self._policies[id_] for id_ in policies]
        try:
            status, raw = await self._post("/v1/data/" + "/".join(ROOT), document)
            if status == 500:
                # One policy that fails would take the others with it: ask for each, to know which.
                return tuple([await self._one(policy, document) for policy in chosen])
            packages = _result(raw)
            self._check_held(packages.get(_MARKER) if isinstance(packages, dict) else None)
            return tuple(_contribution(policy, packages) for policy in chosen)
        except TimeoutError:
            return tuple(failure_of(policy, "timeout") for policy in chosen)
        except PolicyResultInvalid:
            return tuple(failure_of(policy, "schema") for policy in chosen)

    def _check_held(self, marker: object) -> None:
        """Raises PolicyUnavailable where the server does not hold the bundle that was pushed."""
        if not self._push or marker == {"digest": self._bundle.digest}:
            return
        # Another bundle is somebody's; none at all is nobody's.
        if marker is None and (self._restoring is None or self._restoring.done()):
            self._restoring = asyncio.create_task(self._restore())
        raise PolicyUnavailable("the OPA server holds another bundle")

    async def _restore(self) -> None:
        # What fails now is tried with the next request.
        with contextlib.suppress(PolicyUnavailable, ConfigInvalid):
            await asyncio.to_thread(push, self._bundle, self._base)

    async def _one(self, policy: Policy, document: bytes) -> Contribution:
        _, held = await self._post("/v1/data/" + "/".join((*ROOT, _MARKER)), b"{}")
        self._check_held(_result(held))
        status, raw = await self._post("/v1/data/" + policy.entrypoint, document)
        if status == 500:
            return failure_of(policy, "eval")
        return contribution_of(policy, _result(raw))

    async def _post(self, path: str, document: bytes) -> tuple[int, bytes]:
        body = b'{"input":' + document + b"}"
        status, raw = await self._request("POST", f"{path}?{_QUERY}", body)
        if status not in {200, 500}:
            raise PolicyUnavailable(f"the OPA server answered with status {status}")
        return status, raw

    async def _request(self, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
        if self._session is None:
            raise PolicyUnavailable("the OPA engine is not started")
        if not self._breaker.admits():
            raise PolicyUnavailable("the OPA server did not answer lately")
        try:
            headers = {"content-type": "application/json"}
            url = self._base + target
            async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
                raw = await answer.content.read(_MAX_ANSWER_BYTES + 1)
                while len(raw) <= _MAX_ANSWER_BYTES and (more := await answer.content.read(_MAX_ANSWER_BYTES)):
                    raw += more
                if len(raw) > _MAX_ANSWER_BYTES:
                    raise PolicyResultInvalid("the OPA server's answer is too long")
                self._breaker.succeeded()
                return answer.status, raw
        except TimeoutError:
            self._breaker.failed()
            raise
        except (aiohttp.ClientError, OSError):
            self._breaker.failed()
            raise PolicyUnavailable("the OPA server cannot be reached") from None

    async def _server_version(self) -> str:
        try:
            status, raw = await self._request("GET", "/v1/data/ringfence/lib?provenance=true")
            answer = loads_unique(raw)
        except TimeoutError:
            raise PolicyUnavailable("the OPA server does not answer") from None
        provenance = answer.get("provenance", {}) if isinstance(answer, dict) else {}
        if status != 200:
            raise PolicyUnavailable(f"the OPA server answered with status {status}")
        return f"opa {provenance.get('version', 'unknown')}"


def push(bundle: Bundle, base: str) -> None:
    """Puts data and modules of `bundle` on the server at `base` and removes modules of an earlier push.

    Data goes first, so that no policy is in force without its tables. Raises PolicyUnavailable and ConfigInvalid.
    """
    address = urlsplit(base)
    secure = address.scheme == "https"
    port = address.port or (443 if secure else 80)
    with OpaClient(host=address.hostname or "", port=port, ssl=secure, timeout=10.0) as client:
        client._session.trust_env = False  # noqa: SLF001  (else a proxy of the environment would get the policies)
        try:
            _push_all(client, bundle)
        except requests.RequestException:
            raise PolicyUnavailable("the OPA server cannot be reached") from None
        except (RegoParseError, DeletePolicyError):
            raise ConfigInvalid("the OPA server refuses the data of the bundle") from None


def _push_all(client: Any, bundle: Bundle) -> None:
    if (marker := f"{_PREFIX}/{_MARKER}") in client.get_policies_list():
        client.delete_policy(marker)
    for name, value in bundle.data.items():
        if not isinstance(value, dict):
            raise ConfigInvalid(f"`data.{name}` must be an object")
        client.update_or_create_data(value, name)
    # The client does not quote paths, so modules are numbered. It would also rewrite policies that it takes for old.
    names = {f"{_PREFIX}/{number}": module for number, module in enumerate(bundle.modules)}
    stale = [name for name in client.get_policies_list() if name.startswith(f"{_PREFIX}/")]
    while stale:
        # A module stays as long as another one calls its functions.
        left = [name for name in stale if not _deleted(client, name)]
        if len(left) == len(stale):
            raise ConfigInvalid("the OPA server does not part with the modules of an earlier bundle")
        stale = left
    pending = {name: module.text for name, module in names.items()}
    while pending:
        # A module is refused until the functions it calls are there: go round as long as one gets in.
        refused = {name: text for name, text in pending.items() if not _accepted(client, name, text)}
        if len(refused) == len(pending):
            name = next(iter(refused))
            raise ConfigInvalid("the OPA server refuses the module", file=names[name].file)
        pending = refused
    # Last: from here on the server says that it holds this bundle, and before it did not.
    module = f'package {".".join((*ROOT, _MARKER))}\n\ndigest := "{bundle.digest}"\n'
    client.update_policy_from_string(module, marker, rego_compat=False)


def _deleted(client: Any, name: str) -> bool:
    try:
        return bool(client.delete_policy(name))
    except DeletePolicyError:
        return False


def _accepted(client: Any, name: str, text: str) -> bool:
    try:
        return bool(client.update_policy_from_string(text, name, rego_compat=False))
    except RegoParseError:
        return False


def _address(url: str) -> tuple[str | None, str]:
    """The socket path or None, and the base of every URL."""
    parts = urlsplit(url)
    if parts.scheme == "unix" and parts.path:
        return parts.path, "http://opa"
    if parts.scheme in {"http", "https"} and parts.hostname:
        return None, f"{parts.scheme}://{parts.netloc}"
    raise ConfigInvalid("an OPA server is named by `http://host:port`, `https://host:port` or `unix:///path`")


def _result(raw: bytes) -> object:
    """The `result` of an answer, None where it is undefined. Raises PolicyResultInvalid."""
    answer = loads_unique(raw)
    if not isinstance(answer, dict):
        raise PolicyResultInvalid
    return answer.get("result")


def _contribution(policy: Policy, packages: object) -> Contribution:
    """What `policy` says in the document of all packages. A package that is not there was never loaded: a failure."""
    package = packages.get(policy.id) if isinstance(packages, dict) else None
    if not isinstance(package, dict):
        return failure_of(policy, "eval")
    return contribution_of(policy, package.get("effects"))
