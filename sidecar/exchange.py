"""One request's conversation with Envoy as a state machine without I/O: events in, actions out.

    IDLE --head--> READING --body--> JUDGING --verdict--> DONE
      `--- head alone, or a whole ----^

INVARIANT: nothing that lets a request go on leaves before a verdict made from a durable record (`Admission`); each
message is answered at most once; after DONE every event is ignored (Envoy may repeat the end of a body,
envoyproxy/envoy#46237).
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum, auto

from governance.decision import Action
from governance.dialects import routes
from governance.enforcement import Answer, Forward, Refuse
from governance.errors import GovernanceError, RequestTooLarge
from governance.frozen import frozen
from governance.inference import RequestHead
from governance.judgement import Admission, Arrival, Unrecorded
from governance.sensitive import SensitiveBytes

# A refused body is read up to here, and thrown away, before the refusal is sent.
DRAIN_BYTES = 64 * 1024 * 1024


@frozen
class Head:
    """Request headers. `duplex` is True when Envoy streams the body (FULL_DUPLEX_STREAMED)."""

    head: RequestHead
    end_of_stream: bool
    duplex: bool


@frozen
class BodyChunk:
    """The buffered body, or the next piece of a streamed one."""

    data: bytes = field(repr=False)
    end_of_stream: bool


@frozen
class Whole:
    """Request headers, as far as they are read, and the buffered body in one message."""

    head: RequestHead
    body: bytes = field(repr=False)


@frozen
class Trailers:
    """The end of a streamed body that has trailers."""


@frozen
class ReadOn:
    """Answer the headers so that Envoy sends the buffered body. Nothing goes upstream by this."""


@frozen
class Judge:
    """Put the arrival through the pipeline and bring the verdict."""

    arrival: Arrival


class Place(Enum):
    """Which message the verdict answers."""

    HEADERS = auto()
    BODY = auto()
    STREAM = auto()


@frozen
class Release:
    """Let the request go to `forward.pool`, with the verdict in the answer to `place`."""

    decision_id: str
    action: Action
    forward: Forward
    place: Place
    body: SensitiveBytes


@frozen
class Respond:
    """Answer the caller ourselves; nothing goes upstream."""

    reply: routes.Reply


Event = Whole | Head | BodyChunk | Trailers


class ExchangeBroken(Exception):
    """Envoy sent what the protocol does not allow here; the stream must fail, which refuses the request."""


class _State(Enum):
    IDLE = auto()
    READING = auto()
    JUDGING = auto()
    DONE = auto()


class Exchange:
    """The state of one ext_proc stream. Not thread safe; owned by the handler of that stream."""

    def __init__(self, *, max_body_bytes: int, max_streamed_bytes: int | None) -> None:
        self._max_body_bytes = max_body_bytes
        self._max_streamed_bytes = max_streamed_bytes or max_body_bytes
        self._state = _State.IDLE
        self._place = Place.HEADERS
        self._head: RequestHead | None = None
        self._problem: GovernanceError | None = None
        self._body = bytearray()
        self._received = 0
        self._judged = SensitiveBytes(b"")

    @property
    def head(self) -> RequestHead | None:
        """The request's head once it has arrived."""
        return self._head

    @property
    def is_reading(self) -> bool:
        """True from the head until there is something to judge: an exchange that ends in between is an aborted one."""
        return self._state is _State.READING

    def receive(self, event: Event) -> ReadOn | Judge | None:
        """The reaction to the next message from Envoy, or None. Raises ExchangeBroken out of order."""
        match self._state, event:
            case _State.DONE, _:
                return None
            case _State.IDLE, Whole():
                return self._take(event)
            case _State.IDLE, Head():
                return self._start(event)
            case _State.READING, BodyChunk():
                return self._read(event)
            case _State.READING, Trailers() if self._place is Place.STREAM:
                return self._judge(bytes(self._body))
            case _:
                raise ExchangeBroken(f"{type(event).__name__} while {self._state.name}")

    def conclude(self, verdict: Admission | Unrecorded) -> Release | Respond:
        """The final answer. Only an Admission that forwards yields a Release."""
        if self._state is not _State.JUDGING or self._head is None:
            raise ExchangeBroken(f"verdict while {self._state.name}")
        self._state = _State.DONE
        match verdict:
            case Unrecorded():
                return Respond(reply=routes.refusal(self._head, verdict.denial, verdict.record.id))
            case Admission(enforcement=Refuse() as refused):
                return Respond(reply=routes.refusal(self._head, refused.denial, verdict.record.id))
            case Admission(enforcement=Answer() as answer):
                return Respond(reply=routes.listing(self._head, answer.models, verdict.record.id))
            case Admission(enforcement=Forward() as forward):
                return Release(
                    decision_id=verdict.record.id,
                    action=verdict.record.action,
                    forward=forward,
                    place=self._place,
                    body=self._judged,
                )
            case _:
                raise ExchangeBroken("verdict without enforcement")

    def _take(self, event: Whole) -> Judge:
        self._head, self._place = event.head, Place.BODY
        self._problem = self._screen(event.head)
        if self._problem is None and len(event.body) > self._limit:
            self._problem = RequestTooLarge(limit=self._limit)
        return self._judge(event.body if self._problem is None else b"")

    def _start(self, event: Head) -> ReadOn | Judge | None:
        self._head = event.head
        self._place = Place.STREAM if event.duplex else Place.HEADERS
        self._problem = self._screen(event.head)
        if event.end_of_stream or self._cannot_wait():
            return self._judge(b"")
        self._state = _State.READING
        if event.duplex:
            return None
        self._place = Place.BODY
        return ReadOn()

    def _screen(self, head: RequestHead) -> GovernanceError | None:
        try:
            routes.classify(head)
        except GovernanceError as error:
            return error
        return RequestTooLarge(limit=self._limit) if self._declared > self._limit else None

    def _cannot_wait(self) -> bool:
        """A refused request is read to its end, as a client that is cut off while it sends often loses the answer.

        Not when it would never end: an upgrade has no end (envoyproxy/envoy#47081), and a body may be too long to read.
        """
        return self._problem is not None and (self._problem.code == "upgrade_refused" or self._declared > DRAIN_BYTES)

    @property
    def _declared(self) -> int:
        length = (self._head.header("content-length") if self._head else None) or ""
        return int(length[:19]) if length.isascii() and length.isdigit() else 0

    @property
    def _limit(self) -> int:
        return self._max_streamed_bytes if self._place is Place.STREAM else self._max_body_bytes

    def _read(self, event: BodyChunk) -> ReadOn | Judge | None:
        self._received += len(event.data)
        if self._received > self._limit:
            self._problem = self._problem or RequestTooLarge(limit=self._limit)
        if self._problem is None:
            self._body += event.data
        else:
            self._body.clear()
        # BUFFERED sends the whole body in one message, whose end_of_stream is false when trailers follow.
        if event.end_of_stream or self._place is Place.BODY or self._received > DRAIN_BYTES:
            return self._judge(bytes(self._body))
        return None

    def _judge(self, body: bytes) -> Judge:
        assert self._head is not None  # noqa: S101  every state that judges has a head
        self._state = _State.JUDGING
        self._judged = SensitiveBytes(body)
        return Judge(arrival=Arrival(head=self._head, body=self._judged, problem=self._problem))
