"""regopy in a process of its own, with a deadline: the embedded engine that serves.

Nothing can interrupt an evaluation on regopy, and some modules end its process. Both happen to a child here
(`governance.child`), which compiles the bundle and is asked one input after another. One that is not done at the deadline is
killed: the policies that it did not answer have failed, its successor loads, and a policy that does this every time is not
asked for a while. The event loop is never held up.

regopy keeps memory for each evaluation and gives it back with its process alone: a child that has grown by MAX_GROWTH_BYTES
goes on answering until its successor has loaded, and nobody waits for that.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from typing import Final, Self, final

import structlog

from governance.breaker import Breaker
from governance.child import Children, Ended, Loading, Overrun
from governance.decision import Contribution, FailureKind
from governance.errors import ConfigInvalid, PolicyUnavailable
from governance.policy.bundle import Bundle, Policy, canonical, in_force
from governance.policy.embedded import EmbeddedEngine, not_compiled, refuse_failures
from governance.policy.result import contribution_of, failure_of
from governance.policy.watched_host import MAX_ANSWER_BYTES

DEADLINE_MS: Final = 500
MAX_WAITING: Final = 256
# For compiling, and again for the rehearsals.
LOADING_S: Final = 30.0
# An input that waited longer for its turn, or for a child to be loaded, is refused: whoever asked may have given up.
_PATIENCE_S: Final = 5.0
# Beyond what it had when loaded. A decision of the library in force costs a child about 0.14 MB (`governance.policy.embedded`).
MAX_GROWTH_BYTES: Final = 256 << 20
# A policy that ended so many children in a row is not asked until a pause is over.
_KILLS: Final = 3
# Policies say the same things again and again: what is short is read once, up to 4 MB of it.
_MAX_KNOWN: Final = 4096
_SHORT: Final = 1024
_LOG = structlog.get_logger("ringfence.policy")


@final
class Watched:
    """Evaluates the policies of one bundle in a child process. Used on one event loop, between `start` and `close`.

    Inputs wait for their turn; each has the deadline from when the child takes it.
    """

    name = EmbeddedEngine.name

    def __init__(self, bundle: Bundle, *, deadline_ms: int = DEADLINE_MS, max_waiting: int = MAX_WAITING) -> None:
        """Only what of `bundle` may be asked is loaded; nothing is before `start`."""
        self._evaluator = Evaluator(in_force(bundle), deadline_ms=deadline_ms)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._max_waiting, self._waiting = max_waiting, 0
        self._closed = False
        self.version = ""

    @classmethod
    async def start(
        cls,
        bundle: Bundle,
        *,
        deadline_ms: int = DEADLINE_MS,
        rehearsals: Sequence[bytes] = (),
        max_waiting: int = MAX_WAITING,
    ) -> Self:
        """The engine, with the bundle compiled. Raises ConfigInvalid as `try_out`, for policies that are off too."""
        engine, serving = cls(bundle, deadline_ms=deadline_ms, max_waiting=max_waiting), in_force(bundle)
        loop = asyncio.get_running_loop()
        try:
            if (serving.policies, serving.modules) != (bundle.policies, bundle.modules):
                await loop.run_in_executor(engine._thread, tried, bundle, rehearsals)
            engine.version = await loop.run_in_executor(engine._thread, engine._evaluator.load, rehearsals)
        except BaseException:
            await engine.close()
            raise
        return engine

    @property
    def pid(self) -> int | None:
        """The process that evaluates; None while there is none."""
        return self._evaluator.pid

    async def evaluate(self, policies: Sequence[str], document: bytes, *, rows: int) -> tuple[Contribution, ...]:
        """One contribution for each of `policies`, in order. `document` is canonical JSON without floats.

        The number of `rows` does not matter here. Raises PolicyUnavailable where too many inputs wait, where its turn came
        too late, and where no child can be started.
        """
        del rows
        if self._closed:
            raise PolicyUnavailable("the policy engine is closed")
        if self._waiting >= self._max_waiting:
            raise PolicyUnavailable("too many evaluations wait for the policy engine")
        until = time.monotonic() + _PATIENCE_S
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, self._evaluator.evaluate, policies, document, until
            )
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Ends the child, after what was asked before."""
        if self._closed:
            return
        self._closed = True
        ended = asyncio.get_running_loop().run_in_executor(self._thread, self._evaluator.close)
        self._thread.shutdown(wait=False)
        await ended


