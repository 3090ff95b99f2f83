"""Presidio's REST interface over loopback, with requests in the form in which gateways send them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from classifiers import analyzer_api
from classifiers.analyzer_api import MAX_BODY_BYTES, port_of, serve, start
from classifiers.analyzer_requests import MAX_TEXT_CHARS, MAX_TEXTS
from classifiers.compiled import compile_rules
from classifiers.model.detector import load_model
from classifiers.query import RuleQuery
from classifiers.rules import load_rules
from tests.model_directories import write

HOST = "127.0.0.1"
ENTITIES = ("CREDIT_CARD", "EMAIL_ADDRESS", "US_BANK_NUMBER", "US_SSN")
MAIL = "\U0001f600 write to jane.doe@example.com"
FOUND = {"analysis_explanation": None, "end": 31, "entity_type": "EMAIL_ADDRESS", "score": 1.0, "start": 11}


@pytest.fixture(scope="module")
def query() -> RuleQuery:
    """The rules for a few entities, compiled here and now."""
    return RuleQuery(compiled=compile_rules([rule for rule in load_rules() if rule.entity in ENTITIES], portable=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A client of one running server."""

    session: aiohttp.ClientSession
    base: str

    async def post(self, path: str, document: Any) -> tuple[int, Any]:
        async with self.session.post(self.base + path, json=document) as answer:
            return answer.status, await answer.json()

    async def raw(self, path: str, body: bytes, content_type: str = "application/json") -> tuple[int, Any]:
        headers = {"content-type": content_type}
        async with self.session.post(self.base + path, data=io.BytesIO(body), headers=headers) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(self.base + path) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def running(query: RuleQuery) -> AsyncIterator[Caller]:
    runner = await start(query, HOST, 0)
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            yield Caller(session=session, base=f"http://{HOST}:{port_of(runner)}")
    finally:
        await runner.cleanup()


@pytest.fixture
async def caller(query: RuleQuery) -> AsyncIterator[Caller]:
    async with running(query) as found:
        yield found


# --- /analyze ------------------------------------------------------------------------------------------------------


async def test_a_text_is_analysed(caller: Caller) -> None:
    """The minimal request of Presidio's documentation; offsets are code points, results sorted by score."""
    assert (200, [FOUND]) == await caller.post("/analyze", {"text": MAIL, "language": "en"})


async def test_a_gateway_that_masks_gets_what_it_needs(caller: Caller) -> None:
    """LiteLLM asks for entities that need a model as well, and hands the answer on to /anonymize."""
    asked = {"text": MAIL, "language": "en", "entities": ["PERSON", "EMAIL_ADDRESS"], "ad_hoc_recognizers": []}
    async with caller.session.post(caller.base + "/analyze", json=asked) as answer:
        found = await answer.json()
        unsupported = answer.headers["x-ringfence-unsupported-entities"]

    status, masked = await caller.post("/anonymize", {"text": MAIL, "analyzer_results": found})

    assert ([FOUND], "PERSON") == (found, unsupported)
    assert (200, "\U0001f600 write to <EMAIL_ADDRESS>") == (status, masked["text"])
    assert [
        {"end": 26, "entity_type": "EMAIL_ADDRESS", "operator": "replace", "start": 11, "text": "<EMAIL_ADDRESS>"}
    ] == masked["items"]


async def test_a_model_finds_names_beside_the_rules(tmp_path: Path) -> None:
    """Where one was chosen its entities are supported, asked for like all others, and settled with what rules found."""
    model = load_model(write(tmp_path / "tiny"))
    rules = compile_rules([rule for rule in load_rules() if rule.entity in ENTITIES], portable=True)
    text = "our neighbour Tomasz Kowalski, anna@example.com"
    async with running(RuleQuery(compiled=rules, model=model)) as caller:
        found = {}
        for asked in (["PERSON"], ["EMAIL_ADDRESS"], None):
            _, results = await caller.post("/analyze", {"text": text, "language": "en", "entities": asked})
            found[str(asked)] = {(each["entity_type"], text[each["start"] : each["end"]]) for each in results}
        _, supported = await caller.get("/supportedentities")
    model.close()

    person, mail = ("PERSON", "Tomasz Kowalski"), ("EMAIL_ADDRESS", "anna@example.com")
    assert {"['PERSON']": {person, ("PERSON", "anna")}, "['EMAIL_ADDRESS']": {mail}, "None": {person, mail}} == found
    assert {"PERSON", "STREET_ADDRESS", "EMAIL_ADDRESS"} <= set(supported)


