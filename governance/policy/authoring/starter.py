"""What `ringfence policy init` writes: a policy to start from, with its cases, that passes check and test at once."""

from __future__ import annotations

import re
from pathlib import Path

from governance.errors import ConfigInvalid

_ID = re.compile(r"[a-z][a-z0-9_]{0,62}", re.ASCII)
# Words of Rego cannot be part of a package.
_WORDS = frozenset("as default else every false if import in not null package some true with input data".split())

_POLICY = """\
# METADATA
# title: API keys are refused, doubtful ones are noted
# description: >-
#   Say here what the policy ensures and why. This one is a start: change it and run
#   `ringfence policy check` and `ringfence policy test`.
# schemas:
#   - input: schema["ringfence.input-1"]
# custom:
#   id: {id}
#   version: "1.0.0"
#   owner: security
#   severity: high            # critical, high, medium, low
#   mode: shadow              # shadow only records what it would do; then warn, then enforce
#   on_error: deny            # a policy that cannot be evaluated refuses the request
#   phases: [request]
#   references:
#     - the law, the standard or the rule of the house that asks for it
#   remedy: Remove the key, and revoke it if it was real.
package ringfence.policy.{id}

# A policy adds effects, and the engine joins those of all policies: a deny wins, pins intersect, the strongest redaction
# counts. `rule` names the line that spoke, `code` the reason in the record. Neither may repeat what the caller wrote.

# METADATA
# description: A key that was verified, or that is found with enough confidence, stops the request.
effects contains {{
	"effect": "deny",
	"rule": "certain",
	"code": "api_key_found",
	"params": {{"status": 403, "message_id": "api_key_found"}},
}} if {{
	_certain
}}

# METADATA
# description: A weak sign is kept in the record and stops nothing.
effects contains {{"effect": "note", "rule": "doubtful", "code": "api_key_suspected", "params": {{}}}} if {{
	some entity in input.classification.entities
	entity.type == "API_KEY"
	not _certain
}}

# Rules with `_` in front are for this file alone. Two with one name are an "or".

_certain if {{
	some entity in input.classification.entities
	entity.type == "API_KEY"
	entity.validated
}}

_certain if {{
	some entity in input.classification.entities
	entity.type == "API_KEY"
	entity.max_permille >= 700
}}
"""

_TEST = """\
package ringfence.policy.{id}_test

import data.ringfence.policy.{id} as policy

# What is easier to write in Rego than in `cases.yaml`, such as a table. `rules` are pairs of effect and rule.

_found(permille, validated) := {{"classification": {{"entities": [{{
	"type": "API_KEY",
	"max_permille": permille,
	"validated": validated,
}}]}}}}

cases := {{
	"confidence at the threshold": {{"input": _found(700, false), "rules": {{["deny", "certain"]}}}},
	"confidence below the threshold": {{"input": _found(699, false), "rules": {{["note", "doubtful"]}}}},
	"a verified key at any confidence": {{"input": _found(0, true), "rules": {{["deny", "certain"]}}}},
}}

test_cases[name] if {{
	some name, case in cases
	said := {{[effect.effect, effect.rule] | some effect in policy.effects}} with input as case.input
	said == case.rules
}}
"""

_CASES = """\
# What the policy says to an input. `input` names only what differs from a plain request in which nothing was found
# (`ringfence decide --sample` shows a whole one); mappings are laid over it, everything else replaces.
# `effects` lists `effect/rule` of all that the policy says, in any order; [] is nothing.

- name: a request in which nothing was found
  input: {}
  effects: []

- name: an API key
  input:
    classification:
      entities:
        - {category: credential, count: 1, max_permille: 900, type: API_KEY, validated: true, where: [user]}
  effects: [deny/certain]

- name: something that may be an API key
  input:
    classification:
      entities:
        - {category: credential, count: 1, max_permille: 400, type: API_KEY, validated: false, where: [user]}
  effects: [note/doubtful]
"""


def write_starter(directory: Path) -> tuple[Path, ...]:
    """The files of a new policy in `directory`, whose last part is the id. Raises ConfigInvalid, and overwrites nothing."""
    id_ = directory.name
    if not _ID.fullmatch(id_) or id_ in _WORDS or id_.endswith("_test"):
        raise ConfigInvalid(
            "the last part of the directory is the policy's id: lower case letters, digits and `_`", file=str(directory)
        )
    texts = {"policy.rego": _POLICY.format(id=id_), "policy_test.rego": _TEST.format(id=id_), "cases.yaml": _CASES}
    paths = tuple(directory / name for name in texts)
    for path in paths:
        if path.exists() or path.is_symlink():
            raise ConfigInvalid("is there already and was left as it is", file=str(path))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts.values(), strict=True):
            # `x` refuses what appeared since.
            with path.open("x", encoding="utf-8") as stream:
                stream.write(text)
    except OSError as error:
        raise ConfigInvalid(f"cannot be written: {(error.strerror or '').lower()}", file=str(directory)) from None
    return paths


def init_command(directory: Path) -> int:
    """Writes the starter and says what to do next; 0."""
    for path in write_starter(Path(directory)):
        print(f"wrote {path}")
    print(f"next: ringfence policy check {directory} && ringfence policy test --policy {directory}")
    return 0
