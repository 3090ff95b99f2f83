"""Two libraries in one process that each bring RE2."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
from governance.policy.embedded import version
import re2
options = re2.Options()
options.log_errors = False
for number in range(300):
    re2.compile(f"^urn:(?:.*)x{number}$", options)
print(version())
"""


def test_patterns_compile_in_a_process_that_evaluates_rego() -> None:
    """The package loads them in the order in which neither takes the other's memory for its own."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)

    assert (0, True) == (done.returncode, done.stdout.startswith("regopy "))
