"""OpenAI chat completions: which field of a body holds whose words.

Source: https://platform.openai.com/docs/api-reference/chat/create and the parameter types of the official SDK; a test
compares this table with them. A field that is not in the table is not inspected, and policy is told so.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from governance.dialects.contract import Limits
from governance.dialects.json_body import JsonBody
from governance.dialects.json_document import Array, Number, Object, String, Value, decode
from governance.dialects.reading import (
    Reading,
    Rule,
    by_type,
    each,
    fields,
    free,
    ignored,
    json_text,
    setting,
    text,
    unexpected,
)
from governance.errors import MalformedRequest
from governance.inference import InferenceRequest, Media, Operation, Unread
from governance.segment import Role
from governance.sensitive import SensitiveBytes

PROTOCOL: Final = "openai"
MODEL: Final = re.compile(r"[A-Za-z0-9._:/@+-]{1,128}")
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
_TOKEN_ID: Final = re.compile(r"-?[0-9]{1,10}")

# The API's own words: none of them is content, wherever one stands.
_WORDS: Final = frozenset(
    """
    system developer user assistant tool function
    text refusal image_url input_audio file content custom grammar allowed_tools approximate
    none auto required json_object json_schema lark regex
    minimal low medium high xhigh max original default flex scale priority fast in_memory 24h 30m 12h
    audio wav aac mp3 flac opus pcm16 implicit explicit score block
    """.split()
)
_ROLES: Final = MappingProxyType(
    {
        "system": Role.SYSTEM,
        "developer": Role.SYSTEM,
        "user": Role.USER,
        "assistant": Role.ASSISTANT,
        "tool": Role.TOOL,
        "function": Role.TOOL,
    }
)
_setting: Final = setting(_WORDS)


def _as(role: Role, rule: Rule) -> Rule:
    return lambda reading, value, place, _: rule(reading, value, place, role)


def _either_text_or(rule: Rule) -> Rule:
    def either(reading: Reading, value: Value, place: str, role: Role) -> None:
        (rule if isinstance(value, (Object, Array)) else text)(reading, value, place, role)

    return either


def _either_word_or(rule: Rule) -> Rule:
    def either(reading: Reading, value: Value, place: str, role: Role) -> None:
        (rule if isinstance(value, Object) else _setting)(reading, value, place, role)

    return either


# --- content parts -------------------------------------------------------------------------------------------------


def _url(reading: Reading, value: Value, place: str, role: Role) -> None:
    """An address can hold personal data; a data: URL is the medium itself, which is noted already."""
    if not isinstance(value, String) or value.source[value.start : value.start + 5].lower() != "data:":
        text(reading, value, place, role)


def _payload(reading: Reading, value: Value, place: str, role: Role) -> None:
    """Base64 of a medium that is noted already."""
    if not isinstance(value, String):
        text(reading, value, place, role)


def _reference(reading: Reading, value: Value, place: str, role: Role) -> None:
    """The id of something that only the provider can read."""
    if value is not None:
        reading.unread(Unread.REFERENCE, place)
        text(reading, value, place, role)


def _medium(medium: Media, rule: Rule) -> Rule:
    def noted(reading: Reading, value: Value, place: str, role: Role) -> None:
        reading.medium(medium, place)
        rule(reading, value, place, role)

    return noted


_BREAKPOINT = fields({"mode": _setting, "ttl": _setting})
_IMAGE_URL = fields({"url": _url, "detail": _setting})


def _image(reading: Reading, value: Value, place: str, role: Role) -> None:
    (_url if isinstance(value, String) else _IMAGE_URL)(reading, value, place, role)


def _part(name: str, rule: Rule) -> Rule:
    return fields({"type": _setting, name: rule, "prompt_cache_breakpoint": _BREAKPOINT})


_FILE = fields({"file_data": _payload, "file_id": _reference, "filename": text})
_CONTENT = _either_text_or(
    each(
        by_type(
            {
                "text": _part("text", text),
                "refusal": _part("refusal", text),
                "image_url": _part("image_url", _medium(Media.IMAGE, _image)),
                "input_audio": _part(
                    "input_audio", _medium(Media.AUDIO, fields({"data": _payload, "format": _setting}))
                ),
                "file": _part("file", _medium(Media.FILE, _FILE)),
            }
        )
    )
)

# --- messages ------------------------------------------------------------------------------------------------------

_CALL = fields({"name": text, "arguments": _as(Role.ARGS, json_text)})
_CUSTOM_CALL = fields({"name": text, "input": _as(Role.ARGS, json_text)})
_FIELDS_OF_MESSAGE = fields(
    {
        "role": _setting,
        "content": _CONTENT,
        "name": text,
        "refusal": text,
        "audio": fields({"id": _reference}),
        "tool_calls": each(fields({"id": text, "type": _setting, "function": _CALL, "custom": _CUSTOM_CALL})),
        "function_call": _CALL,
        "tool_call_id": text,
    }
)


def _message(reading: Reading, value: Value, place: str, _: Role) -> None:
    """A message speaks with the voice of its role; one of an unknown role is read as the user's."""
    named = value.get("role") if isinstance(value, Object) else None
    role = _ROLES.get(named.text()) if isinstance(named, String) else None
    if role is None:
        reading.unread(Unread.UNKNOWN_FIELD, f"{place}/role")
    _FIELDS_OF_MESSAGE(reading, value, place, role or Role.USER)


