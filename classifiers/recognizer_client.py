"""The parent's side of `classifiers.recognizer_host`: a child process, texts in, findings out, and an end at the deadline."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, final

from classifiers.recognizer_host import LOADING_S, MAX_FOUND
from classifiers.registry_file import OwnPattern
from governance.child import Children, Ended, Loading, Overrun
from governance.errors import ConfigInvalid
from governance.finding import SEVERITY, Category, DetectionStatus, DetectorRun, Finding
from governance.frozen import frozen
from governance.segment import Span

MAX_ANSWER_BYTES: Final = 8 << 20
_ENTITY = re.compile(r"[A-Z][A-Z0-9_]{1,63}")


@frozen
class Extra:
    """What recognisers found in one text; `segment` of the findings is 0. One run for each recogniser, in order."""

    findings: tuple[Finding, ...]
    runs: tuple[DetectorRun, ...]


@final
class RecognizerClient:
    """Recognisers in a child process. Safe between threads; one text at a time.

    A child that overruns is killed, and the next text waits for its successor until its own deadline.
    LIMIT: importing Presidio takes the successor seconds, and what is asked meanwhile ends as `timeout`. A class that can
    be hung by a text is so a way to keep requests out; it is never one to get them past.
    """

    def __init__(self, *, patterns: Sequence[OwnPattern], classes: Sequence[str], floor_permille: int) -> None:
        """Starts the child and returns once all is loaded. Raises ConfigInvalid, which names the entry."""
        self._entries = [*(each.recognizer for each in patterns), *classes]
        self._floor = floor_permille
        self._lock = threading.Lock()
        self._described: tuple[tuple[str, str], ...] = ()
        self._children = Children(
            "classifiers.recognizer_host",
            _json({"patterns": [asdict(each) for each in patterns], "classes": list(classes)}),
            accept=self._accept,
            loading_s=LOADING_S,
            max_answer_bytes=MAX_ANSWER_BYTES,
        )
        try:
            self._children.ready(time.monotonic() + LOADING_S)
        except Loading:
            self._children.close()
            raise ConfigInvalid(f"the recognisers were not loaded within {LOADING_S:.0f} seconds") from None
        except Ended:
            raise ConfigInvalid("the recognisers' process ended while it loaded them") from None

    @property
    def version(self) -> str:
        """Names the recognisers and their versions."""
        return " ".join(f"{name}={version}" for name, version in self._described)

    def find(self, text: str, *, deadline: float) -> Extra:
        """What the recognisers find in `text` until `deadline` (`time.monotonic`). Raises nothing that quotes it."""
        answers: list[Any] = []
        left = deadline - time.monotonic()
        if left > 0 and self._lock.acquire(timeout=left):
            try:
                self._ask(text, deadline, answers)
            except (Overrun, OSError, ConfigInvalid):
                pass
            except ValueError:
                self._children.replace()
            finally:
                self._lock.release()
        findings: list[Finding] = []
        runs: list[DetectorRun] = []
        for number, (name, version) in enumerate(self._described):
            status = DetectionStatus.TIMEOUT
            if number < len(answers):
                status, found = self._read(answers[number], name, len(text))
                findings += found
            runs.append(DetectorRun(id=name, version=version, status=status))
        return Extra(findings=tuple(findings), runs=tuple(runs))

    def close(self) -> None:
        """Ends the child."""
        with self._lock:
            self._children.close()

    def _ask(self, text: str, deadline: float, answers: list[Any]) -> None:
        self._children.send(_json(text), deadline)
        for _ in self._described:
            answers.append(json.loads(self._children.receive(deadline)))  # noqa: PERF401 - what came before an end is kept

    def _accept(self, raw: bytes) -> None:
        """What was loaded once is what is loaded again."""
        answer = json.loads(raw)
        if "ready" not in answer:
            entry = self._entries[answer["bad"]]
            raise ConfigInvalid(f"recogniser `{entry}` cannot be loaded: {answer['error']}")
        self._described = tuple((each["id"][:64], each["version"][:64]) for each in answer["ready"])

    def _read(self, answer: Any, name: str, length: int) -> tuple[DetectionStatus, tuple[Finding, ...]]:
        """The status and findings in an answer; what is no finding in this text makes it partial."""
        status = DetectionStatus(answer["status"])
        found: list[Finding] = []
        for entity, start, end, permille, country in answer["found"][:MAX_FOUND]:
            if not (0 <= start < end <= length and _ENTITY.fullmatch(entity) and 0 <= permille <= 1000):
                status = max(status, DetectionStatus.PARTIAL, key=SEVERITY.index)
                continue
            if permille >= self._floor:
                found.append(
                    Finding(
                        segment=0,
                        entity_type=entity,
                        span=Span(start=start, end=end),
                        permille=permille,
                        detector=name,
                        country=country,
                        validated=permille == 1000,
                        category=Category.PERSONAL,
                    )
                )
        return status, tuple(found)


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii")
