"""Rego on an OPA server: over HTTP or a Unix socket, all policies in one round trip.

The server must hold the bundle that a decision is recorded with. `start` pushes it, with a marker that says which bundle
is whole there (`opa_push`). The marker is read in the same request as the answer of the policies, and OPA answers from one
snapshot, so an answer is of the bundle that comes with it; one of another bundle is no answer. Several processes may push
to one server: while they hold different bundles, those of the one that is not there are refused.
A server that lost everything, as one does that starts anew, is given the bundle again, as is one that holds no bundle whole.
A server that loads bundles itself is used with `push=False`, and is not asked what it holds.

One that does not answer is left alone by a circuit breaker: requests are then refused at once instead of at the deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
import time
from collections.abc import Sequence
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from governance.breaker import Breaker
from governance.decision import Contribution
from governance.errors import ConfigInvalid, PolicyResultInvalid, PolicyUnavailable
from governance.policy.bundle import ROOT, Bundle, Policy
from governance.policy.contract import loads_unique
from governance.policy.opa_push import MARKER, Held, held_of, identity, push
from governance.policy.result import contribution_of, failure_of

_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_LONGEST_VERSION = 64
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
        # What the marker calls this bundle; None where the server is not asked what it holds.
        self._identity = identity(bundle) if push else None
        self._stop = threading.Event()
        self._session: aiohttp.ClientSession | None = None
        self._breaker = Breaker(time.monotonic)
        self._restoring: asyncio.Task[None] | None = None
        self.version = "opa"

    async def start(self) -> Self:
        """The engine, connected, with the server holding the bundle.

        Raises PolicyUnavailable where the server cannot be reached, ConfigInvalid where it refuses a policy.
        """
        if self._identity is not None:
            if self._socket is not None:
                raise ConfigInvalid("policies are pushed over http: let the server behind the socket load them")
            await self._pushed(restoring=False)
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
        """Ends the connections and the push that was going on, if any. Requests that are not answered yet are refused."""
        self._stop.set()
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        if self._restoring is not None:
            await asyncio.wait([self._restoring])

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
                return await self._each(chosen, document)
            packages = _result(raw)
            self._check_held(packages.get(MARKER) if isinstance(packages, dict) else None)
            return tuple(_contribution(policy, packages) for policy in chosen)
        except TimeoutError:
            return tuple(failure_of(policy, "timeout") for policy in chosen)
        except PolicyResultInvalid:
            return tuple(failure_of(policy, "schema") for policy in chosen)

    async def _each(self, policies: Sequence[Policy], document: bytes) -> tuple[Contribution, ...]:
        # A failure carries no marker. Each push changes the marker first and last: the same one before and after means that
        # nothing was pushed in between.
        before = await self._held()
        found = tuple([await self._one(policy, document) for policy in policies])
        if await self._held() != before:
            raise PolicyUnavailable("the OPA server was given a bundle meanwhile")
        return found

    async def _held(self) -> Held | None:
        """What the server holds, when that is this bundle; None where it is not asked. Raises PolicyUnavailable."""
        if self._identity is None:
            return None
        _, raw = await self._post("/v1/data/" + "/".join((*ROOT, MARKER)), b"{}")
        return self._check_held(_result(raw))

    def _check_held(self, marker: object) -> Held | None:
        """What `marker` says. Raises PolicyUnavailable where that is not the bundle that was pushed."""
        held = held_of(marker)
        if self._identity is None or (held is not None and held.bundle == self._identity):
            return held
        # Another bundle is somebody's; none at all, or half of one, is nobody's once who pushes it is gone.
        if (held is None or not held.bundle) and (self._restoring is None or self._restoring.done()):
            self._restore_in_background()
        raise PolicyUnavailable("the OPA server holds another bundle")

    def _restore_in_background(self) -> None:
        # Not once closed: nobody would wait for it.
        if self._session is not None:
            self._restoring = asyncio.create_task(self._restore())

    async def _restore(self) -> None:
        # What fails now is tried with the next request.
        with contextlib.suppress(PolicyUnavailable, ConfigInvalid):
            await self._pushed(restoring=True)

    async def _pushed(self, *, restoring: bool) -> None:
        pushing = asyncio.to_thread(push, self._bundle, self._base, stop=self._stop, restoring=restoring)
        running = asyncio.ensure_future(pushing)
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            # A thread goes on when nobody waits for it any more: it is told to end, and has ended from here on.
            self._stop.set()
            await asyncio.wait([running])
            raise

    async def _one(self, policy: Policy, document: bytes) -> Contribution:
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
        session = self._session
        if session is None:
            raise PolicyUnavailable("the OPA engine is not started")
        if not self._breaker.admits():
            raise PolicyUnavailable("the OPA server did not answer lately")
        try:
            headers = {"content-type": "application/json"}
            url = self._base + target
            # As a file: aiohttp warns of bytes above 1 MiB.
            data = io.BytesIO(body) if body is not None else None
            async with session.request(method, url, data=data, headers=headers, allow_redirects=False) as answer:
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
        except (RuntimeError, asyncio.CancelledError):
            # aiohttp's words for a session that was closed a moment ago, the second one to who waits for a connection.
            if self._session is session or _cancelled():
                raise
            raise PolicyUnavailable("the OPA engine is closed") from None

    async def _server_version(self) -> str:
        try:
            status, raw = await self._request("GET", "/v1/data/ringfence/lib?provenance=true")
            if status != 200:
                raise PolicyUnavailable(f"the OPA server answered with status {status}")
            answer = loads_unique(raw)
        except TimeoutError:
            raise PolicyUnavailable("the OPA server does not answer") from None
        match answer:
            # It stands in every record.
            case {"provenance": {"version": str(version)}} if version.isascii() and len(version) <= _LONGEST_VERSION:
                return f"opa {version}"
            case _:
                return "opa unknown"


def _cancelled() -> bool:
    """Whether somebody wants the current task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


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
