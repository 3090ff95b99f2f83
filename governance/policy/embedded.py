"""regopy in this process: what the tools for authors evaluate with. What serves has it in a process of its own.

How regopy is hardened against its known defects stands in `governance.policy.rego`, with what it cannot do.

LIMIT: regopy 1.5.2 keeps memory for each evaluation until the process ends, also where the engine is gone: on the library
22 KiB (`credentials`) to 250 KiB (`pipl_export`), 1.5 MiB for all 41 policies (`python -m tests.bench.regopy_memory`). So a
command that asks all of them about 10,000 requests needs 15 GiB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from governance.decision import Contribution
from governance.errors import ConfigInvalid
from governance.policy.bundle import Bundle, Policy, canonical
from governance.policy.reads import reachable
from governance.policy.rego import Failed, NotCompiled, Rego, version
from governance.policy.result import contribution_of, failure_of
from governance.policy.source import Module

__all__ = ["EmbeddedEngine", "cases_of", "version"]


class EmbeddedEngine:
    """Evaluates the policies of one bundle on the thread that made it.

    Built once per bundle and thread. Raises ConfigInvalid where the bundle does not compile or a policy fails on the
    rehearsal documents.
    """

    name = "embedded"

    def __init__(self, bundle: Bundle, *, rehearsals: Sequence[bytes] = ()) -> None:
        self._policies = {policy.id: policy for policy in bundle.policies}
        self._rego = _compiled(bundle, bundle.modules, [policy.entrypoint for policy in bundle.policies])
        for document in rehearsals:
            refuse_failures(self._policies, self.evaluate(list(self._policies), document))

    def evaluate(self, policies: Sequence[str], document: bytes) -> tuple[Contribution, ...]:
        """One contribution for each of `policies`, in order. `document` is canonical JSON without floats.

        Raises PolicyUnavailable when called from another thread than the one that made the engine.
        """
        chosen = [self._policies[id_] for id_ in policies]
        if not self._rego.take(document):
            return tuple(failure_of(policy, "unsupported") for policy in chosen)
        return tuple(self._ask(policy) for policy in chosen)

    def _ask(self, policy: Policy) -> Contribution:
        found = self._rego.value(policy.entrypoint)
        return failure_of(policy, found.kind) if isinstance(found, Failed) else contribution_of(policy, found)


def refuse_failures(policies: Mapping[str, Policy], said: Sequence[Contribution]) -> None:
    """Raises ConfigInvalid for a policy that fails on a sample: what is wrong always should be seen at load."""
    for one in said:
        if one.failure is not None:
            policy = policies[one.policy]
            kind = "its effects do not fit the schema" if one.failure == "schema" else "it cannot be evaluated"
            raise ConfigInvalid(f"policy `{policy.id}` fails on a sample request: {kind}", file=policy.file, line=1)


def not_compiled(bundle: Bundle) -> ConfigInvalid:
    """The error for a bundle that regopy refuses."""
    return ConfigInvalid("the policies do not compile", file=str(bundle.directories[0]))


def cases_of(bundle: Bundle, tests: Sequence[Module]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Policy id, name and value of each case that a test module `ringfence.policy.<id>_test` lists in `cases`.

    Cases are values because `with` is no way to test on regopy: compiling it can end the process.
    Raises ConfigInvalid where they cannot be read.
    """
    for test in tests:
        if "cases" not in test.rules:
            continue
        entrypoint = "/".join((*test.package, "cases"))
        library = [one for one in tests if one.package[:2] != test.package[:2]]
        plain = [replace(one, text=_without_tests(one.text)) for one in (test, *library)]
        modules = reachable((*bundle.modules, *plain), [test.package])
        found = _compiled(bundle, modules, [entrypoint]).value(entrypoint)
        if not isinstance(found, dict):
            raise ConfigInvalid("`cases` cannot be evaluated", file=test.file)
        for name, case in found.items():
            yield test.package[-1].removesuffix("_test"), name, case


def _without_tests(text: str) -> str:
    """`text` up to its first rule that starts with `test_`: those come last, and they hold the `with`."""
    return re.split(r"^test_", text, maxsplit=1, flags=re.MULTILINE)[0]


def _compiled(bundle: Bundle, modules: Sequence[Module], entrypoints: Sequence[str]) -> Rego:
    try:
        return Rego(((one.name, one.text) for one in modules), canonical(dict(bundle.data)), entrypoints)
    except NotCompiled:
        raise not_compiled(bundle) from None
