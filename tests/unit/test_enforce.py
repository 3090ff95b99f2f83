"""What a decision amounts to for a request."""

from __future__ import annotations

import pytest

from governance.decision import AnyOf, Deny, Header, Obligations, Operator, OperatorParams, Pin, Redact, Respond, Route
from governance.enforce import enforce
from governance.enforcement import Answer, Enforcement, Forward, Refuse
from governance.errors import RequestTooLarge
from governance.finding import Finding
from governance.inference import InferenceRequest, Operation
from governance.judgement import Arrival
from governance.nodes.node import Node, pool_of
from governance.sensitive import SensitiveBytes
from tests.builders import chat, decision, detection, finding, head, node

KEY = b"k" * 32
GERMAN, AMERICAN = node("de"), node("us", country="US")


def run(
    obligations: Obligations | None = None,
    *,
    request: InferenceRequest | None = None,
    nodes: tuple[Node, ...] = (GERMAN, AMERICAN),
    deny: Deny | None = None,
    arrived: bytes = b"x" * 40,
    longest: int | None = None,
    findings: tuple[Finding, ...] = (),
) -> Enforcement:
    decided = decision(deny, obligations=obligations or Obligations())
    arrival = Arrival(head=head(), body=SensitiveBytes(arrived), longest=longest)
    return enforce(request or chat("hello"), detection(*findings), decided, nodes, key=KEY, arrival=arrival)


def code(enforcement: Enforcement) -> tuple[int, str]:
    assert isinstance(enforcement, Refuse)
    return enforcement.denial.status, enforcement.denial.code


def test_a_denied_request_is_refused_with_the_policys_code() -> None:
    """Status and code come from the decision; obligations do not matter then."""
    deny = Deny(status=451, code="credentials_found", message_id="credentials_found", policy="p")

    assert code(run(Obligations(response=Respond(inspect="stream")), deny=deny)) == (451, "credentials_found")


def test_an_allowed_request_goes_to_every_node_with_its_model() -> None:
    """Without a pin the pool is all nodes that serve the model; the bytes go on as they came."""
    assert run() == Forward(pool=pool_of([GERMAN, AMERICAN]))


def test_a_pin_narrows_the_pool() -> None:
    """Only nodes inside the pin are in the pool."""
    assert run(Obligations(pin=Pin(countries=AnyOf(any=("EU",))))) == Forward(pool=pool_of([GERMAN]))


def test_a_pin_without_a_node_is_refused() -> None:
    """Nothing admissible is a refusal, never the rest of the fleet."""
    assert code(run(Obligations(pin=Pin(countries=AnyOf(any=("FR",)))))) == (403, "placement_impossible")


def test_a_model_that_no_node_serves_is_not_found() -> None:
    """The caller learns that the model is unknown."""
    assert code(run(request=chat("a", model="other"))) == (404, "model_not_found")


@pytest.mark.parametrize(
    "obligations",
    [
        Obligations(route=Route(model="m2")),
        Obligations(route=Route(model="m2", tools_allowed=("search",))),
        Obligations(route=Route(max_tokens=5)),
        Obligations(response=Respond(inspect="buffered")),
        Obligations(headers=Header(set={"content-length": "1"})),
        Obligations(headers=Header(set={"x-ringfence-cell": "cell-us"})),
        Obligations(headers=Header(set={"proxy-team": "a"})),
        Obligations(headers=Header(set={"x-team": "a\r\nx-other: b"})),
        Obligations(headers=Header(remove=("host",))),
        Obligations(headers=Header(remove=("content-encoding",))),
        Obligations(redact=(Redact(entity="*", operator=Operator.TOKENISE),)),
        Obligations(
            redact=(Redact(entity="*", operator=Operator.PSEUDONYMISE, params=OperatorParams(key_id="tenant")),)
        ),
        Obligations(redact=(Redact(entity="*", operator=Operator.REPLACE, params=OperatorParams(format="fpe")),)),
    ],
)
def test_an_obligation_that_cannot_be_kept_is_a_refusal(obligations: Obligations) -> None:
    """What we cannot do, or must not write, is never skipped in silence."""
    assert code(run(obligations)) == (501, "obligation_unsupported")


def test_changes_of_headers_that_can_be_made_go_along() -> None:
    """Odd names and values are names and values."""
    forward = run(Obligations(headers=Header(set={"x-team!": "a\tb"}, remove=("user-agent", "accept"))))

    assert isinstance(forward, Forward)
    assert ((("x-team!", "a\tb"),), ("user-agent", "accept")) == (forward.set_headers, forward.remove_headers)


def test_a_value_that_blocks_refuses_the_request() -> None:
    """`block` is a refusal where the value is there, and nothing where it is not."""
    blocking = Obligations(redact=(Redact(entity="EMAIL_ADDRESS", operator=Operator.BLOCK),))

    assert code(run(blocking, findings=(finding("EMAIL_ADDRESS", 0, 3),))) == (403, "content_blocked")
    assert isinstance(run(blocking), Forward)


def test_a_tool_that_is_not_allowed_refuses_the_request() -> None:
    """A subset of the allowed tools goes on; without a list every tool does."""
    allowed = Obligations(route=Route(tools_allowed=("search", "time")))

    assert isinstance(run(allowed, request=chat("a", tools=("time",))), Forward)
    assert code(run(allowed, request=chat("a", tools=("shell", "time")))) == (403, "tool_not_allowed")
    assert isinstance(run(request=chat("a", tools=("shell",))), Forward)


def test_listing_is_answered_with_every_model_sorted() -> None:
    """The listing never reaches a node."""
    nodes = (node("a", models=("z", "m")), node("b", models=("a",)))

    assert run(request=chat(operation=Operation.LIST_MODELS, model=""), nodes=nodes) == Answer(models=("a", "m", "z"))


def test_a_body_that_was_encoded_goes_on_decoded() -> None:
    """What was inspected is what is sent: the identity form replaces the compressed one."""
    request = chat("hello", body=SensitiveBytes(b"decoded"))

    forward = run(request=request, arrived=b"compressed")

    assert isinstance(forward, Forward)
    assert forward.body == SensitiveBytes(b"decoded")


def test_a_body_that_grew_beyond_what_can_be_sent_is_too_large() -> None:
    """Up to the limit it goes on; one that goes on as it came was taken in, and so can be sent."""
    grown = chat("hello", body=SensitiveBytes(b"x" * 50))

    assert isinstance(run(request=grown, longest=50), Forward)
    with pytest.raises(RequestTooLarge) as refused:
        run(request=grown, longest=49)
    assert 49 == refused.value.limit
    assert isinstance(run(request=grown, arrived=b"x" * 50, longest=49), Forward)
    assert isinstance(run(request=grown), Forward)
