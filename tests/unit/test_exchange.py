"""The ext_proc exchange: which reaction follows which message, and what can never follow."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.denial import Denial
from governance.describe import decision_record
from governance.enforcement import Answer, Forward, Refuse
from governance.errors import MalformedRequest, Overloaded, RequestTooLarge, UnsupportedOperation
from governance.interfaces import Receipt
from governance.judgement import Admission, Arrival, Judgement, Unrecorded
from governance.nodes.node import pool_of
from governance.sensitive import SensitiveBytes
from sidecar.exchange import (
    DRAIN_BYTES,
    BodyChunk,
    Event,
    Exchange,
    ExchangeBroken,
    Head,
    Judge,
    Release,
    Respond,
    Shape,
    Trailers,
    Whole,
)
from sidecar.intake import Intake
from tests.builders import head, node

LONGEST = 120
DENIAL = Denial(status=403, code="denied", message="no")
FORWARD = Forward(pool=pool_of([node()]))
RECORD = decision_record(
    Judgement(decision_id="d", arrival=Arrival(head=head(), body=SensitiveBytes(b""))),
    config_version="",
    commitment_key=b"k",
    us_total=0,
)


def exchange(max_body_bytes: int = 100, intake: Intake | None = None) -> Exchange:
    intake = intake or Intake(max_bytes=max_body_bytes, max_streams=1)
    return Exchange(max_body_bytes=max_body_bytes, max_whole_bytes=LONGEST, intake=intake)


def start(*, end_of_stream: bool = False, **headers: str) -> Head:
    return Head(head=head(**headers), end_of_stream=end_of_stream)


def admitted(enforcement: object) -> Admission:
    return Admission(
        record=RECORD,
        enforcement=enforcement,  # type: ignore[arg-type]
        receipt=Receipt(origin="o", seq=0),
    )


def chunk(data: bytes = b"{}", end_of_stream: bool = True) -> BodyChunk:
    return BodyChunk(data=data, end_of_stream=end_of_stream)


def test_a_request_in_one_message_is_judged_at_once() -> None:
    """Nothing has to be asked for; the verdict answers that message, and what it can send back has a limit."""
    subject = exchange()
    arrival = Arrival(head=head(), body=SensitiveBytes(b"body"), longest=LONGEST)

    assert subject.receive(Whole(head=head(), body=b"body")) == Judge(arrival=arrival)
    assert subject.conclude(admitted(FORWARD)) == Release(
        decision_id="d", action=RECORD.action, forward=FORWARD, shape=Shape.WHOLE, arrival=arrival
    )


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (Whole(head=head(), body=b"x" * 101), RequestTooLarge(limit=100)),
        (Whole(head=head("/v1/unknown"), body=b"body"), UnsupportedOperation("unknown endpoint")),
    ],
)
def test_a_request_in_one_message_that_cannot_be_read_is_judged_without_its_body(
    event: Whole, problem: Exception
) -> None:
    """A limit and an unknown endpoint are found before the body is looked at."""
    judge = exchange().receive(event)

    assert isinstance(judge, Judge)
    assert (judge.arrival.body.reveal(), repr(judge.arrival.problem)) == (b"", repr(problem))


def test_a_streamed_request_is_held_whole_and_released_with_all_of_its_body() -> None:
    """No message is answered before the verdict; the bytes are kept for the release."""
    subject = exchange()
    arrival = Arrival(head=head(), body=SensitiveBytes(b"abc"))

    reactions = [subject.receive(event) for event in (start(), chunk(b"ab", False), chunk(b"c"))]

    assert reactions == [None, None, Judge(arrival=arrival)]
    assert subject.conclude(admitted(FORWARD)) == Release(
        decision_id="d", action=RECORD.action, forward=FORWARD, shape=Shape.STREAM, arrival=arrival
    )


def test_a_request_without_a_body_is_judged_at_its_head() -> None:
    """Nothing follows, and nothing but the head is answered."""
    subject = exchange()

    assert subject.receive(start(end_of_stream=True)) == Judge(arrival=Arrival(head=head(), body=SensitiveBytes(b"")))
    release = subject.conclude(admitted(FORWARD))
    assert isinstance(release, Release)
    assert release.shape is Shape.HEAD


def test_trailers_end_a_body_and_are_refused() -> None:
    """They are content that nobody reads; nothing of the body is kept."""
    subject = exchange()
    subject.receive(start())
    subject.receive(chunk(b"ab", False))

    judge = subject.receive(Trailers())

    assert isinstance(judge, Judge)
    assert (judge.arrival.body.reveal(), repr(judge.arrival.problem)) == (b"", repr(MalformedRequest("trailers")))


def test_an_upgrade_is_refused_at_its_headers() -> None:
    """A request that may never end is not waited for."""
    judge = exchange().receive(start(upgrade="websocket"))

    assert isinstance(judge, Judge)
    assert isinstance(judge.arrival.problem, UnsupportedOperation)


def test_an_unknown_path_is_refused_after_its_body_which_is_thrown_away() -> None:
    """The client has sent all it had to say, so it reads the answer; nothing of the body is kept."""
    subject = exchange()

    assert subject.receive(Head(head=head("/v2/other"), end_of_stream=False)) is None
    judge = subject.receive(chunk(b"body"))

    assert isinstance(judge, Judge)
    assert isinstance(judge.arrival.problem, UnsupportedOperation)
    assert len(judge.arrival.body) == 0


@pytest.mark.parametrize("length", [str(DRAIN_BYTES + 1), "9" * 400])
def test_a_declared_length_that_is_not_worth_reading_is_refused_at_the_headers(length: str) -> None:
    """A body that says it is far too long is not read at all."""
    judge = exchange().receive(start(content_length=length))

    assert isinstance(judge, Judge)
    assert isinstance(judge.arrival.problem, RequestTooLarge)
    assert judge.arrival.problem.limit == 100


@pytest.mark.parametrize("headers", [{"content_length": "250"}, {}], ids=["declared", "undeclared"])
def test_a_streamed_body_over_the_limit_is_read_to_its_end_and_none_of_it_kept(headers: dict[str, str]) -> None:
    """Memory stays bounded, and the refusal comes when the client listens."""
    subject = exchange(max_body_bytes=200)
    subject.receive(start(**headers))

    assert [subject.receive(chunk(b"x" * 150, False)), subject.receive(chunk(b"x" * 51, False))] == [None, None]
    judge = subject.receive(chunk(b"x" * 49))

    assert isinstance(judge, Judge)
    assert isinstance(judge.arrival.problem, RequestTooLarge)
    assert len(judge.arrival.body) == 0


def test_a_body_without_end_is_refused_where_reading_stops() -> None:
    """An undeclared body is drained so far and no further; what follows the verdict is ignored."""
    subject = exchange()
    subject.receive(start())
    piece = chunk(b"x" * (DRAIN_BYTES // 2 + 1), False)

    assert subject.receive(piece) is None
    assert isinstance(subject.receive(piece), Judge)
    subject.conclude(admitted(Refuse(denial=DENIAL)))
    assert subject.receive(chunk(b"x")) is None


def problem(judge: Judge | None) -> Exception | None:
    assert isinstance(judge, Judge)
    assert len(judge.arrival.body) == 0 or judge.arrival.problem is None
    return judge.arrival.problem


def test_bodies_in_pieces_share_the_bytes_that_may_be_held() -> None:
    """The one that finds no room is read to its end, keeps nothing and is refused; a body in one message needs no room."""
    intake = Intake(max_bytes=100, max_streams=8)
    first, second, whole = (exchange(intake=intake) for _ in range(3))
    for subject in (first, second):
        subject.receive(start())

    assert [first.receive(chunk(b"x" * 60, False)), second.receive(chunk(b"x" * 40, False))] == [None, None]
    assert second.receive(chunk(b"x", False)) is None
    assert isinstance(problem(second.receive(chunk(b"x"))), Overloaded)
    assert problem(whole.receive(Whole(head=head(), body=b"x" * 100))) is None
    assert problem(first.receive(chunk(b"x" * 40))) is None


def test_a_judged_body_is_held_until_the_exchange_is_closed() -> None:
    """The verdict still needs it; then there is room again."""
    intake = Intake(max_bytes=100, max_streams=8)
    first, second, third = (exchange(intake=intake) for _ in range(3))
    for subject in (first, second, third):
        subject.receive(start())

    first.receive(chunk(b"x" * 100))
    assert isinstance(problem(second.receive(chunk(b"x"))), Overloaded)
    first.close()
    assert problem(third.receive(chunk(b"x" * 100))) is None


def test_only_so_many_bodies_are_read_in_pieces() -> None:
    """One more is refused at its head; requests without a body, or with all of it, are none."""
    intake = Intake(max_bytes=100, max_streams=1)
    first, second, third = (exchange(intake=intake) for _ in range(3))

    assert first.receive(start()) is None
    assert isinstance(problem(second.receive(start())), Overloaded)
    assert problem(exchange(intake=intake).receive(start(end_of_stream=True))) is None
    assert problem(exchange(intake=intake).receive(Whole(head=head(), body=b"x"))) is None
    for subject in (first, second):
        subject.close()
    assert third.receive(start()) is None


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (admitted(Refuse(denial=DENIAL)), 403),
        (admitted(Answer(models=("m",))), 200),
        (Unrecorded(record=RECORD, denial=Denial(status=503, code="audit_unavailable", message="no")), 503),
    ],
)
def test_what_is_not_forwarded_is_answered_by_us(verdict: Admission | Unrecorded, status: int) -> None:
    """Refusals, listings and unrecorded decisions are replies that carry the decision id."""
    subject = exchange()
    path = "/v1/models" if status == 200 else "/v1/chat/completions"
    method = "GET" if status == 200 else "POST"
    subject.receive(Head(head=head(path, method), end_of_stream=True))

    respond = subject.conclude(verdict)

    assert isinstance(respond, Respond)
    assert respond.reply.status == status
    assert dict(respond.reply.headers)["x-ringfence-decision-id"] == "d"


def test_a_repeated_end_of_body_after_the_verdict_is_ignored() -> None:
    """Envoy may deliver the last chunk twice; it is answered once."""
    subject = exchange()
    subject.receive(start())
    subject.receive(chunk())
    subject.conclude(admitted(FORWARD))

    assert subject.receive(chunk()) is None
    assert not subject.is_reading


def test_a_verdict_cannot_be_used_twice() -> None:
    """The second release of one request breaks the exchange."""
    subject = exchange()
    subject.receive(start(end_of_stream=True))
    subject.conclude(admitted(Refuse(denial=DENIAL)))

    with pytest.raises(ExchangeBroken):
        subject.conclude(admitted(FORWARD))


EVENTS = st.one_of(
    st.builds(start, end_of_stream=st.booleans()),
    st.builds(Whole, head=st.just(head()), body=st.binary(max_size=120)),
    st.builds(chunk, st.binary(max_size=120), st.booleans()),
    st.just(Trailers()),
)


@given(st.lists(EVENTS, max_size=12))
def test_no_order_of_events_leaves_less_room_than_there_was(events: list[Event]) -> None:
    """Whatever Envoy sends, and wherever the exchange ends: all of its room is free again, and no more than that."""
    intake = Intake(max_bytes=150, max_streams=1)
    subject = exchange(intake=intake)
    with suppress(ExchangeBroken):
        for event in events:
            subject.receive(event)
    subject.close()

    assert [True, False] == [intake.open(), intake.open()]
    assert [True, False] == [intake.take(150), intake.take(1)]


@given(st.lists(EVENTS, max_size=12))
def test_no_order_of_events_releases_without_a_verdict_or_reacts_after_it(events: list[Event]) -> None:
    """Whatever Envoy sends: no Release comes from an event, at most one Judge, and silence after the verdict."""
    subject, judged = exchange(), 0
    for event in events:
        try:
            reaction = subject.receive(event)
        except ExchangeBroken:
            return
        assert not isinstance(reaction, Release)
        if isinstance(reaction, Judge):
            judged += 1
            assert isinstance(subject.conclude(admitted(FORWARD)), Release)
        elif judged:
            assert reaction is None
    assert judged <= 1
