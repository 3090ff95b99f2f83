"""Putting a bundle on an OPA server that others push to at the same time, and that answers requests meanwhile.

OPA takes modules one by one, so for a while a server holds parts of two bundles. What it holds is said by the marker, a data
document beside the policies that is part of every answer about them. It has one key, the turn, which is new with each change:

    {"<turn>": {"bundle": "<identity of the whole bundle, or empty>", "pushing": true, "data": ["<paths of its data>"]}}

INVARIANT: nothing is written but by the one whose turn it is, and the marker names a bundle only while all of it is there.
A turn is taken and renewed by a change that OPA refuses where the turn before is gone (compare and set: one patch removes
the old key and adds the new one). Who pushes renews before each write, and writes all data in one patch with a renewal.

One that dies in the middle leaves `pushing` behind: after `_QUIET_S` without a new turn the next one takes over. That is
longer than a request of a push may take (`_REQUEST_S` to connect and again to answer).
LIMIT: a module sent just before its sender was held up for longer than that may still arrive afterwards.
LIMIT: modules put on the server by others, outside of `ringfence/`, are not seen.
"""

from __future__ import annotations

import hashlib
import threading
import time
from contextlib import suppress
from typing import Any, cast
from urllib.parse import quote, urlsplit
from uuid import uuid4

import requests
from opa_client import OpaClient
from opa_client.errors import DeletePolicyError, RegoParseError

from governance.errors import ConfigInvalid, PolicyUnavailable
from governance.frozen import frozen
from governance.policy.bundle import ROOT, Bundle, canonical

MARKER = "_held"
_PLACE = "/" + "/".join((*ROOT, MARKER))
_PREFIX = "ringfence"
_REQUEST_S = 10.0
_QUIET_S = 30.0
_WAIT_S = 90.0
_POLL_S = 0.05


@frozen
class Held:
    """What the marker says: which bundle is whole on the server, if any, and whether somebody is pushing one."""

    turn: str
    bundle: str = ""
    pushing: bool = False
    data: tuple[str, ...] = ()


def held_of(marker: object) -> Held | None:
    """The marker as read; None where there is none or it is none of ours."""
    if not isinstance(marker, dict) or len(marker) != 1:
        return None
    ((turn, said),) = marker.items()
    if not isinstance(said, dict):
        return None
    bundle, pushing, data = said.get("bundle"), said.get("pushing"), said.get("data")
    if not isinstance(bundle, str) or not isinstance(pushing, bool) or not isinstance(data, list):
        return None
    return Held(turn=turn, bundle=bundle, pushing=pushing, data=tuple(one for one in data if isinstance(one, str)))


def identity(bundle: Bundle) -> str:
    """A digest of what a push of `bundle` puts on a server. Two with the same files and other parameters differ."""
    parts = [bundle.digest, bundle.data_digest, [module.text for module in bundle.modules]]
    return hashlib.sha256(canonical(parts)).hexdigest()


def push(bundle: Bundle, base: str, *, stop: threading.Event | None = None, restoring: bool = False) -> None:
    """The server at `base` holds `bundle` whole, and nothing of an earlier push. Nothing is done where it does already.

    Waits while others push. With `restoring`, nothing is done either where it holds another bundle whole.
    Once `stop` is set, the push is given up before its next request, and the marker says that no bundle is whole.
    Raises PolicyUnavailable, also for one that was given up, and ConfigInvalid where the server refuses the bundle.
    """
    address = urlsplit(base)
    secure = address.scheme == "https"
    port = address.port or (443 if secure else 80)
    host = address.hostname or ""
    # Without retries: a request that is sent again by itself may arrive in somebody else's turn.
    with OpaClient(host=host, port=port, ssl=secure, timeout=_REQUEST_S, retries=0) as client:
        client._session.trust_env = False  # noqa: SLF001  (else a proxy of the environment would get the policies)
        try:
            _Push(client, bundle, stop or threading.Event()).run(restoring=restoring)
        except requests.RequestException:
            raise PolicyUnavailable("the OPA server cannot be reached") from None
        except (AttributeError, TypeError, ValueError):
            # The client takes what it is answered for what OPA answers, which a proxy in between need not be.
            raise PolicyUnavailable("what answers for the OPA server is none") from None


class _Lost(Exception):
    """Somebody else's turn has come, or the server starts anew: what was written is no longer there or not ours."""