async def test_several_texts_have_several_answers(caller: Caller) -> None:
    """A list of texts is answered by a list of lists, in order."""
    status, answers = await caller.post("/analyze", {"text": [MAIL, "nothing", MAIL], "language": "de"})

    assert (200, [[FOUND], [], [FOUND]]) == (status, answers)


async def test_the_threshold_decides(caller: Caller) -> None:
    """Without one only what is sure enough is reported; at 0 every shape is, as in Presidio."""
    text = {"text": "number 12345678901 it is", "language": "en"}

    assert (200, []) == await caller.post("/analyze", text)
    status, found = await caller.post("/analyze", text | {"score_threshold": 0})
    assert (200, [("US_BANK_NUMBER", 7, 18)]) == (
        status,
        [(each["entity_type"], each["start"], each["end"]) for each in found],
    )


async def test_decisions_are_explained_on_request(caller: Caller) -> None:
    """With the fields of Presidio's explanation."""
    _, found = await caller.post("/analyze", {"text": MAIL, "language": "en", "return_decision_process": True})

    assert {
        "recognizer": "RingfenceAnalyzer",
        "pattern_name": "family.email",
        "pattern": None,
        "original_score": 1.0,
        "score": 1.0,
        "textual_explanation": "found by the rule `family.email`; its checksum or structure was verified",
        "score_context_improvement": 0,
        "supportive_context_word": "",
        "validation_result": True,
        "regex_flags": None,
    } == found[0]["analysis_explanation"]


async def test_all_fields_of_presidios_request_are_taken(caller: Caller) -> None:
    """Ad-hoc recognisers, context, allow-lists of either kind, and ids that nobody needs."""
    asked = {
        "text": "zip code 12345, jane@example.com, john@example.org, 536904399",
        "language": "en",
        "correlation_id": "123e4567-e89b-12d3-a456-426614174000",
        "score_threshold": 0.3,
        "entities": ["ZIP", "EMAIL_ADDRESS", "US_SSN"],
        "trace": False,
        "context": ["ssn"],
        "allow_list": ["jane@example.com"],
        "ad_hoc_recognizers": [
            {
                "name": "Zip code Recognizer",
                "supported_language": "en",
                "patterns": [{"name": "zip code (weak)", "regex": r"(\b\d{5}(?:\-\d{4})?\b)", "score": 0.01}],
                "context": ["zip", "code"],
                "supported_entity": "ZIP",
            }
        ],
    }

    _, exact = await caller.post("/analyze", asked)
    _, regex = await caller.post("/analyze", asked | {"allow_list": ["EXAMPLE[.]org$"], "allow_list_match": "regex"})

    assert [("EMAIL_ADDRESS", 34), ("US_SSN", 52), ("ZIP", 9)] == [
        (each["entity_type"], each["start"]) for each in exact
    ]
    assert [("EMAIL_ADDRESS", 16), ("US_SSN", 52), ("ZIP", 9)] == [
        (each["entity_type"], each["start"]) for each in regex
    ]


@pytest.mark.parametrize(
    ("document", "status", "message"),
    [
        ({"language": "en"}, 500, "No text provided"),
        ({"text": "", "language": "en"}, 500, "No text provided"),
        ({"text": "x"}, 500, "No language provided"),
        ({"text": "x", "language": "english"}, 500, "No matching recognizers were found to serve the request."),
        (
            {"text": "x", "language": "en", "entities": ["PERSON"]},
            500,
            "No matching recognizers were found to serve the request.",
        ),
        (
            {"text": 5, "language": "en"},
            400,
            "Failed to parse /analyze request for AnalyzerEngine.analyze(). text must be",
        ),
        ({"text": ["x", None], "language": "en"}, 400, "Failed to parse /analyze request"),
        ({"text": "x", "language": "en", "entities": "EMAIL_ADDRESS"}, 400, "Failed to parse /analyze request"),
        ({"text": "x", "language": "en", "score_threshold": "high"}, 400, "Failed to parse /analyze request"),
        ({"text": "x", "language": "en", "score_threshold": 2}, 400, "Failed to parse /analyze request"),
        ({"text": "x", "language": "en", "allow_list": ["x"], "allow_list_match": "fuzzy"}, 400, "Failed to parse"),
        ({"text": "x", "language": "en", "context": "x"}, 400, "context must be a list"),
        (
            {
                "text": "x",
                "language": "en",
                "ad_hoc_recognizers": [{"supported_entity": "A1", "patterns": [{"regex": "(?=x)", "score": 1}]}],
            },
            400,
            "an expression cannot be compiled",
        ),
        ([], 400, "Invalid request json"),
        ({}, 400, "Invalid request json"),
    ],
)
async def test_wrong_input_is_answered_in_presidios_form(
    caller: Caller, document: Any, status: int, message: str
) -> None:
    """An object with `error` alone, the status that Presidio gives, and nothing of the request."""
    given, answer = await caller.post("/analyze", document)

    assert (status, {"error"}) == (given, answer.keys())
    assert answer["error"].startswith(message)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"text": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"text": "x", "language": "en"}', "text/plain", 415),
        (b"x" * (MAX_BODY_BYTES + 1), "application/json", 413),
        (json.dumps({"text": "x" * (MAX_TEXT_CHARS + 1), "language": "en"}).encode(), "application/json", 413),
        (json.dumps({"text": ["x"] * (MAX_TEXTS + 1), "language": "en"}).encode(), "application/json", 413),
    ],
)
async def test_what_is_no_request_is_refused(caller: Caller, body: bytes, content_type: str, status: int) -> None:
    """Broken, foreign and oversized bodies; the server goes on."""
    given, answer = await caller.raw("/analyze", body, content_type)

    assert (status, {"error"}) == (given, answer.keys())
    assert (200, [FOUND]) == await caller.post("/analyze", {"text": MAIL, "language": "en"})


