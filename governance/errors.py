"""Everything that can go wrong on the path, and what a caller may be told.

    GovernanceError
     +-- MalformedRequest        the request cannot be read in exactly one way
     +-- UnsupportedOperation    this endpoint is not known here
     +-- RequestTooLarge         a limit on size, depth or count was reached
     +-- Overloaded              other requests take all the room that there is
     +-- DetectorUnavailable     detection failed
     +-- PolicyUnavailable       no policy could be asked
     +-- PolicyResultInvalid     a policy answered something that is not an effect
     +-- ExchangeAborted         the caller or Envoy went away before the verdict
     +-- PlacementUnavailable    the pool is known, the data plane does not serve it yet
     +-- AuditUnavailable        the record could not be made durable
     +-- ConfigInvalid           the operator's files cannot be used

Each carries a stable `code`. Messages are written by us and hold numbers and closed words only, never content.
"""

from __future__ import annotations


class GovernanceError(Exception):
    """Root of all errors that end in a refusal. `code` is stable and safe to show."""

    code = "internal_error"
    retry_after_s: int | None = None

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        super().__init__(message or self.code)
        if code is not None:
            self.code = code


def told(error: Exception) -> GovernanceError:
    """`error`, or of one that is not ours its kind alone: its message may quote content."""
    return error if isinstance(error, GovernanceError) else GovernanceError(type(error).__name__)


class MalformedRequest(GovernanceError):
    """The body or its encoding cannot be read in exactly one way. Its message is one of our constants: callers are told it."""

    code = "malformed_request"


class UnsupportedOperation(GovernanceError):
    """No dialect knows this method and path."""

    code = "unsupported_operation"


class RequestTooLarge(GovernanceError):
    """A configured limit was exceeded: bytes on the wire, bytes decoded, depth or number of values."""

    code = "request_too_large"

    def __init__(self, message: str = "", *, limit: int, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.limit = limit


class Overloaded(GovernanceError):
    """Bodies that are being read take all the room that they may; the caller may retry."""

    code = "overloaded"
    retry_after_s = 1


class DetectorUnavailable(GovernanceError):
    """Detection could not run."""

    code = "detector_unavailable"


class PolicyUnavailable(GovernanceError):
    """No engine could evaluate the policies."""

    code = "policy_unavailable"


class PolicyResultInvalid(GovernanceError):
    """A policy's output is not a set of effects."""

    code = "policy_error"


class ExchangeAborted(GovernanceError):
    """The exchange ended before the request was complete or judged. For the record: nobody reads the answer."""

    code = "exchange_aborted"


class PlacementUnavailable(GovernanceError):
    """The data plane does not serve the pool yet; the caller may retry."""

    code = "placement_pending"

    def __init__(self, message: str = "", *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AuditUnavailable(GovernanceError):
    """The audit log cannot make a record durable."""

    code = "audit_unavailable"


class ConfigInvalid(GovernanceError):
    """A file of the operator cannot be used. `file` and `line` (1-based) say where."""

    code = "config_invalid"

    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(place + message)
        self.file = file
        self.line = line
