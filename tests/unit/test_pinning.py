"""From pins to nodes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.decision import AnyOf, AnyTier, Excluded, Pin
from governance.nodes.node import Node
from governance.pinning import admissible
from governance.policy.components import join_pins
from governance.residency import Tier


def node(name: str, country: str, tier: Tier = Tier.ON_PREM, **changes: Any) -> Node:
    values: dict[str, Any] = {"address": "127.0.0.1:1", "region": "r", "models": ("m",), **changes}
    return Node(id=name, country=country, tier=tier, **values)


FLEET = (
    node("desk", "DE", Tier.DEVICE, provider="own"),
    node("rack", "DE", region="eu-1", certifications=("iso27001", "c5"), provider="own"),
    node("fjord", "no", Tier.CLOUD, region="eu-2", certifications=("iso27001",), provider="p1"),
    node("east", "US", Tier.CLOUD, region="us-1", certifications=("hipaa",), provider="p2"),
    node("other", "DE", models=("n",)),
)


@pytest.mark.parametrize(
    ("pin", "expected"),
    [
        pytest.param(Pin(), ["desk", "rack", "fjord", "east"], id="no pin"),
        pytest.param(Pin(countries=AnyOf(any=("DE",))), ["desk", "rack"], id="country"),
        pytest.param(Pin(countries=AnyOf(any=("de", "No"))), ["desk", "rack", "fjord"], id="any case"),
        pytest.param(Pin(countries=AnyOf(any=("EU",))), ["desk", "rack"], id="EU"),
        pytest.param(Pin(countries=AnyOf(any=("eea",))), ["desk", "rack", "fjord"], id="EEA"),
        pytest.param(Pin(countries=AnyOf(any=("ZZ",))), [], id="unknown country"),
        pytest.param(Pin(countries=AnyOf(any=())), [], id="nothing is admissible"),
        pytest.param(Pin(regions=AnyOf(any=("eu-1", "us-1"))), ["rack", "east"], id="region"),
        pytest.param(Pin(regions=AnyOf(any=("EU-1",))), [], id="regions are exact"),
        pytest.param(Pin(tiers=AnyTier(any=(Tier.DEVICE, Tier.ON_PREM))), ["desk", "rack"], id="tier"),
        pytest.param(Pin(nodes=AnyOf(any=("east", "other"))), ["east"], id="node that serves the model"),
        pytest.param(Pin(providers=AnyOf(any=("own", "p1"))), ["desk", "rack", "fjord"], id="provider"),
        pytest.param(Pin(certifications=AnyOf(any=("c5", "hipaa"))), ["rack", "east"], id="one of any certification"),
        pytest.param(
            Pin(countries=AnyOf(any=("EEA",)), tiers=AnyTier(any=(Tier.CLOUD,))), ["fjord"], id="every dimension"
        ),
        pytest.param(Pin(exclude=Excluded(countries=("eu",))), ["fjord", "east"], id="group excluded"),
        pytest.param(Pin(exclude=Excluded(regions=("us-1",))), ["desk", "rack", "fjord"], id="region excluded"),
        pytest.param(Pin(exclude=Excluded(tiers=(Tier.CLOUD,))), ["desk", "rack"], id="tier excluded"),
        pytest.param(Pin(exclude=Excluded(nodes=("desk",))), ["rack", "fjord", "east"], id="node excluded"),
        pytest.param(Pin(exclude=Excluded(providers=("own",))), ["fjord", "east"], id="provider excluded"),
        pytest.param(
            Pin(exclude=Excluded(certifications=("c5", "hipaa"))), ["desk", "fjord"], id="certification excluded"
        ),
        pytest.param(
            Pin(countries=AnyOf(any=("DE",)), exclude=Excluded(nodes=("rack",))), ["desk"], id="exclusion wins"
        ),
    ],
)
def test_a_pin_selects_nodes(pin: Pin, expected: list[str]) -> None:
    """The nodes of the model that satisfy every dimension, in the order of the fleet."""
    assert [found.id for found in admissible(pin, FLEET, model="m")] == expected


def test_an_unserved_model_has_no_node() -> None:
    """No pin makes a node serve what it does not."""
    assert admissible(Pin(), FLEET, model="x") == ()


values = st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple)
any_of = st.none() | values.map(lambda found: AnyOf(any=found))
countries = st.lists(st.sampled_from(["DE", "no", "US", "EU", "EEA"]), max_size=3).map(tuple)
tiers = st.lists(st.sampled_from([Tier.DEVICE, Tier.CLOUD]), max_size=2).map(tuple)
pins = st.builds(
    Pin,
    countries=st.none() | countries.map(lambda found: AnyOf(any=found)),
    regions=any_of,
    tiers=st.none() | tiers.map(lambda found: AnyTier(any=found)),
    nodes=any_of,
    providers=any_of,
    certifications=any_of,
    exclude=st.builds(
        Excluded,
        countries=st.just(()) | countries,
        regions=st.just(()) | values,
        tiers=st.just(()) | tiers,
        nodes=st.just(()) | values,
        providers=st.just(()) | values,
        certifications=st.just(()) | values,
    ),
)
nodes = st.builds(
    node,
    name=st.sampled_from(["a", "b", "c"]),
    country=st.sampled_from(["DE", "NO", "US"]),
    tier=st.sampled_from([Tier.DEVICE, Tier.CLOUD]),
    region=st.sampled_from(["a", "b"]),
    provider=st.sampled_from(["a", "b"]),
    certifications=values,
)


@settings(max_examples=200, deadline=None)
@given(pins, pins, st.lists(nodes, max_size=6))
def test_joining_pins_admits_only_what_each_admits(one: Pin, other: Pin, fleet: list[Node]) -> None:
    """The nodes of a joined pin satisfy both pins, and where certifications play no part they are exactly those."""
    both = [found for found in admissible(one, fleet, model="m") if found in admissible(other, fleet, model="m")]
    joined = list(admissible(join_pins([one, other]), fleet, model="m"))

    assert [found for found in both if found in joined] == joined
    assert joined == both or (one.certifications is not None and other.certifications is not None)
