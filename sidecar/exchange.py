"""One request's conversation with Envoy as a state machine without I/O: events in, actions out.

    IDLE --head--> READING --end of body--> JUDGING --verdict--> DONE
      `------ head alone, or a whole -------^

INVARIANT: nothing is said to Envoy before a verdict made from a durable record (`Admission`), and nothing after it: Envoy
may repeat the end of a body (envoyproxy/envoy#46237).
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum, auto

from governance.decision import Action
from governance.dialects import routes
from governance.enforcement import Answer, Forward, Refuse
from governance.errors import GovernanceError, MalformedRequest, Overloaded, RequestTooLarge
from governance.frozen import frozen
from governance.inference import RequestHead
from governance.judgement import Admission, Arrival, Unrecorded
from governance.sensitive import SensitiveBytes
from sidecar.intake import Intake

# A refused body is read up to here, and thrown away, before the refusal is sent.
DRAIN_BYTES = 64 * 1024 * 1024


@frozen
class Whole:
    """A request in one message: its head, as far as it is read, and its body."""

    head: RequestHead
    body: bytes = field(repr=False)


@frozen
class Head:
    """The head of a request whose body, if it has one, follows in pieces."""

    head: RequestHead
    end_of_stream: bool


@frozen
class BodyChunk:
    """The next piece of a body."""

    data: bytes = field(repr=False)
    end_of_stream: bool


@frozen
class Trailers:
    """The end of a body that has trailers."""


@frozen
class Judge:
    """Put the arrival through the pipeline and bring the verdict."""

    arrival: Arrival


class Shape(Enum):
    """The messages that a request came in; a release answers the same ones."""

    WHOLE = auto()
    HEAD = auto()
    STREAM = auto()


@frozen
class Release:
    """Let the request go to `forward.pool`. `arrival` is what came, its body as it was before any edit."""

    decision_id: str
    action: Action
    forward: Forward
    shape: Shape
    arrival: Arrival


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
    """The state of one ext_proc stream. Not thread safe; owned by the handler of that stream.

    A body of more than `max_body_bytes` is refused, as is one in pieces that finds no room in `intake`; `close` makes
    room again. What replaces a body that came in one message has at most `max_whole_bytes`; a streamed one may be
    replaced by any.
    """

    def __init__(self, *, max_body_bytes: int, max_whole_bytes: int, intake: Intake) -> None:
        self._max_body_bytes = max_body_bytes
        self._max_whole_bytes = max_whole_bytes
        self._intake = intake
        self._state = _State.IDLE
        self._shape = Shape.HEAD
        self._head: RequestHead | None = None
        self._problem: GovernanceError | None = None
        self._body = bytearray()
        self._received = self._held = 0
        self._arrival: Arrival | None = None

    @property
    def head(self) -> RequestHead | None:
        """The request's head once it has arrived."""
        return self._head

    @property
    def is_reading(self) -> bool:
        """True from the head until there is something to judge: an exchange that ends in between is an aborted one."""
        return self._state is _State.READING

    def receive(self, event: Event) -> Judge | None:
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
            case _State.READING, Trailers():
                # Nobody reads them; and a node would get what came before them twice (seen on Envoy 1.40, HTTP/2).
                self._problem = self._problem or MalformedRequest("trailers")
                return self._judge(b"")
            case _:
                raise ExchangeBroken(f"{type(event).__name__} while {self._state.name}")

    def conclude(self, verdict: Admission | Unrecorded) -> Release | Respond:
        """The final answer. Only an Admission that forwards yields a Release."""
        if self._state is not _State.JUDGING or self._arrival is None:
            raise ExchangeBroken(f"verdict while {self._state.name}")
        self._state = _State.DONE
        head = self._arrival.head
        match verdict:
            case Unrecorded():
                return Respond(reply=routes.refusal(head, verdict.denial, verdict.record.id))
            case Admission(enforcement=Refuse() as refused):
                return Respond(reply=routes.refusal(head, refused.denial, verdict.record.id))
            case Admission(enforcement=Answer() as answer):
                return Respond(reply=routes.listing(head, answer.models, verdict.record.id))
            case Admission(enforcement=Forward() as forward):
                return Release(
                    decision_id=verdict.record.id,
                    action=verdict.record.action,
                    forward=forward,
                    shape=self._shape,
                    arrival=self._arrival,
                )
            case _:
                raise ExchangeBroken("verdict without enforcement")

    def close(self) -> None:
        """To be called once, when nothing needs the body any more."""
        self._intake.give_back(self._held)
        if self._shape is Shape.STREAM:
            self._intake.close()

    def _take(self, event: Whole) -> Judge:
        self._head, self._shape = event.head, Shape.WHOLE
        self._problem = self._screen(event.head, len(event.body))
        return self._judge(event.body if self._problem is None else b"")

    def _start(self, event: Head) -> Judge | None:
        self._head = event.head
        declared = _declared(event.head)
        self._problem = self._screen(event.head, declared)
        if event.end_of_stream or self._cannot_wait(declared):
            return self._judge(b"")
        if not self._intake.open():
            self._problem = self._problem or Overloaded()
            return self._judge(b"")
        self._state, self._shape = _State.READING, Shape.STREAM
        return None

    def _screen(self, head: RequestHead, size: int) -> GovernanceError | None:
        try:
            routes.classify(head)
        except GovernanceError as error:
            return error
        return RequestTooLarge(limit=self._max_body_bytes) if size > self._max_body_bytes else None

    def _cannot_wait(self, declared: int) -> bool:
        """A refused request is read to its end, as a client that is cut off while it sends often loses the answer.

        Not when it would never end: an upgrade has no end (envoyproxy/envoy#47081), and a body may be too long to read.
        """
        return self._problem is not None and (self._problem.code == "upgrade_refused" or declared > DRAIN_BYTES)

    def _read(self, event: BodyChunk) -> Judge | None:
        self._received += len(event.data)
        if self._received > self._max_body_bytes:
            self._problem = self._problem or RequestTooLarge(limit=self._max_body_bytes)
        if self._problem is None and not self._intake.take(len(event.data)):
            self._problem = Overloaded()
        if self._problem is None:
            self._body += event.data
            self._held += len(event.data)
        else:
            self._body.clear()
            self._intake.give_back(self._held)
            self._held = 0
        if event.end_of_stream or self._received > DRAIN_BYTES:
            body = bytes(self._body)
            self._body.clear()
            return self._judge(body)
        return None

    def _judge(self, body: bytes) -> Judge:
        assert self._head is not None  # noqa: S101  every state that judges has a head
        self._state = _State.JUDGING
        longest = self._max_whole_bytes if self._shape is Shape.WHOLE else None
        self._arrival = Arrival(head=self._head, body=SensitiveBytes(body), problem=self._problem, longest=longest)
        return Judge(arrival=self._arrival)


def _declared(head: RequestHead) -> int:
    length = head.header("content-length") or ""
    return int(length[:19]) if length.isascii() and length.isdigit() else 0
