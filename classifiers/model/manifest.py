"""What a model directory says of itself, and its files: each read once, and only with the digest that is stated.

model.onnx        the weights
model.fp16.onnx   the same in half precision, for GPUs (optional)
tokenizer.json    how text becomes pieces
names.txt         the names that the model is told of (optional)
manifest.json     all of Manifest
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from annotated_types import Ge, Le, MaxLen
from pydantic import ConfigDict, StringConstraints, TypeAdapter, ValidationError

from governance.errors import ConfigInvalid
from governance.frozen import frozen

MANIFEST_FILE: Final = "manifest.json"
TOKENIZER_FILE: Final = "tokenizer.json"
WEIGHTS_FILE: Final = "model.onnx"
HALF_FILE: Final = "model.fp16.onnx"
NAMES_FILE: Final = "names.txt"

TYPES: Final = (
    *("PERSON", "LOCATION", "ADDRESS", "ORGANIZATION", "DATE_TIME"),
    *("AGE", "NRP", "USERNAME", "MEDICAL", "ID"),
)
LABELS: Final = ("O", *(f"{tag}-{kind}" for kind in TYPES for tag in "BI"))
TOPICS: Final = (
    *("health", "financial", "legal", "hr"),
    *("credentials", "source_code", "special_category", "children"),
)

LEAST_WINDOW: Final = 8
MAX_MANIFEST_BYTES: Final = 1 << 20
MAX_TOKENIZER_BYTES: Final = 64 << 20
# Protobuf cannot hold more in one message.
MAX_WEIGHTS_BYTES: Final = (1 << 31) - 1
_READ_BYTES: Final = 1 << 20

Permille = Annotated[int, Ge(0), Le(1_000)]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# Both stand in records and metrics.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
ModelLabel = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")]
EntityType = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{1,63}$")]
Topic = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Words = Annotated[str, StringConstraints(max_length=512)]


class ModelUnusable(ConfigInvalid):
    """A model directory that cannot be used. The message names directory and file, and says what to do."""

    code = "model_unusable"


@frozen
class TrainingSet:
    """A set that the model has learnt from, by name; `rows` of it were used."""

    set: Words
    licence: Words
    rows: Annotated[int, Ge(0)]


@frozen
class Manifest:
    """The content of `manifest.json`.

    `labels` are the columns of the token output, `topics` those of the topic output. Kind "ours" has exactly the labels
    and topics of this module. Kind "token-classification" has its own labels; `entities` says for each of their types
    (the label without `B-`, `I-` ...) which entity it is; a type that is not in it is not reported. `thresholds` are by
    type of the labels; a type without one has 500. `window` counts pieces, those at both ends included.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid")

    format: Literal["ringfence.model/1"]
    name: Name
    version: Version
    kind: Literal["ours", "token-classification"]
    files: Annotated[Mapping[FileName, Sha256], MaxLen(32)]
    labels: Annotated[tuple[ModelLabel, ...], MaxLen(1_024)]
    window: Annotated[int, Ge(LEAST_WINDOW), Le(8_192)]
    overlap: Annotated[int, Ge(0), Le(4_096)]
    topics: Annotated[tuple[Topic, ...], MaxLen(256)] = ()
    thresholds: Mapping[ModelLabel, Permille] = field(default_factory=dict)
    topic_thresholds: Mapping[Topic, Permille] = field(default_factory=dict)
    entities: Mapping[ModelLabel, EntityType] = field(default_factory=dict)
    languages: Annotated[tuple[Words, ...], MaxLen(256)] = ()
    base: Words = ""
    licence: Words = ""
    training: Annotated[tuple[TrainingSet, ...], MaxLen(256)] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)


@frozen
class ModelFiles:
    """A model whose files are what the manifest says. `weights` are by file name; `digest` is that of the manifest; `names`
    are those that the model is told of, empty where it is not.

    The bytes are those that were hashed: nothing is read a second time.
    """

    directory: Path
    manifest: Manifest
    digest: str
    tokenizer: bytes
    weights: Mapping[str, bytes]
    names: bytes = b""

    @property
    def version(self) -> str:
        """Names everything that decides what is found: the manifest holds the digests of all files, and the thresholds."""
        return f"{self.manifest.name}@{self.manifest.version}+{self.digest[:8]}"


def read_model(directory: Path) -> ModelFiles:
    """The model in `directory`, every file of its manifest verified. Raises ModelUnusable."""
    raw = _read(directory, MANIFEST_FILE, MAX_MANIFEST_BYTES)
    manifest = parse_manifest(raw, directory)
    for name in (TOKENIZER_FILE, WEIGHTS_FILE):
        if name not in manifest.files:
            raise _unusable(directory, MANIFEST_FILE, f"`files` names no `{name}`: add it with its SHA-256")
    content = {name: _verified(directory, name, digest) for name, digest in sorted(manifest.files.items())}
    return ModelFiles(
        directory=directory,
        manifest=manifest,
        digest=hashlib.sha256(raw).hexdigest(),
        tokenizer=content[TOKENIZER_FILE],
        weights={name: data for name, data in content.items() if name.endswith(".onnx")},
        names=content.get(NAMES_FILE, b""),
    )


