"""OpenAI chat completions: every text is a segment with the right voice, everything else is said to be unread."""

from __future__ import annotations

import collections.abc
import json
import types
import typing

import pytest
import typing_extensions
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)

from governance.dialects.contract import Limits
from governance.dialects.openai_chat import read_chat
from governance.errors import MalformedRequest, RequestTooLarge
from governance.inference import InferenceRequest, Media, Operation, Uninspected, Unread
from governance.segment import Edit, Span

Seen = tuple[str, str, str]


def read(**fields: object) -> InferenceRequest:
    return read_chat(json.dumps({"model": "m", "messages": [], **fields}).encode(), Limits())


def message(**fields: object) -> InferenceRequest:
    return read(messages=[fields])


def seen(request: InferenceRequest) -> list[Seen]:
    return [(segment.role.value, segment.place, segment.text.reveal()) for segment in request.segments]


def unread(request: InferenceRequest) -> list[tuple[Unread, str]]:
    return [(part.reason, part.place) for part in request.uninspected]


def test_a_request_is_summed_up() -> None:
    """Model, stream, number of messages and tools, with the body kept for whoever forwards it."""
    body = b'{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}],"temperature":0.5}'
    request = read_chat(body, Limits())

    assert ("openai", Operation.CHAT, "gpt-4o", True, 1, ()) == (
        request.protocol,
        request.operation,
        request.model,
        request.stream,
        request.messages,
        request.tools,
    )
    assert [("user", "/messages/*/content", "hi")] == seen(request)
    assert ((), (), body) == (request.media, request.uninspected, request.body.reveal())


@pytest.mark.parametrize(
    ("role", "voice"),
    [
        ("system", "system"),
        ("developer", "system"),
        ("user", "user"),
        ("assistant", "assistant"),
        ("tool", "tool"),
        ("function", "tool"),
    ],
)
def test_a_message_speaks_with_the_voice_of_its_role(role: str, voice: str) -> None:
    """Content as a string and as parts, and the name."""
    request = read(
        messages=[
            {"role": role, "content": "a", "name": "b"},
            {"role": role, "content": [{"type": "text", "text": "c"}, {"type": "refusal", "refusal": "d"}]},
        ]
    )

    assert [
        (voice, "/messages/*/content", "a"),
        (voice, "/messages/*/name", "b"),
        (voice, "/messages/*/content/*/text", "c"),
        (voice, "/messages/*/content/*/refusal", "d"),
    ] == seen(request)
    assert [] == unread(request)


@pytest.mark.parametrize("role", ["narrator", None, 5, ["user"]])
def test_an_unknown_role_is_said_and_read_as_the_users(role: object) -> None:
    """The text is inspected, and policy hears that the role was not understood."""
    request = message(role=role, content="a")

    assert ("user", "/messages/*/content", "a") in seen(request)
    assert (Unread.UNKNOWN_FIELD, "/messages/*/role") in unread(request)


def test_calls_of_an_assistant_are_read_into_their_arguments() -> None:
    """Arguments are JSON inside a string: names, strings and numbers are segments of their own."""
    request = message(
        role="assistant",
        content=None,
        refusal="no",
        tool_calls=[
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "f", "arguments": ' {"to":["a@b.c",42,true,null]} '},
            },
            {"id": "call_2", "type": "custom", "custom": {"name": "g", "input": "free text"}},
        ],
        function_call={"name": "h", "arguments": ""},
    )

    assert [
        ("assistant", "/messages/*/refusal", "no"),
        ("assistant", "/messages/*/tool_calls/*/id", "call_1"),
        ("assistant", "/messages/*/tool_calls/*/function/name", "f"),
        ("args", "/messages/*/tool_calls/*/function/arguments/*", "to"),
        ("args", "/messages/*/tool_calls/*/function/arguments/*/*", "a@b.c"),
        ("args", "/messages/*/tool_calls/*/function/arguments/*/*", "42"),
        ("assistant", "/messages/*/tool_calls/*/id", "call_2"),
        ("assistant", "/messages/*/tool_calls/*/custom/name", "g"),
        ("args", "/messages/*/tool_calls/*/custom/input", "free text"),
        ("assistant", "/messages/*/function_call/name", "h"),
    ] == seen(request)
    assert [] == unread(request)


