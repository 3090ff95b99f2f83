"""The REST interface of Presidio's analyzer and anonymizer services, answered by Ringfence's rules.

Paths, fields and status codes are those of Presidio's published API, so that a gateway that calls Presidio can call this.
Differences:
- without `score_threshold` only what is sure enough to be reported is (0.4); Presidio reports everything then;
- no two results overlap;
- a text that cannot be read to its end is an error and never half an answer;
- rules know no language: every code of two letters is served. Entities that nothing finds (PERSON without a model) are named in the
  header `x-ringfence-unsupported-entities`, and a request for these alone is the error that Presidio gives;
- what comes with a request (ad-hoc recognisers, expressions of allow-lists) runs in a linear engine or not at all.
Nothing of a request is logged.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from typing import Any, Final, final

import orjson
from aiohttp import web

from classifiers.ad_hoc import AdHocInvalid, found_by
from classifiers.analyzer_requests import (
    Question,
    Refused,
    check_language,
    operators_in,
    question_in,
    results_in,
    text_in,
)
from classifiers.explanation import explained
from classifiers.operators import (
    ANONYMIZERS,
    DEANONYMIZERS,
    MAX_CHARS,
    AnswerTooLarge,
    Changed,
    ParameterInvalid,
    anonymized,
    deanonymized,
)
from classifiers.query import RuleQuery, deadline_in
from governance.errors import DetectorUnavailable
from governance.finding import Finding

MAX_BODY_BYTES: Final = 4 << 20
READ_S: Final = 30.0
ANALYSIS_MS: Final = 10_000
# So many requests may be under way; the next one is told to come back.
MAX_WAITING: Final = 64
_THREADS = 2
_UNSUPPORTED = "x-ringfence-unsupported-entities"
_UP = "Ringfence analyzer is up"


async def serve(
    address: str, port: int, *, query: RuleQuery | None = None, started: Callable[[int], None] | None = None
) -> None:
    """Serves until SIGTERM or SIGINT; `started` is told the port. Raises OSError where the address cannot be used."""
    if query is None:
        query = await asyncio.to_thread(RuleQuery)
    runner = await start(query, address, port)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(number, stop.set)
    try:
        if started is not None:
            started(port_of(runner))
        await stop.wait()
    finally:
        await runner.cleanup()


async def start(query: RuleQuery, address: str, port: int) -> web.AppRunner:
    """A running server; port 0 takes a free one. The caller cleans it up. Raises OSError."""
    # aiohttp would log the bytes of requests that it cannot parse.
    quiet = logging.Logger("analyzer", level=logging.CRITICAL + 1)  # noqa: LOG001 - one that nobody can switch on
    runner = web.AppRunner(application(query), access_log=None, logger=quiet, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner


def port_of(runner: web.AppRunner) -> int:
    """The port that a running server listens on."""
    port: int = runner.addresses[0][1]
    return port


def application(query: RuleQuery) -> web.Application:
    """The paths of both services."""
    api = _Api(query)
    app = web.Application(middlewares=[api.in_presidios_form], client_max_size=MAX_BODY_BYTES)
    app.router.add_get("/health", api.health)
    app.router.add_post("/analyze", api.analyze)
    app.router.add_get("/recognizers", api.recognizers)
    app.router.add_get("/supportedentities", api.supported_entities)
    app.router.add_post("/anonymize", api.anonymize)
    app.router.add_get("/anonymizers", api.anonymizers)
    app.router.add_post("/deanonymize", api.deanonymize)
    app.router.add_get("/deanonymizers", api.deanonymizers)
    app.on_cleanup.append(api.close)
    return app


def _answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(document, option=orjson.OPT_SORT_KEYS),
        status=status,
        content_type="application/json",
        headers=headers,
    )


@final
class _Api:
    def __init__(self, query: RuleQuery) -> None:
        self._query = query
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="analyzer")
        self._under_way = 0

    async def close(self, _: web.Application) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    @web.middleware
    async def in_presidios_form(
        self, request: web.Request, handler: Callable[[web.Request], Any]
    ) -> web.StreamResponse:
        """The answer of `handler`; errors become `{"error": ...}`. None of them quotes the request."""
        try:
            response: web.StreamResponse = await handler(request)
        except Refused as refused:
            return _answer({"error": refused.message}, refused.status)
        except web.HTTPException as error:
            return _answer({"error": error.reason}, error.status)
        except (AdHocInvalid, ParameterInvalid) as error:
            return _answer({"error": str(error)}, 422 if isinstance(error, ParameterInvalid) else 400)
        except AnswerTooLarge:
            return _answer({"error": f"the new text may hold {MAX_CHARS} characters at most"}, 413)
        except DetectorUnavailable as error:
            return _answer({"error": str(error)}, 500)
        except Exception:  # noqa: BLE001 - the edge: whatever it is may quote the request
            return _answer({"error": "Internal server error"}, 500)
        return response

    async def health(self, _: web.Request) -> web.Response:
        return web.Response(text=_UP)

    async def analyze(self, request: web.Request) -> web.Response:
        document = await _document(request)
        question, answers = await self._worked(lambda: self._answers(document))
        headers = {_UNSUPPORTED: ",".join(question.unsupported)} if question.unsupported else None
        return _answer(answers if question.batch else answers[0], headers=headers)

    async def recognizers(self, request: web.Request) -> web.Response:
        check_language(request.query.get("language", "en"))
        return _answer(sorted({rule.id for rule in self._query.compiled.rules}))

    async def supported_entities(self, request: web.Request) -> web.Response:
        check_language(request.query.get("language", "en"))
        return _answer(self._query.entities)

    async def anonymize(self, request: web.Request) -> web.Response:
        document = await _document(request)
        found, operators = results_in(document, "analyzer_results"), operators_in(document, "anonymizers")
        text = text_in(document)
        return _changed(*await self._worked(lambda: anonymized(text, found, operators)))

    async def deanonymize(self, request: web.Request) -> web.Response:
        document = await _document(request)
        found, operators = results_in(document, "anonymizer_results"), operators_in(document, "deanonymizers")
        text = text_in(document)
        return _changed(*await self._worked(lambda: deanonymized(text, found, operators)))

    async def anonymizers(self, _: web.Request) -> web.Response:
        return _answer(ANONYMIZERS)

    async def deanonymizers(self, _: web.Request) -> web.Response:
        return _answer(DEANONYMIZERS)

    async def _worked(self, work: Callable[[], Any]) -> Any:
        """The result of `work`, done beside the event loop."""
        if self._under_way >= MAX_WAITING:
            raise Refused(503, "too many requests are under way")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._under_way -= 1

    def _answers(self, document: Mapping[str, Any]) -> tuple[Question, list[list[dict[str, Any]]]]:
        """What `document` asks, and the answer for each of its texts."""
        deadline, counted = deadline_in(ANALYSIS_MS), count()
        question = question_in(document, self._query.entities)
        return question, [self._found(text, question, deadline, counted) for text in question.texts]

    def _found(self, text: str, question: Question, deadline: float, counted: Iterator[int]) -> list[dict[str, Any]]:
        found = self._query.find(
            text,
            deadline=deadline,
            entities=question.entities,
            floor_permille=question.floor_permille,
            more=list(found_by(question.own, text, deadline, counted)),
            context=question.context,
        )
        kept = [each for each in found if not question.allowed(text[each.span.start : each.span.end], deadline)]
        kept.sort(key=lambda each: (-each.permille, each.span.start))
        return [_result(each, explain=question.explain) for each in kept]


def _result(finding: Finding, *, explain: bool) -> dict[str, Any]:
    score = finding.permille / 1000
    explanation = {
        "recognizer": "RingfenceAnalyzer",
        "pattern_name": finding.detector,
        "pattern": None,
        "original_score": score,
        "score": score,
        "textual_explanation": explained(finding),
        "score_context_improvement": 0,
        "supportive_context_word": "",
        "validation_result": finding.validated or None,
        "regex_flags": None,
    }
    return {
        "entity_type": finding.entity_type,
        "start": finding.span.start,
        "end": finding.span.end,
        "score": score,
        "analysis_explanation": explanation if explain else None,
    }


def _changed(text: str, changes: Sequence[Changed]) -> web.Response:
    items = [
        {("entity_type" if key == "entity" else key): value for key, value in asdict(each).items()} for each in changes
    ]
    return _answer({"text": text, "items": items})


async def _document(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise Refused(415, "the content type must be application/json")
    try:
        async with asyncio.timeout(READ_S):
            raw = await request.read()
    except TimeoutError:
        raise Refused(408, "the body did not arrive in time") from None
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or not document:
        raise Refused(400, "Invalid request json")
    return document
