"""Memory that regopy keeps for each evaluation of a policy: `python -m tests.bench.regopy_memory [POLICY ...]`.

Of the library, on a sample request, in this process. Without names: a few that show the range, those in force, and all.
"""

from __future__ import annotations

import sys

from governance.child import resident_bytes
from governance.policy.bundle import in_force, load_bundle
from governance.policy.embedded import EmbeddedEngine
from governance.policy.sample import samples

_SHOWN = ("pipl_export", "health_data", "personal_data_third_country", "credentials")
_TIMES = 100


def main(names: list[str]) -> None:
    """Prints KiB an evaluation for each policy of `names`."""
    bundle, document = load_bundle(["builtin"]), samples()[1]
    alone = {name: [name] for name in names or _SHOWN}
    served, every = in_force(bundle).policies, bundle.policies
    together = {f"all {len(some)} policies": [policy.id for policy in some] for some in (served, every)}
    for what, ids in (alone if names else alone | together).items():
        engine = EmbeddedEngine(bundle)
        engine.evaluate(ids, document)
        before = resident_bytes()
        for _ in range(_TIMES):
            engine.evaluate(ids, document)
        grown = (resident_bytes() - before) / _TIMES / 1024
        print(f"{what}: {grown:.0f} KiB an evaluation")


if __name__ == "__main__":
    main(sys.argv[1:])