def test_what_an_argument_is_called_is_known() -> None:
    """For the detectors: the nearest name of a member, through lists; a name has none."""
    request = message(role="assistant", function_call={"name": "f", "arguments": '{"to":{"cvv":[123,["4"]]},"x":{}}'})
    called = [
        (segment.text.reveal(), segment.called and segment.called.reveal())
        for segment in request.segments
        if segment.place.startswith("/messages/*/function_call/arguments")
    ]

    assert [("to", None), ("cvv", None), ("123", "cvv"), ("4", "cvv"), ("x", None)] == called


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("{broken", "{broken"),
        ('{"a":1,"a":2}', '{"a":1,"a":2}'),
        ('"{}"', '"{}"'),
        (r'{"to":"x\u0040y.z"', '{"to":"x@y.z"'),
        (r'{"a":"\n4111","a":1}', '{"a":"\n4111","a":1}'),
    ],
)
def test_arguments_that_are_no_json_are_plain_text(arguments: str, text: str) -> None:
    """One segment, with the escapes resolved that a tolerant reader would resolve."""
    request = message(role="assistant", function_call={"name": "f", "arguments": arguments})

    assert ("args", "/messages/*/function_call/arguments", text) == seen(request)[-1]
    assert [] == unread(request)


def test_media_are_noted_and_their_texts_read() -> None:
    """Images, audio and files count as media; an address, a file name and ids are text as well."""
    request = message(
        role="user",
        content=[
            {"type": "image_url", "image_url": {"url": "https://x.example/?mail=a@b.c", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "image_url", "image_url": "DATA:image/png;base64,AAAA"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "file", "file": {"file_data": "AAAA", "filename": "anna.pdf"}},
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "video_url", "video_url": {"url": "https://x"}},
        ],
    )

    assert (Media.IMAGE, Media.AUDIO, Media.FILE) == request.media
    assert [
        ("user", "/messages/*/content/*/image_url/url", "https://x.example/?mail=a@b.c"),
        ("user", "/messages/*/content/*/file/filename", "anna.pdf"),
        ("user", "/messages/*/content/*/file/file_id", "file-1"),
    ] == seen(request)
    assert [
        *[(Unread.MEDIA, "/messages/*/content/*/image_url")] * 3,
        (Unread.MEDIA, "/messages/*/content/*/input_audio"),
        *[(Unread.MEDIA, "/messages/*/content/*/file")] * 2,
        (Unread.REFERENCE, "/messages/*/content/*/file/file_id"),
        (Unread.UNKNOWN_PART, "/messages/*/content/*"),
    ] == unread(request)


def test_an_earlier_audio_answer_is_a_reference() -> None:
    """Only the provider can hear it."""
    request = message(role="assistant", audio={"id": "audio_1"})

    assert [(Unread.REFERENCE, "/messages/*/audio/id")] == unread(request)


def test_tools_are_read_with_their_schemas() -> None:
    """Names, descriptions and every scalar of the parameters; the names also reach policy, sorted."""
    request = read(
        tools=[
            {
                "type": "function",
                "function": {
                    "name": "send",
                    "description": "sends",
                    "strict": True,
                    "parameters": {"enum": ["a@b.c", 4111111111111111]},
                },
            },
            {
                "type": "custom",
                "custom": {
                    "name": "calc",
                    "description": "adds",
                    "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}},
                },
            },
            {"type": "web_search"},
        ],
        functions=[{"name": "old", "description": "d"}],
        tool_choice={"type": "function", "function": {"name": "send"}},
    )

    assert ("calc", "old", "send") == request.tools
    assert [
        ("system", "/tools/*/function/name", "send"),
        ("system", "/tools/*/function/description", "sends"),
        ("system", "/tools/*/function/parameters/*", "enum"),
        ("system", "/tools/*/function/parameters/*/*", "a@b.c"),
        ("system", "/tools/*/function/parameters/*/*", "4111111111111111"),
        ("system", "/tools/*/custom/name", "calc"),
        ("system", "/tools/*/custom/description", "adds"),
        ("system", "/tools/*/custom/format/grammar/definition", "start: x"),
        ("system", "/functions/*/name", "old"),
        ("system", "/functions/*/description", "d"),
        ("system", "/tool_choice/function/name", "send"),
    ] == seen(request)
    assert [(Unread.UNKNOWN_PART, "/tools/*")] == unread(request)


