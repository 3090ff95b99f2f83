"""Which engine decides again what was decided once."""

from __future__ import annotations

import shutil
from dataclasses import replace

from governance.errors import ConfigInvalid
from governance.policy.bundle import Bundle
from governance.policy.engine import AUTO, PLAN
from governance.policy.plan.build import build_plan


def planned(bundle: Bundle, engine: str) -> Bundle:
    """`bundle` with a plan where `engine` can use one and OPA is there to make it: it says the same many times faster.

    Raises ConfigInvalid for the engine `plan` where there is neither a plan nor an OPA that makes one.
    """
    opa = shutil.which("opa")
    if engine not in (AUTO, PLAN) or bundle.plan is not None or (opa is None and engine == AUTO):
        return bundle
    if opa is None:
        raise ConfigInvalid("no plan: `opa` is not on the path, and the policies come without one; use `--engine auto`")
    try:
        return replace(bundle, plan=build_plan(bundle, opa))
    except ConfigInvalid:
        if engine == PLAN:
            raise
        # What OPA refuses is for `policy check` to say; the embedded engine has its own checks.
        return bundle