def parse_manifest(raw: bytes, directory: Path) -> Manifest:
    """The manifest in `raw`, checked as far as it speaks of itself. Raises ModelUnusable, which names `directory`."""
    try:
        manifest = TypeAdapter(Manifest).validate_json(raw)
        json.loads(raw, object_pairs_hook=_once)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise _unusable(directory, MANIFEST_FILE, f"`{place}`: {first['msg'].lower()}") from None
    except (ValueError, RecursionError) as error:
        raise _unusable(directory, MANIFEST_FILE, f"{error}") from None
    for complaint in _complaints(manifest):
        raise _unusable(directory, MANIFEST_FILE, complaint)
    return manifest


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of `pairs`. Raises ValueError for a key that is there twice: readers differ on which one counts."""
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"`{key[:80]}` is there twice: remove one")
        made[key] = value
    return made


def types_of(labels: Iterable[str]) -> tuple[str, ...]:
    """The types that token `labels` speak of, in order of first mention: `B-PER` and `I-PER` are PER; `O` is none."""
    return tuple(dict.fromkeys(split_label(label)[1] for label in labels if label != "O"))


def split_label(label: str) -> tuple[str, str]:
    """The position that `label` states (of BIO, BILOU, IOBES or BMEWO, or nothing) and its type."""
    stated = _POSITION.fullmatch(label)
    return (stated[1], stated[2]) if stated else ("", label)


_POSITION = re.compile(r"([BIMLESUW])[-_](.+)")


def _complaints(manifest: Manifest) -> Iterable[str]:
    """What contradicts itself in `manifest`, and what to do about it."""
    types = types_of(manifest.labels)
    if len(set(manifest.labels)) != len(manifest.labels):
        yield "`labels` holds a label twice: list the columns of the token output, each once, in their order"
    if not types:
        yield "`labels` names no type: list the columns of the token output in their order"
    if manifest.kind == "ours" and manifest.labels != LABELS:
        yield f"`labels` of kind `ours` are, in this order, {', '.join(LABELS)}; or set `kind` to token-classification"
    if manifest.kind == "ours" and manifest.topics != TOPICS:
        yield f"`topics` of kind `ours` are, in this order, {', '.join(TOPICS)}"
    if manifest.kind == "ours" and manifest.entities:
        yield "`entities` is for kind `token-classification`: remove it"
    if manifest.kind == "token-classification" and manifest.topics:
        yield "`topics` is for kind `ours`: remove it"
    if manifest.kind == "token-classification" and not manifest.entities:
        yield f"`entities` names no type: say which entities to report of {', '.join(types)}"
    yield from _strangers("thresholds", manifest.thresholds, types)
    yield from _strangers("entities", manifest.entities, types)
    yield from _strangers("topic_thresholds", manifest.topic_thresholds, manifest.topics)
    if manifest.overlap * 2 > manifest.window - 4:
        yield "`overlap` is more than half of `window`: make it smaller"


def _strangers(field_name: str, named: Iterable[str], known: Iterable[str]) -> Iterable[str]:
    strange = sorted(set(named) - set(known))
    if strange:
        yield f"`{field_name}` speaks of `{strange[0]}`, which is none of {', '.join(known) or 'none'}"


def _verified(directory: Path, name: str, digest: str) -> bytes:
    content = _read(directory, name, MAX_WEIGHTS_BYTES if name.endswith(".onnx") else MAX_TOKENIZER_BYTES)
    actual = hashlib.sha256(content).hexdigest()
    if actual != digest:
        raise _unusable(
            directory, name, f"its SHA-256 is {actual}, the manifest says {digest}: get the files of one version again"
        )
    return content


def _read(directory: Path, name: str, limit: int) -> bytes:
    """The bytes of a regular file in `directory`, at most `limit`."""
    try:
        # Without waiting for the other end of a named pipe.
        descriptor = os.open(directory / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _unusable(directory, name, "it is no regular file: put the file itself there")
            content = _bounded(descriptor, status.st_size, limit)
        finally:
            os.close(descriptor)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise _unusable(
            directory, name, f"it cannot be read ({reason}): put it there, or name another directory"
        ) from None
    if content is None:
        raise _unusable(directory, name, f"it is larger than {limit} bytes: use a smaller model")
    return content


def _bounded(descriptor: int, size: int, limit: int) -> bytes | None:
    if size > limit:
        return None
    parts: list[bytes] = []
    left = limit
    while block := os.read(descriptor, _READ_BYTES):
        left -= len(block)
        if left < 0:
            return None
        parts.append(block)
    return b"".join(parts)


def _unusable(directory: Path, name: str, complaint: str) -> ModelUnusable:
    return ModelUnusable(f"model directory `{directory}`, `{name}`: {complaint}")