def test_every_other_text_of_the_body_is_read() -> None:
    """Metadata with its keys, user, stop, prediction, schemas, location, cache key, voice, token ids."""
    request = read(
        metadata={"mail": "a@b.c"},
        user="anna",
        safety_identifier="s",
        prompt_cache_key="k",
        stop=["x", "y"],
        prediction={"type": "content", "content": [{"type": "text", "text": "p"}]},
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"const": "c"}, "strict": None}},
        web_search_options={
            "search_context_size": "low",
            "user_location": {"type": "approximate", "approximate": {"city": "Berlin"}},
        },
        audio={"format": "wav", "voice": "alloy"},
        logit_bias={"50256": -100, "anna": 1},
        modalities=["text"],
    )

    assert [
        ("user", "/metadata/*", "mail"),
        ("user", "/metadata/*", "a@b.c"),
        ("user", "/user", "anna"),
        ("user", "/safety_identifier", "s"),
        ("user", "/prompt_cache_key", "k"),
        ("user", "/stop/*", "x"),
        ("user", "/stop/*", "y"),
        ("assistant", "/prediction/content/*/text", "p"),
        ("system", "/response_format/json_schema/name", "n"),
        ("system", "/response_format/json_schema/schema/*", "const"),
        ("system", "/response_format/json_schema/schema/*", "c"),
        ("user", "/web_search_options/user_location/approximate/city", "Berlin"),
        ("user", "/audio/voice", "alloy"),
        ("user", "/logit_bias/*", "anna"),
    ] == seen(request)
    assert [] == unread(request)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"extra_body": {"q": "anna"}}, "/*"),
        ({"messages": [{"role": "user", "reasoning_content": "anna"}]}, "/messages/*/*"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "", "x": 1}]}]},
            "/messages/*/content/*/*",
        ),
        ({"stream_options": {"x": "anna"}}, "/stream_options/*"),
    ],
)
def test_unknown_fields_are_said_without_their_names(fields: dict[str, object], place: str) -> None:
    """A place holds no byte of the request."""
    request = read(**fields)

    assert (Uninspected(reason=Unread.UNKNOWN_FIELD, place=place),) == request.uninspected
    assert [] == seen(request)


