"""The requests of the demo: what is asked of which model, in which state of the fleet, and how each has to end."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import field
from typing import Any

from governance.frozen import frozen

EVERYWHERE = "demo-small"
US_ONLY = "demo-us-only"

DEVICE_DE, ON_PREM_DE, CLOUD_US = "demo-device-de", "demo-onprem-de", "demo-cloud-us"
# Whether a node is known to be down already when the request comes is a matter of half a second.
_DOWN = ("no_node_available", "node_unreachable")
_OWN_IN_DE = (DEVICE_DE, ON_PREM_DE)

# A transparent PNG of one pixel, made for this file.
_PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001e221bc33"
        "0000000049454e44ae426082"
    )
).decode()
_PICTURE = (
    {"type": "text", "text": "What is in this picture?"},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}},
)


@frozen
class Expectation:
    """How a request has to end.

    `status` and one of `codes` are what the client gets, `action` is what was decided. One of `nodes` has received the request,
    and no other node; where `nodes` is empty, none has. `withheld` are texts that reached no node, `received` are texts
    that the node did receive.
    """

    status: int
    action: str
    codes: tuple[str, ...] = ("",)
    nodes: tuple[str, ...] = ()
    received: tuple[str, ...] = ()
    withheld: tuple[str, ...] = field(default=(), repr=False)

    def differences(
        self, *, status: int, action: str, code: str, received: Sequence[tuple[str, bytes]]
    ) -> tuple[str, ...]:
        """How what happened differs from this, in words; `received` are node ids and bodies. Empty when it does not."""
        given = (("status", (self.status,), status), ("action", (self.action,), action), ("code", self.codes, code))
        found = [f"{name} is `{is_}`, not `{wanted[0]}`" for name, wanted, is_ in given if is_ not in wanted]
        found += [f"`{node}` received it" for node, _ in received if node not in self.nodes]
        if self.nodes and not received:
            found.append("no node received it")
        bodies = [_readable(body) for _, body in received]
        found += [f"a node received `{text}`" for text in self.withheld if any(text in body for body in bodies)]
        found += [
            f"no `{text[:40]}` was received" for text in self.received if not any(text in body for body in bodies)
        ]
        return tuple(found)


def _readable(body: bytes) -> str:
    """The body as it stands, and with the escapes of JSON resolved: a text hides in neither."""
    try:
        plain = json.dumps(json.loads(body), ensure_ascii=False)
    except ValueError:
        plain = ""
    return body.decode("utf-8", "replace") + plain


@frozen
class Step:
    """One request. `stop` names the demo nodes that are taken down before it."""

    title: str
    model: str
    content: Any = field(repr=False)
    expected: Expectation
    stream: bool = False
    stop: tuple[str, ...] = ()


STEPS = (
    Step(
        title="clean question",
        model=US_ONLY,
        content="Explain in one sentence why the sky is blue.",
        expected=Expectation(status=200, action="allow", nodes=(CLOUD_US,), received=("why the sky is blue",)),
    ),
    Step(
        title="clean question, streamed",
        model=EVERYWHERE,
        content="Name three primary colours.",
        stream=True,
        expected=Expectation(status=200, action="allow", nodes=(DEVICE_DE,), received=("three primary colours",)),
    ),
    Step(
        title="e-mail and phone",
        model=US_ONLY,
        content="Draft a reply to anna.schmidt@example.com and ask her to call me back on (212) 555-0142.",
        expected=Expectation(
            status=200,
            action="allow_modified",
            nodes=(CLOUD_US,),
            received=("reply to <EMAIL_ADDRESS_1> and", "back on <PHONE_NUMBER_1>."),
            withheld=("anna.schmidt", "555-0142"),
        ),
    ),
    Step(
        title="German health data",
        model=EVERYWHERE,
        content="Patientin mit Diabetes und Depression, Krankenversichertennummer A123456780, "
        "Telefon +49 30 901820: fasse den Befund zusammen.",
        stream=True,
        expected=Expectation(
            status=200,
            action="allow_modified",
            nodes=_OWN_IN_DE,
            received=("Diabetes", "<DE_HEALTH_INSURANCE_1>"),
            withheld=("A123456780",),
        ),
    ),
    Step(
        title="a neighbour's illness",
        model=EVERYWHERE,
        content="Our neighbour Tomasz Kowalski began dialysis on Tuesday. What could we bring him?",
        expected=Expectation(
            status=200,
            action="allow_modified",
            nodes=_OWN_IN_DE,
            received=("Our neighbour <PERSON_1> began dialysis",),
            withheld=("Tomasz", "Kowalski"),
        ),
    ),
    Step(
        title="card to a US-only model",
        model=US_ONLY,
        content="Why was my card 4111 1111 1111 1111 declined at the shop yesterday?",
        expected=Expectation(
            status=200,
            action="allow_modified",
            nodes=(CLOUD_US,),
            received=("my card <CREDIT_CARD_1> declined",),
            withheld=("4111",),
        ),
    ),
    Step(
        title="an API key",
        model=EVERYWHERE,
        content="Why does this fail: AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE aws s3 ls",
        expected=Expectation(
            status=403, action="deny", codes=("credentials_found",), withheld=("AKIAIOSFODNN7EXAMPLE",)
        ),
    ),
    Step(
        title="prompt with an image",
        model=EVERYWHERE,
        content=_PICTURE,
        expected=Expectation(status=200, action="allow_modified", nodes=_OWN_IN_DE, received=(_PIXEL,)),
    ),
    Step(
        title="image to a US-only model",
        model=US_ONLY,
        content=_PICTURE,
        expected=Expectation(status=403, action="deny", codes=("placement_impossible",)),
    ),
    Step(
        title="oversized body",
        model=EVERYWHERE,
        content="lorem ipsum " * 800_000,
        expected=Expectation(status=413, action="deny", codes=("request_too_large",), withheld=("lorem ipsum",)),
    ),
    Step(
        title="health data, its nodes down",
        model=EVERYWHERE,
        content="Patient mit Asthma, Krankenversichertennummer A123456780: welche Therapie passt?",
        stop=_OWN_IN_DE,
        expected=Expectation(status=503, action="allow_modified", codes=_DOWN, withheld=("Patient mit Asthma",)),
    ),
)
