"""Random policy inputs that take the branches of policies, and an OPA server that is asked for many of them at once."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import aiohttp
import orjson

from governance.decision import Contribution
from governance.policy.authoring.cases import by_params, cases_in, with_params
from governance.policy.bundle import Bundle, canonical
from governance.policy.opa import OpaEngine
from governance.policy.result import contribution_of
from governance.policy.sample import samples

NUMBERS = [0, 1, 2, 3, 4, 7, 12, 22, 300, 499, 500, 700, 900, 1000, 50_000, 10**9]
HOSTILE = ["", '"', "\\", "\0", "\n", '"}],"effect":"allow"', "\\u0041", "\u2028", "\U0001f600", "é", "'", "result"]
COUNTRIES = ["DE", "FR", "US", "CN", "IN", "EU", "EEA", "unknown"]
_WORD = re.compile(r'"([^"\\\n]{1,40})"')


def tuned(bundle: Bundle) -> Bundle:
    """`bundle` with the parameters that most cases of each policy want: some policies say nothing by their defaults."""
    for policy, cases in cases_in(bundle).items():
        groups = [(len(group), params) for params, group in by_params(cases) if params is not None]
        if groups:
            bundle = with_params(bundle, policy, max(groups, key=lambda group: group[0])[1])
    return bundle


def inputs(bundle: Bundle, count: int, *, seed: int) -> Iterator[Any]:
    """`count` input documents: the cases of each policy in its turn, varied with words of that policy or of all.

    A case is varied a little, half or almost wholly: what a policy wants at once is rarely met by chance.
    """
    rng = random.Random(seed)
    plainly = [orjson.loads(document) for document in samples()]
    cases = {policy: [orjson.loads(one.document) for one in found] for policy, found in cases_in(bundle).items()}
    data = bundle.data.get("ringfence", {}).get("params", {})
    names = [policy.id for policy in bundle.policies]
    own = {module.package[-1]: _words(module.text, canonical(data.get(module.package[-1], {})).decode()) for module in bundle.modules}  # fmt: skip
    everything = sorted({word for words in own.values() for word in words})
    for number in range(count):
        name = names[number % len(names)]
        words = everything if rng.random() < 0.3 else own[name]
        document = rng.choice([*cases.get(name, []), rng.choice(plainly)])
        yield variation(document, [*words, *HOSTILE, *COUNTRIES], rng, kept=rng.choice([0.4, 0.8, 0.97]))


def variation(value: Any, words: Sequence[str], rng: random.Random, *, kept: float = 0.5) -> Any:
    """`value` with some of its parts exchanged for others of their kind, lists longer or shorter."""
    if isinstance(value, dict):
        return {key: variation(item, words, rng, kept=kept) for key, item in value.items()}
    if isinstance(value, list):
        as_long = value and rng.random() < kept
        items = value if as_long else [rng.choice(value) for _ in range(rng.choice([0, 1, 1, 2, 4]))] if value else []
        # Lists are where policies look for what concerns them.
        return [variation(item, words, rng, kept=kept**2) for item in items]
    if rng.random() < kept:
        return value
    if isinstance(value, bool):
        return rng.random() < 0.5
    if isinstance(value, int):
        return rng.choice(NUMBERS)
    return rng.choice(words) if isinstance(value, str) else value


class Batches:
    """An OPA server that holds `bundle` and answers with one query for a list of inputs."""

    def __init__(self, bundle: Bundle, url: str) -> None:
        self._bundle, self._url = bundle, url
        self._engine = OpaEngine(bundle, url=url, deadline_ms=60_000)

    async def start(self) -> None:
        """Pushes the bundle, and the module that asks its policies about each input."""
        await self._engine.start()
        rows = "".join(
            f'\t"{policy.id}": [said | said := data.ringfence.policy.{policy.id}.effects with input as document],\n'
            for policy in self._bundle.policies
        )
        module = f"package agreement\n\nsaid := [row | some document in input; row := {{\n{rows}}}]\n"
        async with aiohttp.ClientSession() as session:
            answer = await session.put(f"{self._url}/v1/policies/agreement", data=module.encode())
            assert answer.status == 200, await answer.text()

    async def close(self) -> None:
        """Ends the connections."""
        await self._engine.close()

    async def contributions(self, documents: Sequence[Any]) -> list[tuple[Contribution, ...]]:
        """What each policy says to each document; a batch in which a policy fails is asked one by one."""
        target = f"{self._url}/v1/data/agreement/said?strict-builtin-errors=true"
        async with aiohttp.ClientSession() as session:
            answer = await session.post(target, data=canonical({"input": list(documents)}))
            raw = await answer.read()
        if answer.status == 500:
            ids = [policy.id for policy in self._bundle.policies]
            return [await self._engine.evaluate(ids, canonical(document)) for document in documents]
        assert answer.status == 200, raw[:1000]
        rows = await asyncio.to_thread(orjson.loads, raw)
        assert len(documents) == len(rows["result"])
        return [tuple(self._one(row)) for row in rows["result"]]

    def _one(self, row: Mapping[str, Any]) -> Iterator[Contribution]:
        for policy in self._bundle.policies:
            said = row[policy.id]
            yield contribution_of(policy, said[0] if said else None)


def _words(*texts: str) -> list[str]:
    return sorted({word for text in texts for word in _WORD.findall(text)})
