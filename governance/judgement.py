"""What the path found out about one request, complete or up to the step that failed."""

from __future__ import annotations

from governance.decision import Decision
from governance.denial import Denial, of_error
from governance.enforcement import Enforcement, Refuse
from governance.errors import GovernanceError
from governance.facts import Facts
from governance.finding import Detection
from governance.frozen import frozen
from governance.gather import Caller
from governance.inference import InferenceRequest, RequestHead
from governance.interfaces import Receipt
from governance.record import DecisionRecord
from governance.sensitive import SensitiveBytes

REFUSED = Refuse(denial=of_error(GovernanceError()))


@frozen
class Arrival:
    """A request as it came. `problem` is set when the edge already knows that it must be refused.

    A body that goes on in place of this one has at most `longest` bytes, or any number where that is None.
    """

    head: RequestHead
    body: SensitiveBytes
    problem: GovernanceError | None = None
    longest: int | None = None


@frozen
class Judgement:
    """What is known about a request, and what follows. Nothing known is a refusal."""

    decision_id: str
    arrival: Arrival
    caller: Caller | None = None
    request: InferenceRequest | None = None
    detection: Detection | None = None
    facts: Facts | None = None
    decision: Decision | None = None
    enforcement: Enforcement = REFUSED
    us_detect: int = 0
    us_policy: int = 0


@frozen
class Admission:
    """What may happen now. The receipt proves that `record` is on disk."""

    record: DecisionRecord
    enforcement: Enforcement
    receipt: Receipt


@frozen
class Unrecorded:
    """The record could not be made durable: nothing but this refusal may leave."""

    record: DecisionRecord
    denial: Denial