@final
class Evaluator:
    """The child that holds one bundle, and what is known about the policies that ended it. Used by one thread at a time."""

    def __init__(self, bundle: Bundle, *, deadline_ms: int) -> None:
        self._bundle = bundle
        self._policies = {policy.id: policy for policy in bundle.policies}
        self._deadline_s = deadline_ms / 1000
        self._version = ""
        self._guards: dict[str, Breaker] = {}
        self._known: dict[tuple[str, bytes], Contribution] = {}
        self._children = Children(
            "governance.policy.watched_host",
            _plan(bundle),
            accept=self._accept,
            loading_s=LOADING_S,
            max_answer_bytes=MAX_ANSWER_BYTES,
            spare=True,
            max_growth_bytes=MAX_GROWTH_BYTES,
            renewed=_tell_renewed,
        )

    @property
    def pid(self) -> int | None:
        """The process of the child; None while there is none."""
        return self._children.pid

    def load(self, rehearsals: Sequence[bytes]) -> str:
        """The version of the engine, once the bundle is compiled and every policy answered the rehearsal documents.

        Raises ConfigInvalid. The rehearsals have a deadline of their own: the first evaluation is slower than any other.
        """
        try:
            self._children.ready(time.monotonic() + LOADING_S)
        except Ended as ended:
            by = f" (signal {ended.signal})" if ended.signal else ""
            raise ConfigInvalid(f"the policies end the engine's process{by} when compiled") from None
        except Loading:
            raise ConfigInvalid(f"the policies are not compiled within {LOADING_S:.0f} seconds") from None
        except OSError:
            raise ConfigInvalid("no process can be started to evaluate the policies") from None
        deadline = time.monotonic() + LOADING_S
        for document in rehearsals:
            self._rehearse(document, deadline)
        return self._version

    def evaluate(self, policies: Sequence[str], document: bytes, until: float) -> tuple[Contribution, ...]:
        """One contribution for each of `policies`, in order. Raises PolicyUnavailable where none is asked by `until`."""
        chosen = [self._policies[id_] for id_ in policies]
        try:
            self._children.ready(until)
        except (Overrun, OSError, ConfigInvalid):
            raise PolicyUnavailable("no process that evaluates policies is ready") from None
        if time.monotonic() > until:
            raise PolicyUnavailable("the policies could not be asked in time")
        asked = [policy for policy in chosen if self._may_be_asked(policy)]
        said = dict(self._ask(asked, document, time.monotonic() + self._deadline_s)) if asked else {}
        return tuple(said.get(policy.id) or failure_of(policy, "timeout") for policy in chosen)

    def close(self) -> None:
        """Ends the child."""
        self._children.close()

    def _rehearse(self, document: bytes, deadline: float) -> None:
        said = dict(self._ask(list(self._policies.values()), document, deadline)).values()
        if any(one.failure == "timeout" for one in said):
            raise ConfigInvalid(f"the policies do not answer a sample request in {LOADING_S:.0f} seconds")
        refuse_failures(self._policies, tuple(said))

    def _ask(self, asked: Sequence[Policy], document: bytes, deadline: float) -> Iterator[tuple[str, Contribution]]:
        """The id and contribution of each policy. The child was loaded before."""
        waiting, began, slowest = list(asked), time.monotonic(), (0.0, asked[0])
        failure: FailureKind = "timeout"
        blamed: Policy | None = None
        try:
            self._children.send(_request(asked, document), deadline)
            for policy in asked:
                contribution = self._read(policy, self._children.receive(deadline))
                slowest = max(slowest, (time.monotonic() - began, policy), key=itemgetter(0))
                began = time.monotonic()
                waiting.pop(0)
                yield policy.id, contribution
        except Ended:
            failure, blamed = "eval", waiting[0]
        except Overrun:
            # The one in hand may have had no time left: the one that took it all is to blame.
            _, blamed = max(slowest, (time.monotonic() - began, waiting[0]), key=itemgetter(0))
        except (OSError, ValueError, TypeError):
            failure = "eval"
            self._children.replace()
        self._judge(asked[: len(asked) - len(waiting)], blamed)
        yield from ((policy.id, failure_of(policy, failure)) for policy in waiting)

    def _read(self, policy: Policy, raw: bytes) -> Contribution:
        """What `policy` said; the same object where it said it before. Raises ValueError and TypeError."""
        known = self._known.get((policy.id, raw))
        if known is not None:
            return known
        contribution = _contribution(policy, raw)
        if len(raw) <= _SHORT:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[policy.id, raw] = contribution
        return contribution

    def _judge(self, answered: Sequence[Policy], blamed: Policy | None) -> None:
        for policy in answered:
            if policy is not blamed:
                self._guards.pop(policy.id, None)
        if blamed is not None:
            self._guards.setdefault(blamed.id, Breaker(time.monotonic, failures=_KILLS)).failed()

    def _may_be_asked(self, policy: Policy) -> bool:
        guard = self._guards.get(policy.id)
        return guard is None or guard.admits()

    def _accept(self, raw: bytes) -> None:
        answer = json.loads(raw)
        if "ready" not in answer:
            raise not_compiled(self._bundle)
        self._version = str(answer["ready"])


def tried(bundle: Bundle, rehearsals: Iterable[bytes]) -> None:
    """Returns when all of `bundle` compiles in a child of its own and answers `rehearsals`. Raises ConfigInvalid."""
    evaluator = Evaluator(bundle, deadline_ms=DEADLINE_MS)
    try:
        evaluator.load(tuple(rehearsals))
    finally:
        evaluator.close()


def _tell_renewed(grown_bytes: int, replaced: bool) -> None:
    if replaced:
        _LOG.info("policy_child_renewed", grown_mb=grown_bytes >> 20)
    else:
        _LOG.warning("policy_child_not_renewed", grown_mb=grown_bytes >> 20)


def _plan(bundle: Bundle) -> bytes:
    # The texts and not their paths: what is loaded again after years of service is what was in force, not what lies there.
    return canonical(
        {
            "modules": [[module.name, module.text] for module in bundle.modules],
            "data": canonical(dict(bundle.data)).decode(),
            "entrypoints": [policy.entrypoint for policy in bundle.policies],
        }
    )


def _request(policies: Sequence[Policy], document: bytes) -> bytes:
    return canonical([policy.entrypoint for policy in policies]) + b"\n" + document


def _contribution(policy: Policy, raw: bytes) -> Contribution:
    failure, value = json.loads(raw)
    if failure is None:
        return contribution_of(policy, value)
    if failure not in ("eval", "schema", "unsupported"):
        raise ValueError
    return failure_of(policy, failure)