class _Push:
    """One push. Used on one thread."""

    def __init__(self, client: Any, bundle: Bundle, stop: threading.Event) -> None:
        self._client, self._bundle, self._stop = client, bundle, stop
        self._identity = identity(bundle)
        self._held: Held | None = None

    def run(self, *, restoring: bool) -> None:
        """The server holds the bundle, or with `restoring` any. Raises as `push` does, and requests' errors."""
        until = time.monotonic() + _WAIT_S
        while self._taken(until, restoring=restoring):
            with suppress(_Lost):
                self._write()
                return

    def _taken(self, until: float, *, restoring: bool) -> bool:
        """Whether the turn is ours, after waiting for it; else there is nothing to do."""
        last, since = None, time.monotonic()
        while True:
            held, now = self._read(), time.monotonic()
            if held is not None and held.bundle and (restoring or held.bundle == self._identity):
                return False
            if held != last:
                last, since = held, now
            if now > until:
                raise PolicyUnavailable("others push bundles to the OPA server all the time")
            free = held is None or not held.pushing or now - since > _QUIET_S
            if free and self._changed(held, Held(turn=_turn(), pushing=True, data=held.data if held else ())):
                return True
            if self._stop.wait(_POLL_S):
                raise PolicyUnavailable("the push to the OPA server was given up")

    def _write(self) -> None:
        try:
            self._put_data()
            self._remove_modules()
            self._put_modules()
            self._renew(bundle=self._identity, pushing=False)
        except _Lost:
            raise
        except BaseException:
            with suppress(requests.RequestException, PolicyUnavailable, ConfigInvalid):
                self._release()
            raise

    def _put_data(self) -> None:
        # First, so that no policy is in force without its tables.
        documents = _documents(self._bundle)
        before = self._held.data if self._held else ()
        # OPA refuses a patch that removes what is not there.
        stale = [path for path in before if path not in documents and self._get(path.replace("~0", "~")) is not None]
        changes = [{"op": "remove", "path": path} for path in stale]
        changes += [_add(path, value) for path, value in documents.items()]
        self._renew(*changes, data=tuple(documents))

    def _remove_modules(self) -> None:
        left = self._modules()
        while left:
            # A module stays as long as another one calls its functions.
            for name in left:
                self._renew()
                with suppress(DeletePolicyError):
                    self._client.delete_policy(name)
            before, left = left, self._modules()
            if len(left) >= len(before):
                raise ConfigInvalid("the OPA server does not part with the modules of an earlier bundle")

    def _put_modules(self) -> None:
        # The client does not quote paths, so modules are numbered.
        pending = {f"{_PREFIX}/{number}": module for number, module in enumerate(self._bundle.modules)}
        while pending:
            # A module is refused until the functions it calls are there: go round as long as one gets in.
            refused = {name: module for name, module in pending.items() if not self._accepted(name, module.text)}
            if len(refused) == len(pending):
                raise ConfigInvalid("the OPA server refuses the module", file=next(iter(refused.values())).file)
            pending = refused

    def _accepted(self, name: str, text: str) -> bool:
        self._renew()
        try:
            # The client would also rewrite policies that it takes for old.
            return bool(self._client.update_policy_from_string(text, name, rego_compat=False))
        except RegoParseError:
            return False

    def _modules(self) -> list[str]:
        return [name for name in self._client.get_policies_list() if name.startswith(f"{_PREFIX}/")]

    def _renew(
        self,
        *changes: dict[str, Any],
        bundle: str = "",
        pushing: bool = True,
        data: tuple[str, ...] | None = None,
    ) -> None:
        """The next turn is ours as well, and `changes` are made with it. Raises _Lost where this one is no longer."""
        held = self._held
        if held is None:
            raise _Lost
        if self._stop.is_set():
            raise PolicyUnavailable("the push to the OPA server was given up")
        new = Held(turn=_turn(), bundle=bundle, pushing=pushing, data=held.data if data is None else data)
        if not self._changed(held, new, *changes):
            raise _Lost

    def _release(self) -> None:
        """The next one need not wait, and knows that no bundle is whole."""
        if self._held is not None:
            self._changed(self._held, Held(turn=_turn(), data=self._held.data))

    def _changed(self, old: Held | None, new: Held, *changes: dict[str, Any]) -> bool:
        """Whether the marker went from `old` to `new`, with `changes`; all of it or nothing."""
        said = {"bundle": new.bundle, "pushing": new.pushing, "data": list(new.data)}
        if old is None:
            # `If-None-Match: *` is OPA's way to write what is not there yet.
            status = self._send("PUT", _PLACE, {new.turn: said}, {"if-none-match": "*"}).status_code
        else:
            turn = [{"op": "remove", "path": f"{_PLACE}/{old.turn}"}, _add(f"{_PLACE}/{new.turn}", said)]
            content = {"content-type": "application/json-patch+json"}
            status = self._send("PATCH", "", [*turn, *changes], content).status_code
        if status == 204:
            self._held = new
            return True
        if status in {304, 404}:
            return False
        if 400 <= status < 500:
            raise ConfigInvalid("the OPA server refuses the data of the bundle")
        raise PolicyUnavailable(f"the OPA server answered with status {status}")

    def _read(self) -> Held | None:
        marker = self._get(_PLACE)
        held = held_of(marker)
        if held is None and marker is not None:
            raise ConfigInvalid(f"the OPA server holds a document at `{_PLACE}` that is none of ours: delete it")
        return held

    def _get(self, path: str) -> object:
        """The document at `path`, None where there is none."""
        answer = self._send("GET", path)
        answer.raise_for_status()
        said = answer.json()
        return said.get("result") if isinstance(said, dict) else None

    def _send(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> requests.Response:
        # The client knows no conditions, and no patch of the whole data document.
        client = self._client
        sent = client._session.request(  # noqa: SLF001
            method,
            f"{client.root_url}/data{path}",
            json=body,
            headers=headers,
            timeout=client.timeout,
            allow_redirects=False,
        )
        return cast("requests.Response", sent)


def _documents(bundle: Bundle) -> dict[str, Any]:
    """By path: the data of `bundle`. What is in `ringfence` is by its second name: the marker and policies are there."""
    found: dict[str, Any] = {}
    for name, value in bundle.data.items():
        if not isinstance(value, dict):
            raise ConfigInvalid(f"`data.{name}` must be an object")
        inner = value if name == ROOT[0] else {}
        found |= {f"/{name}/{_quoted(below)}": part for below, part in inner.items()}
        if name != ROOT[0]:
            found[f"/{_quoted(name)}"] = value
    return found


def _quoted(name: str) -> str:
    """`name` as a part of a path in a patch: OPA decodes both what RFC 6901 and what a URL quotes."""
    return quote(name, safe="").replace("~", "~0")


def _add(path: str, value: object) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def _turn() -> str:
    return uuid4().hex