@pytest.mark.parametrize(
    ("fields", "expected", "doubts"),
    [
        ({"temperature": "anna"}, [("user", "/temperature", "anna")], []),
        ({"service_tier": "anna"}, [("user", "/service_tier", "anna")], []),
        ({"user": 4111111111111111}, [("user", "/user", "4111111111111111")], []),
        ({"seed": ["anna"]}, [("user", "/seed/*", "anna")], ["/seed"]),
        ({"user": {"anna": 1}}, [("user", "/user/*", "anna"), ("user", "/user/*", "1")], ["/user"]),
        ({"tools": "anna"}, [("system", "/tools", "anna")], []),
        ({"messages": ["anna"]}, [("user", "/messages/*", "anna")], ["/messages/*/role"]),
    ],
)
def test_a_known_field_of_an_unknown_kind_is_read_all_the_same(
    fields: dict[str, object], expected: list[Seen], doubts: list[str]
) -> None:
    """A string where a number belongs is text; a container where none belongs is also doubted."""
    request = read(**fields)

    assert expected == seen(request)
    assert [(Unread.UNKNOWN_FIELD, place) for place in doubts] == unread(request)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("[]", "malformed_request"),
        ("5", "malformed_request"),
        ('{"model":"m"}', "malformed_request"),
        ('{"model":"m","messages":"x"}', "malformed_request"),
        ('{"model":"m","messages":{}}', "malformed_request"),
        ('{"model":"m","messages":[],"stream":"true"}', "malformed_request"),
        ('{"messages":[]}', "invalid_model"),
        ('{"messages":[],"model":""}', "invalid_model"),
        ('{"messages":[],"model":5}', "invalid_model"),
        ('{"messages":[],"model":"a b"}', "invalid_model"),
        ('{"messages":[],"model":"m\\n"}', "invalid_model"),
        ('{"messages":[],"model":"' + "m" * 129 + '"}', "invalid_model"),
        ('{"messages":[],"model":"m","functions":[{"name":"a b"}]}', "invalid_tool_name"),
        ('{"messages":[],"model":"m","user":"a","user":"b"}', "duplicate_key"),
    ],
)
def test_a_body_that_is_no_chat_is_malformed(body: str, code: str) -> None:
    """What the decision depends on has to be there, in the right kind."""
    with pytest.raises(MalformedRequest) as refused:
        read_chat(body.encode(), Limits())

    assert code == refused.value.code


def test_the_number_of_segments_is_limited() -> None:
    """Detection would pay for each of them."""
    body = json.dumps({"model": "m", "messages": [], "stop": ["x"] * 11}).encode()

    assert 11 == len(read_chat(body, Limits(max_segments=11)).segments)
    with pytest.raises(RequestTooLarge) as refused:
        read_chat(body, Limits(max_segments=10))
    assert 10 == refused.value.limit


def test_what_is_not_read_counts_as_pieces_too() -> None:
    """A message of nothing is a note that something is missing, and three bytes of the body."""
    body = json.dumps({"model": "m", "messages": [{}] * 8, "stop": ["x"] * 3}).encode()

    assert 8 == len(read_chat(body, Limits(max_segments=11)).uninspected)
    with pytest.raises(RequestTooLarge) as refused:
        read_chat(body, Limits(max_segments=10))
    assert 10 == refused.value.limit


def test_documents_inside_strings_share_the_limits() -> None:
    """Neither depth nor number of values can be had again one string further in."""
    calls = [{"id": "", "function": {"name": "f", "arguments": json.dumps([0] * 50)}}] * 3
    body = json.dumps({"model": "m", "messages": [{"role": "assistant", "tool_calls": calls}]}).encode()
    deep = json.dumps(
        {"model": "m", "messages": [{"role": "assistant", "function_call": {"arguments": "[" * 65 + "]" * 65}}]}
    ).encode()

    assert 1 == read_chat(body, Limits(max_values=250)).messages
    for limits, sent, limit in ((Limits(max_values=150), body, 150), (Limits(), deep, 64)):
        with pytest.raises(RequestTooLarge) as refused:
            read_chat(sent, limits)
        assert limit == refused.value.limit


def edit(request: InferenceRequest, text: str, part: str, replacement: str) -> Edit:
    at = next(i for i, segment in enumerate(request.segments) if segment.text.reveal() == text)
    start = text.index(part)
    return Edit(segment=at, span=Span(start=start, end=start + len(part)), replacement=replacement)


def test_edits_change_nothing_but_their_spans() -> None:
    """Whitespace, number spelling, escapes, order: all of it stays, in the body and in JSON inside a string."""
    body = (
        '{ "model" : "m",\r\n"temperature":1.0e-0, "user":"a\\u0062c\\/\\ud83d\\ude00!",'
        '"messages":[{"role":"assistant","function_call":{"name":"f",'
        '"arguments":"{\\"t\\\\u006f\\": \\"a@\\\\u0062.c é\\", \\"n\\":\\u00344.50}"}}] }\n'
    ).encode()
    request = read_chat(body, Limits())
    assert request.document is not None

    edited = request.document.apply(
        (
            edit(request, "abc/\U0001f600!", "\U0001f600", '"<E>"'),
            edit(request, "a@b.c é", "a@b.c", "<M>"),
            edit(request, "44.50", "44.50", "<N>"),
            edit(request, "to", "o", "0"),
        )
    )

    assert (
        '{ "model" : "m",\r\n"temperature":1.0e-0, "user":"a\\u0062c\\/\\"<E>\\"!",'
        '"messages":[{"role":"assistant","function_call":{"name":"f",'
        '"arguments":"{\\"t0\\": \\"<M> é\\", \\"n\\":\\"<N>\\"}"}}] }\n'
    ).encode() == edited


