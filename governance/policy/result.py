"""From what an engine returned for one policy to that policy's Contribution. The same for every engine."""

from __future__ import annotations

import json

from governance.decision import Contribution, FailureKind
from governance.errors import PolicyResultInvalid
from governance.policy.bundle import Policy
from governance.policy.contract import parse_effects


def contribution_of(policy: Policy, effects: object) -> Contribution:
    """What `policy` contributes: `effects` is the value of its rule, None where that is undefined.

    Effects are in the order of their JSON text, so that engines that enumerate a set differently contribute the same.
    """
    if effects is None:
        return Contribution(policy=policy.id, version=policy.version, mode=policy.mode)
    if not isinstance(effects, list):
        return failure_of(policy, "schema")
    if len(effects) > 1:
        effects = sorted(effects, key=_text)
    try:
        parsed = parse_effects(effects)
    except PolicyResultInvalid:
        return failure_of(policy, "schema")
    return Contribution(policy=policy.id, version=policy.version, mode=policy.mode, effects=parsed)


def failure_of(policy: Policy, kind: FailureKind) -> Contribution:
    """The contribution of a policy that could not be evaluated. It carries no text: an engine's may quote the input."""
    return Contribution(policy=policy.id, version=policy.version, mode=policy.mode, failure=kind)


def _text(effect: object) -> str:
    return json.dumps(effect, sort_keys=True, default=repr)