async def test_a_text_that_is_not_read_to_its_end_is_an_error(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway must not take half an answer for a whole one."""
    monkeypatch.setattr(analyzer_api, "ANALYSIS_MS", -1)

    assert (500, {"error": "the text was not read to its end: timeout"}) == await caller.post(
        "/analyze", {"text": MAIL, "language": "en"}
    )


async def test_expressions_of_a_request_are_compiled_beside_the_event_loop(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where as many requests as may be are under way, not even the next one's expressions are looked at."""
    broken = {"text": MAIL, "language": "en", "allow_list": ["("], "allow_list_match": "regex"}
    assert 400 == (await caller.post("/analyze", broken))[0]

    monkeypatch.setattr(analyzer_api, "MAX_WAITING", 0)
    assert 503 == (await caller.post("/analyze", broken))[0]


async def test_an_answer_that_would_be_too_large_is_refused(caller: Caller) -> None:
    """A small request cannot ask for gigabytes; the server goes on."""
    results = [{"start": at, "end": at + 1, "entity_type": f"E{at % 2}", "score": 1} for at in range(1_000)]
    operators = {"DEFAULT": {"type": "replace", "new_value": "y" * 100_000}}
    asked = {"text": "x" * 1_000, "analyzer_results": results, "anonymizers": operators}

    assert (413, {"error": "the new text may hold 8388608 characters at most"}) == await caller.post(
        "/anonymize", asked
    )
    assert (200, [FOUND]) == await caller.post("/analyze", {"text": MAIL, "language": "en"})


async def test_many_callers_at_once_get_their_own_answers(caller: Caller) -> None:
    """Answers do not mix."""

    async def one(number: int) -> list[tuple[str, int]]:
        _, found = await caller.post("/analyze", {"text": "x" * number + " jane@example.com", "language": "en"})
        return [(each["entity_type"], each["start"]) for each in found]

    answers = await asyncio.gather(*(one(number) for number in range(50)))

    assert [[("EMAIL_ADDRESS", number + 1)] for number in range(50)] == answers


async def test_too_many_callers_are_told_to_come_back(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is bounded; who does not fit is answered at once."""
    monkeypatch.setattr(analyzer_api, "MAX_WAITING", 0)

    assert (503, {"error": "too many requests are under way"}) == await caller.post(
        "/analyze", {"text": MAIL, "language": "en"}
    )


async def test_a_body_that_does_not_come_is_not_waited_for(query: RuleQuery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that sends half a body is sent away."""
    monkeypatch.setattr(analyzer_api, "READ_S", 0.2)
    runner = await start(query, HOST, 0)
    reader, writer = await asyncio.open_connection(HOST, port_of(runner))
    writer.write(b"POST /analyze HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")

    line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    await runner.cleanup()

    assert line.startswith(b"HTTP/1.1 408 ")


# --- the other paths -----------------------------------------------------------------------------------------------


async def test_entities_recognizers_and_operators_are_listed(caller: Caller) -> None:
    """As Presidio lists them: arrays of names."""
    assert (200, sorted(ENTITIES)) == await caller.get("/supportedentities?language=en")
    assert (200, sorted(ENTITIES)) == await caller.get("/supportedentities")
    assert (500, {"error": "No matching recognizers were found to serve the request."}) == await caller.get(
        "/supportedentities?language=english"
    )
    status, recognizers = await caller.get("/recognizers?language=en")
    assert (200, True) == (status, "family.email" in recognizers)
    assert (200, ["hash", "mask", "redact", "replace", "keep", "encrypt"]) == await caller.get("/anonymizers")
    assert (200, ["decrypt", "deanonymize_keep"]) == await caller.get("/deanonymizers")
    async with caller.session.get(caller.base + "/health") as answer:
        assert (200, "text/plain") == (answer.status, answer.content_type)


async def test_what_was_encrypted_is_decrypted(caller: Caller) -> None:
    """The items of /anonymize are what /deanonymize asks for."""
    key = "3t6w9z$C&F)J@NcR"
    _, encrypted = await caller.post(
        "/anonymize",
        {"text": MAIL, "analyzer_results": [FOUND], "anonymizers": {"DEFAULT": {"type": "encrypt", "key": key}}},
    )

    _, decrypted = await caller.post(
        "/deanonymize",
        {
            "text": encrypted["text"],
            "anonymizer_results": encrypted["items"],
            "deanonymizers": {"EMAIL_ADDRESS": {"type": "decrypt", "key": key}},
        },
    )

    assert "jane.doe" not in encrypted["text"]
    assert MAIL == decrypted["text"]


@pytest.mark.parametrize(
    ("document", "status", "message"),
    [
        ({"text": "x"}, 422, "Invalid input, request must contain analyzer results"),
        ({"text": "", "analyzer_results": []}, 422, "Invalid input, text can not be empty"),
        ({"text": "x", "analyzer_results": [5]}, 422, "Invalid input, a result must be an object"),
        ({"text": "x", "analyzer_results": [{"start": 0}]}, 422, "Invalid input, result must contain start, end"),
        (
            {"text": "x", "analyzer_results": [{"start": 0, "end": 9, "entity_type": "A"}]},
            422,
            "Invalid analyzer result",
        ),
        ({"text": "x", "analyzer_results": [], "anonymizers": []}, 200, None),
        (
            {"text": "x", "analyzer_results": [], "anonymizers": {"A": {"type": "custom"}}},
            400,
            "Custom type anonymizer",
        ),
        ({"text": "x", "analyzer_results": [], "anonymizers": {"A": {"type": "fpe"}}}, 422, "Invalid operator class"),
        ([], 400, "Invalid request json"),
    ],
)
async def test_wrong_results_are_refused(caller: Caller, document: Any, status: int, message: str | None) -> None:
    """422 with the reason where a parameter is wrong, as Presidio's anonymizer answers."""
    given, answer = await caller.post("/anonymize", document)

    assert status == given
    assert {"text": "x", "items": []} == answer if message is None else answer["error"].startswith(message)


async def test_an_unknown_path_is_answered_in_the_same_form(caller: Caller) -> None:
    """404 and 405 hold `error`, too."""
    assert (404, {"error": "Not Found"}) == await caller.get("/nothing")
    assert (405, {"error": "Method Not Allowed"}) == await caller.get("/analyze")


async def test_nothing_of_a_request_is_logged(query: RuleQuery, caplog: pytest.LogCaptureFixture) -> None:
    """Neither of good requests, nor of bad ones, nor of what is no HTTP at all."""
    secret = "jane.doe@example.com"
    with caplog.at_level(logging.DEBUG):
        runner = await start(query, HOST, 0)
        async with aiohttp.ClientSession() as session:
            caller = Caller(session=session, base=f"http://{HOST}:{port_of(runner)}")
            await caller.post("/analyze", {"text": secret, "language": "en"})
            await caller.post("/analyze", {"text": secret, "language": secret, "entities": [secret]})
            await caller.raw("/analyze", secret.encode())
            await caller.post(
                "/anonymize", {"text": secret, "analyzer_results": [{"start": 0, "end": 99, "entity_type": secret}]}
            )
        reader, writer = await asyncio.open_connection(HOST, port_of(runner))
        writer.write(f"{secret}\r\n\r\n".encode())
        await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await runner.cleanup()

    assert [] == [record.getMessage() for record in caplog.records if secret in record.getMessage()]


async def test_a_signal_ends_the_server(query: RuleQuery) -> None:
    """`serve` tells its port, answers, and returns soon after SIGTERM."""
    ports: asyncio.Queue[int] = asyncio.Queue()
    server = asyncio.create_task(serve(HOST, 0, query=query, started=ports.put_nowait))
    port = await asyncio.wait_for(ports.get(), 60)
    async with aiohttp.ClientSession() as session, session.get(f"http://{HOST}:{port}/health") as answer:
        assert 200 == answer.status

    os.kill(os.getpid(), signal.SIGTERM)

    await asyncio.wait_for(server, 60)