def test_an_edit_of_broken_arguments_stays_inside_their_string() -> None:
    """The outer body remains valid whatever the inner text looks like."""
    request = message(role="assistant", function_call={"name": "f", "arguments": '{"to":"x\\u0040y", broken'})
    assert request.document is not None

    edited = request.document.apply((edit(request, '{"to":"x@y", broken', "x@y", "<E>"),))

    assert '{"to":"<E>", broken' == json.loads(edited)["messages"][0]["function_call"]["arguments"]


def test_equal_names_after_an_edit_are_refused_inside_strings_too() -> None:
    """A placeholder must not make two keys one."""
    request = message(role="assistant", function_call={"name": "f", "arguments": '{"a@b.c":1,"<E>":2}'})
    assert request.document is not None

    with pytest.raises(MalformedRequest):
        request.document.apply((edit(request, "a@b.c", "a@b.c", "<E>"),))


# --- the official SDK as the list of what there is -----------------------------------------------------------------


def samples(kind: object) -> list[object]:
    """Values of an annotation that between them take every branch of it once."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Required, typing.NotRequired, typing.Annotated):
        return samples(arguments[0])
    if origin is typing.Literal:
        return list(arguments)
    if origin in (typing.Union, types.UnionType):
        return [sample for one in arguments for sample in samples(one)]
    if origin is dict:
        return [{"key": sample} for sample in samples(arguments[1])] if arguments[1] is not int else [{"1": 1}]
    if origin is not None and issubclass(origin, collections.abc.Iterable):
        return [samples(arguments[0])]
    if "SequenceNotStr" in str(origin):
        return [["text"]]
    if typing_extensions.is_typeddict(kind):
        fields = {
            name: samples(one) for name, one in typing_extensions.get_type_hints(kind, include_extras=True).items()
        }
        most = max(len(values) for values in fields.values())
        return [{name: values[at % len(values)] for name, values in fields.items()} for at in range(most)]
    plain: dict[object, object] = {
        str: "free text",
        int: 1,
        float: 0.5,
        bool: True,
        object: "free text",
        type(None): None,
    }
    return [plain[kind]]


@pytest.mark.parametrize("params", [CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming])
def test_every_field_of_the_sdk_is_known(params: object) -> None:
    """A new field, part, tool or word in the official SDK fails here before a caller can send it past us."""
    bodies = [sample for sample in samples(params) if isinstance(sample, dict)]
    found: set[tuple[Unread, str]] = set()
    texts: set[str] = set()
    for body in bodies:
        sent = json.dumps({**body, "model": "m"})
        request = read_chat(sent.replace('"name": "free text"', '"name": "text"').encode(), Limits())
        found |= set(unread(request))
        texts |= {segment.text.reveal() for segment in request.segments}

    assert 5 < len(bodies)
    assert {
        (Unread.MEDIA, "/messages/*/content/*/image_url"),
        (Unread.MEDIA, "/messages/*/content/*/input_audio"),
        (Unread.MEDIA, "/messages/*/content/*/file"),
        (Unread.REFERENCE, "/messages/*/content/*/file/file_id"),
        (Unread.REFERENCE, "/messages/*/audio/id"),
    } == found
    assert {"free text", "text", "key"} == texts - VOICES


# Names of voices are read as text: the SDK lists them, and a caller may make his own.
VOICES = set("alloy ash ballad coral echo sage shimmer verse marin cedar".split())
