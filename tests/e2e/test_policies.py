"""The policies of a running installation: a signed bundle that is watched."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from governance.policy.distribution.bundle_commands import build
from governance.policy.distribution.signing import read_key
from tests.e2e.stack import Stack, stack, until

# The own cases of forty policies run first, each time.
_ACTIVATION_S = 75.0
SECRET = "k" * 48
REMEDY = r'Say "open", {door}, 100 % \u0022 of %REQ(:PATH)% and Größe.'
CLOSED = """# METADATA
# title: Nothing passes
# custom:
#   id: closed
#   version: "1.0.0"
#   remedy: 'REMEDY'
package ringfence.policy.closed

effects contains {
	"effect": "deny",
	"rule": "all",
	"code": "closed",
	"params": {"status": 403, "message_id": "denied"},
}
""".replace("REMEDY", REMEDY)


async def test_a_newer_bundle_takes_effect_and_one_without_its_signature_does_not(tmp_path: Path) -> None:
    """With a key the newest bundle that it signed decides; what anybody may have written changes nothing and is told.

    The admin address and the metrics tell which revision is in force and that the last candidate was refused.
    Its remedy reaches the caller letter by letter, whatever it means to Envoy or to JSON.
    """
    secret = tmp_path / "policy.key"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    key = read_key(secret)
    closed = tmp_path / "closed"
    (closed / "policies").mkdir(parents=True)
    (closed / "policies" / "closed.rego").write_text(CLOSED)
    watched, made = tmp_path / "policies.tar.gz", tmp_path / "made.tar.gz"
    build(["builtin"], watched, key=key, revision="first")
    settings = {"directories": [], "bundle": {"url": str(watched), "key_file": str(secret), "poll_s": 1}}

    async with stack(tmp_path, policy=settings) as s:
        assert (200, "first") == await _decided(s)

        build(["builtin", closed], made, key=key, revision="second")
        shutil.move(made, watched)
        await until(lambda: _is(s, (403, "second")), _ACTIVATION_S)
        said = json.loads((await s.say("hello")).body)["error"]["message"]
        assert "This request is refused by policy" in said
        assert said.endswith(f". {REMEDY}")

        build(["builtin"], made, revision="third")
        shutil.move(made, watched)
        await until(lambda: _failing(s), _ACTIVATION_S)
        assert "bundle_refused" in s.log()
        assert (403, "second") == await _decided(s)

        seen = await _status(s)
        watched = seen["watched"]
        assert ("second", "second", True, "config_invalid") == (
            seen["revision"],
            watched["revision"],
            watched["signed"],
            watched["code"],
        )
        metrics = await s.metrics()
        assert re.search(r'ringfence_policy_bundle_info\{[^}]*revision="second"[^}]*\} 1.0', metrics)
        assert re.search(r'ringfence_policy_bundle_failing\{worker="worker-0"\} [1-9]', metrics)


async def _status(s: Stack) -> dict[str, Any]:
    """What the admin address says of the only worker."""
    async with s.http.get(f"http://127.0.0.1:{s.admin}/policy") as answer:
        [found] = (await answer.json())["workers"].values()
    assert isinstance(found, dict)
    return found


async def _decided(s: Stack) -> tuple[int, str]:
    answer = await s.say("hello")
    return answer.status, s.decision(answer)["policy"]["revision"]


async def _is(s: Stack, wanted: tuple[int, str]) -> bool:
    return await _decided(s) == wanted


async def _failing(s: Stack) -> bool:
    return bool((await _status(s))["watched"]["code"])
