"""The requests of the demo: what is asked of which model, and in which state of the fleet."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

EVERYWHERE = "demo-small"
US_ONLY = "demo-us-only"

# A transparent PNG of one pixel, made for this file.
_PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001e221bc33"
        "0000000049454e44ae426082"
    )
).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request. `stop` names the demo nodes that are taken down before it."""

    title: str
    model: str
    content: Any = field(repr=False)
    stream: bool = False
    stop: tuple[str, ...] = ()


STEPS = (
    Step(title="clean question", model=US_ONLY, content="Explain in one sentence why the sky is blue."),
    Step(title="clean question, streamed", model=EVERYWHERE, content="Name three primary colours.", stream=True),
    Step(
        title="e-mail and phone",
        model=US_ONLY,
        content="Draft a reply to anna.schmidt@example.com and ask her to call me back on (212) 555-0142.",
    ),
    Step(
        title="German health data",
        model=EVERYWHERE,
        content="Patientin mit Diabetes und Depression, Krankenversichertennummer A123456780, "
        "Telefon +49 30 901820: fasse den Befund zusammen.",
        stream=True,
    ),
    Step(
        title="card to a US-only model",
        model=US_ONLY,
        content="Why was my card 4111 1111 1111 1111 declined at the shop yesterday?",
    ),
    Step(
        title="an API key",
        model=EVERYWHERE,
        content="Why does this fail: AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE aws s3 ls",
    ),
    Step(
        title="prompt with an image",
        model=EVERYWHERE,
        content=[
            {"type": "text", "text": "What is in this picture?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}},
        ],
    ),
    Step(
        title="image to a US-only model",
        model=US_ONLY,
        content=[
            {"type": "text", "text": "What is in this picture?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}},
        ],
    ),
    Step(title="oversized body", model=EVERYWHERE, content="lorem ipsum " * 800_000),
    Step(
        title="health data, its nodes down",
        model=EVERYWHERE,
        content="Patient mit Asthma, Krankenversichertennummer A123456780: welche Therapie passt?",
        stop=("demo-device-de", "demo-onprem-de"),
    ),
)
