"""A bundle tried out in a process of its own, before it is compiled in one that serves.

regopy ends its process on some modules (`with` above all), and nothing can interrupt an evaluation. Both happen to a
child here, so that a broken candidate is a refusal and the last good bundle stays in force.
"""

from __future__ import annotations

import json
import subprocess
import sys

from governance.decision import Mode
from governance.errors import ConfigInvalid
from governance.policy.bundle import Bundle, load_bundle

_SECONDS = 30


def try_out(bundle: Bundle) -> None:
    """Returns when `bundle` compiles and answers the rehearsal documents. Raises ConfigInvalid. Takes about a second."""
    command = [sys.executable, "-m", "governance.policy.trial"]
    directories = [str(top) for top in bundle.directories]
    modes = {policy.id: policy.mode for policy in bundle.policies}
    order = json.dumps(
        {"directories": directories, "modes": modes, "parameters": bundle.overrides()} | _digests(bundle)
    ).encode()
    try:
        done = subprocess.run(command, input=order, capture_output=True, check=False, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise ConfigInvalid(f"the policies do not answer a sample request in {_SECONDS} seconds") from None
    except OSError:
        raise ConfigInvalid("no process can be started to try out the policies") from None
    if done.returncode < 0:
        raise ConfigInvalid(f"the policies end the engine's process (signal {-done.returncode}) when compiled")
    if done.returncode != 0:
        raise ConfigInvalid(done.stdout.decode(errors="replace").strip()[:1000] or "the policies cannot be tried out")


def _digests(bundle: Bundle) -> dict[str, str]:
    return {"digest": bundle.digest, "data_digest": bundle.data_digest}


def _main() -> int:
    from governance.policy.embedded import EmbeddedEngine  # noqa: PLC0415  (in the child alone)
    from governance.policy.sample import samples  # noqa: PLC0415

    order = json.load(sys.stdin)
    try:
        modes = {policy: Mode(mode) for policy, mode in order["modes"].items()}
        bundle = load_bundle(order["directories"], modes=modes, parameters=order["parameters"])
        if not _digests(bundle).items() <= order.items():
            print("the policies changed while they were loaded")
            return 1
        EmbeddedEngine(bundle, rehearsals=samples())
    except ConfigInvalid as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
