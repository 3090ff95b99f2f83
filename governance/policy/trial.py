"""A bundle tried out in a process of its own, before it is kept or compiled in this one.

regopy ends its process on some modules (`with` above all), and nothing can interrupt an evaluation. Both happen to a
child here, so that a broken candidate is a refusal and the last good bundle stays in force.
"""

from __future__ import annotations

from governance.policy.bundle import Bundle
from governance.policy.sample import samples
from governance.policy.watched import tried


def try_out(bundle: Bundle) -> None:
    """Returns when `bundle` compiles and answers the rehearsal documents. Raises ConfigInvalid. Takes about a second."""
    tried(bundle, samples())