# --- tools ---------------------------------------------------------------------------------------------------------


def _tool_name(reading: Reading, value: Value, place: str, role: Role) -> None:
    """Names go into the policy input, so only identifiers may pass."""
    name = value.text() if isinstance(value, String) else ""
    if _TOOL_NAME.fullmatch(name) is None:
        raise MalformedRequest("a tool's name is not an identifier", code="invalid_tool_name")
    reading.tools.add(name)
    text(reading, value, place, role)


_FUNCTION = fields({"name": _tool_name, "description": text, "parameters": free, "strict": _setting})
_GRAMMAR = fields({"definition": text, "syntax": _setting})
_CUSTOM = fields({"name": _tool_name, "description": text, "format": fields({"type": _setting, "grammar": _GRAMMAR})})
_TOOL = by_type(
    {
        "function": fields({"type": _setting, "function": _FUNCTION}),
        "custom": fields({"type": _setting, "custom": _CUSTOM}),
    }
)
_NAMED = fields({"name": text})
_TOOL_CHOICE = fields(
    {
        "type": _setting,
        "function": _NAMED,
        "custom": _NAMED,
        "allowed_tools": fields({"mode": _setting, "tools": each(free)}),
    }
)

# --- the body ------------------------------------------------------------------------------------------------------


def _logit_bias(reading: Reading, value: Value, place: str, role: Role) -> None:
    """Token ids to weights; a name that is no token id is text."""
    if not isinstance(value, Object):
        unexpected(reading, value, place, role)
        return
    for name, (raw, weight) in value.members.items():
        if _TOKEN_ID.fullmatch(name) is None:
            reading.add(raw, f"{place}/*", role, is_name=True)
        _setting(reading, weight, f"{place}/*", role)


_MODERATION_POLICY = fields({"input": fields({"mode": _setting}), "output": fields({"mode": _setting})})
_JSON_SCHEMA = fields({"name": text, "description": text, "schema": free, "strict": _setting})
_APPROXIMATE = fields(dict.fromkeys(("city", "country", "region", "timezone"), text))
_USER_LOCATION = fields({"type": _setting, "approximate": _APPROXIMATE})
_NUMBERS_FLAGS_WORDS: Final = """
    frequency_penalty logprobs max_completion_tokens max_tokens n parallel_tool_calls presence_penalty
    prompt_cache_retention reasoning_effort seed service_tier store temperature top_logprobs top_p verbosity
    """.split()
_BODY = fields(
    {
        **dict.fromkeys(_NUMBERS_FLAGS_WORDS, _setting),
        "model": ignored,
        "stream": ignored,
        "messages": each(_message),
        "audio": fields({"format": _setting, "voice": _either_text_or(fields({"id": text}))}),
        "function_call": _as(Role.SYSTEM, _either_word_or(_NAMED)),
        "functions": _as(Role.SYSTEM, each(_FUNCTION)),
        "logit_bias": _logit_bias,
        "metadata": free,
        "modalities": each(_setting),
        "moderation": fields({"model": text, "policy": _MODERATION_POLICY}),
        "prediction": _as(Role.ASSISTANT, fields({"type": _setting, "content": _CONTENT})),
        "prompt_cache_key": text,
        "prompt_cache_options": fields({"mode": _setting, "ttl": _setting}),
        "response_format": _as(Role.SYSTEM, fields({"type": _setting, "json_schema": _JSON_SCHEMA})),
        "safety_identifier": text,
        "stop": _either_text_or(each(text)),
        "stream_options": fields({"include_obfuscation": _setting, "include_usage": _setting}),
        "tool_choice": _as(Role.SYSTEM, _either_word_or(_TOOL_CHOICE)),
        "tools": _as(Role.SYSTEM, each(_TOOL)),
        "user": text,
        "web_search_options": fields({"search_context_size": _setting, "user_location": _USER_LOCATION}),
    }
)


def read_chat(body: bytes, limits: Limits) -> InferenceRequest:
    """The request in `body`. Raises MalformedRequest (`invalid_model` for a model that is no identifier) and
    RequestTooLarge. Segments are in the order of the body.
    """
    reading = Reading(max_depth=limits.max_depth, max_values=limits.max_values, max_segments=limits.max_segments)
    source = decode(body)
    root = reading.parse(source)
    if not isinstance(root, Object):
        raise MalformedRequest("body is not an object")
    messages = root.get("messages")
    if not isinstance(messages, Array):
        raise MalformedRequest("body has no list of messages")
    model, stream = _model(root.get("model")), root.get("stream")
    if isinstance(stream, (String, Number, Object, Array)):
        raise MalformedRequest("`stream` is not a flag")
    _BODY(reading, root, "", Role.USER)
    return InferenceRequest(
        protocol=PROTOCOL,
        operation=Operation.CHAT,
        model=model,
        stream=stream is True,
        messages=len(messages.items),
        tools=tuple(sorted(reading.tools)),
        segments=tuple(reading.segments),
        media=tuple(medium for medium in Media if medium in reading.media),
        uninspected=tuple(reading.uninspected),
        body=SensitiveBytes(body),
        document=JsonBody(source=source, leaves=tuple(reading.leaves)),
    )


def _model(value: Value) -> str:
    name = value.text() if isinstance(value, String) else ""
    if MODEL.fullmatch(name) is None:
        raise MalformedRequest("`model` is not an identifier", code="invalid_model")
    return name
