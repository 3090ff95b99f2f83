"""What a configuration must hold beyond types and bounds. Pure except for looking at named files."""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from governance.claims import SINGLE, UNKNOWN_PURPOSE, Identity
from governance.nodes.node import SYSTEM_CA_FILE, Node
from governance.residency import COUNTRIES
from governance.settings import BUILTIN, MODEL_OFF, REGISTRY_FILES, SHIPPED_MODELS, Config, PolicyBundle
from governance.yaml_source import Place, nearest, quoted

# Bytes of a socket's whole path: Linux takes 107 (unix(7), sun_path less its NUL); some room is left.
MAX_SOCKET_PATH: Final = 100
LONGEST_SOCKET_NAME: Final = "worker-63-metrics.sock"
PROTOCOLS: Final = ("openai",)

Problem = tuple[Place, str]

_NODE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
# The characters that a request's model may have: a name outside them could never be asked for.
_MODEL = re.compile(r"[A-Za-z0-9._:/@+-]{1,128}", re.ASCII)
_HOST_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,126}:[A-Za-z_][A-Za-z0-9_]{0,126}", re.ASCII)
_CLAIM = re.compile(r"(?:x|remote)-[a-z0-9-]{1,62}", re.ASCII)
# Headers that carry something else, to Envoy, to a node or to us; `x-forwarded-groups` and its like are free.
_NO_CLAIM = re.compile(
    r"x-api-key|x-request-id|x-real-ip|x-(?:ringfence|envoy|stainless)-.*"
    r"|x-forwarded-(?:for|proto|host|port|prefix|server|client-cert)",
    re.ASCII,
)
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)


def problems(config: Config) -> Iterator[Problem]:
    """Everything that is wrong with `config`, with the place of the setting to change."""
    yield from _sockets(config)
    yield from _addresses(config)
    yield from _limits(config)
    yield from _classifiers(config)
    yield from _policy(config)
    yield from _origin(config)
    yield from _identity(config.identity)
    yield from _health(config)
    yield from _nodes(config)


def _sockets(config: Config) -> Iterator[Problem]:
    size = len(os.fsencode(config.state_directory))
    most = MAX_SOCKET_PATH - len(f"/{LONGEST_SOCKET_NAME}")
    if size > most:
        what = f"its absolute path has {size} bytes, and Unix sockets inside leave room for {most}; use a shorter path"
        yield ("state_directory",), what


def _addresses(config: Config) -> Iterator[Problem]:
    for name, address in (("listen", config.listen.address), ("admin", config.admin.address)):
        if not _is_ip(address):
            yield (name, "address"), f"must be an IP address of this machine, such as 127.0.0.1, not {quoted(address)}"
    if config.listen.port and _overlap(config):
        yield ("admin", "port"), f"is the port of listen as well, {quoted(config.listen.port)}; choose another"


def _overlap(config: Config) -> bool:
    one, other = config.listen, config.admin
    if one.port != other.port:
        return False
    return one.address == other.address or {one.address, other.address} & {"0.0.0.0", "::"} != set()  # noqa: S104


def _limits(config: Config) -> Iterator[Problem]:
    limits = config.limits
    if limits.streamed_body_bytes is not None and limits.streamed_body_bytes <= limits.max_body_bytes:
        what = f"must exceed max_body_bytes, {quoted(limits.max_body_bytes)}; leave it out to take no larger bodies"
        yield ("limits", "streamed_body_bytes"), what
    longest = limits.streamed_body_bytes or limits.max_body_bytes
    if limits.max_held_bytes < longest:
        what = f"must be at least {quoted(longest)}, or the longest body that is allowed could never be read"
        yield ("limits", "max_held_bytes"), what
    if limits.message_timeout_ms <= limits.detection_deadline_ms:
        what = f"must exceed detection_deadline_ms, {quoted(limits.detection_deadline_ms)}, or Envoy gives up first"
        yield ("limits", "message_timeout_ms"), what
    if limits.request_timeout_ms < limits.message_timeout_ms:
        what = f"must be at least message_timeout_ms, {quoted(limits.message_timeout_ms)}"
        yield ("limits", "request_timeout_ms"), what


def _classifiers(config: Config) -> Iterator[Problem]:
    for number, name in enumerate(config.classifiers.recognizers):
        place = ("classifiers", "recognizers", number)
        if name.endswith(REGISTRY_FILES):
            if not Path(name).is_file():
                yield place, f"no file at {quoted(name)}; its path is relative to this file"
        elif _CLASS.fullmatch(name) is None and not name.startswith("spacy:/"):
            yield (
                place,
                f"must be a file `.yaml`, a class `package.module:Class` or a pipeline `spacy:NAME`, not {quoted(name)}",
            )
    yield from _model(("classifiers", "model"), config.classifiers.model)
    for tenant, name in config.classifiers.tenants.items():
        yield from _model(("classifiers", "tenants", tenant), name)
        if config.classifiers.server is not None and name not in {MODEL_OFF, config.classifiers.model}:
            what = (
                f"must be `{MODEL_OFF}` or the `model` beside a `server`, which has that one alone, not {quoted(name)}"
            )
            yield ("classifiers", "tenants", tenant), what


def _model(place: Place, name: str) -> Iterator[Problem]:
    known = (MODEL_OFF, *SHIPPED_MODELS)
    if name not in known and not Path(name).is_dir():
        meant = nearest(Path(name).name, known)
        yield (
            place,
            f"must be {', '.join(known)} or the directory of a model, and there is none at {quoted(name)}{meant}",
        )


def _policy(config: Config) -> Iterator[Problem]:
    policy = config.policy
    if policy.engine == "opa" and policy.opa_url is None:
        yield ("policy", "opa_url"), "is required with engine `opa`; add `opa_url: http://127.0.0.1:8181`"
    if policy.on_unavailable == "embedded" and policy.engine != "opa":
        yield ("policy", "on_unavailable"), "is for engine `opa`, which this is not; remove it"
    if policy.opa_url is not None and not _is_url(policy.opa_url):
        yield ("policy", "opa_url"), f"must be an http or https URL without credentials, not {quoted(policy.opa_url)}"
    if not policy.directories and policy.bundle.url is None:
        yield ("policy", "directories"), f"needs at least one directory, such as `{BUILTIN}`"
    for index, name in _repeated(policy.directories):
        yield ("policy", "directories", index), f"stands twice, {quoted(name)}; keep one"
    for index, name in enumerate(policy.directories):
        if name != BUILTIN and not Path(name).exists():
            yield (
                ("policy", "directories", index),
                f"no directory or bundle at {quoted(name)}; `{BUILTIN}` is the own library",
            )

    bundle = policy.bundle
    if bundle.url is None and bundle != PolicyBundle():
        yield ("policy", "bundle", "url"), "is required with the other settings of a bundle"


def _origin(config: Config) -> Iterator[Problem]:
    origin = config.origin
    if origin.jurisdiction != "unknown":
        yield from _country(("origin", "jurisdiction"), origin.jurisdiction, "or `unknown`")
    yield from _word(("origin", "tenant"), origin.tenant)
    yield from _word(("origin", "env"), origin.env)


def _identity(identity: Identity) -> Iterator[Problem]:
    for index, text in enumerate(identity.trusted_proxies):
        if not _is_range(text):
            what = f"must be a CIDR range of some addresses, such as 10.0.0.7/32, not {quoted(text)}"
            yield ("identity", "trusted_proxies", index), what
    for index, text in _repeated(identity.trusted_proxies):
        yield ("identity", "trusted_proxies", index), f"stands twice, {quoted(text)}; keep one"
    if identity.headers and not identity.trusted_proxies:
        what = "is empty, so that nobody would be believed; name the proxy's address, or no header"
        yield ("identity", "trusted_proxies"), what
    yield from _claim_headers(identity)
    if identity.purpose_header and not identity.purposes:
        yield ("identity", "purposes"), "needs at least one purpose, such as `care`, with purpose_header"
    for index, text in enumerate(identity.purposes):
        yield from _word(("identity", "purposes", index), text)
        if text == UNKNOWN_PURPOSE:
            yield ("identity", "purposes", index), f"{quoted(text)} stands for any that is not listed; leave it out"
    for name in identity.attribute_headers:
        yield from _word(("identity", "attribute_headers", name), name)


def _claim_headers(identity: Identity) -> Iterator[Problem]:
    named: list[tuple[Place, str]] = [
        (("identity", name), header) for name in SINGLE if (header := getattr(identity, name)) is not None
    ]
    named += [(("identity", "attribute_headers", name), header) for name, header in identity.attribute_headers.items()]
    for place, header in named:
        if not _CLAIM.fullmatch(header) or _NO_CLAIM.fullmatch(header):
            what = "must be a header in lower case that begins with `x-` or `remote-` and carries nothing else"
            yield place, f"{what}, not {quoted(header)}"
    for index, header in _repeated(header for _, header in named):
        yield named[index][0], f"another setting reads {quoted(header)} as well; one header carries one claim"


def _health(config: Config) -> Iterator[Problem]:
    check = config.health_check
    if check.path is not None and not check.path.startswith("/"):
        yield ("health_check", "path"), f"must begin with `/`, not {quoted(check.path)}"
    if check.timeout_ms > check.interval_ms:
        yield ("health_check", "timeout_ms"), f"must not exceed interval_ms, {quoted(check.interval_ms)}"


def _nodes(config: Config) -> Iterator[Problem]:
    own = {(entry.address, str(entry.port)) for entry in (config.listen, config.admin)}
    if not config.nodes:
        # Asked here and not of the validator, which would not count elements that are wrong for another reason.
        yield ("nodes",), "needs at least one node; `ringfence init` writes an example"
    for index, name in _repeated(node.id for node in config.nodes):
        yield ("nodes", index, "id"), f"another node is called {quoted(name)}; ids must be unique"
    for index, node in enumerate(config.nodes):
        yield from (((("nodes", index, *place), what)) for place, what in _node(node))
        if _host_and_port(node.address) in own:
            yield ("nodes", index, "address"), "is an address of Ringfence itself; requests would go round in a circle"


def _node(node: Node) -> Iterator[Problem]:
    if not _NODE_ID.fullmatch(node.id):
        what = f"must be 1 to 63 of a-z, 0-9 and `-`, beginning with a letter or digit, not {quoted(node.id)}"
        yield ("id",), what
    if _host_and_port(node.address) is None:
        yield (
            ("address",),
            f"must be `host:port` without a scheme or path, such as 10.0.0.5:8000, not {quoted(node.address)}",
        )
    yield from _country(("country",), node.country, "in capitals")
    yield from _word(("region",), node.region)
    if node.provider:
        yield from _word(("provider",), node.provider)
    for index, name in enumerate(node.certifications):
        yield from _word(("certifications", index), name)
    if node.protocol not in PROTOCOLS:
        yield ("protocol",), f"must be one of {', '.join(PROTOCOLS)}, not {quoted(node.protocol)}"
    if not node.models:
        yield ("models",), "needs at least one name; add `models: [llama3]`"
    for index, name in enumerate(node.models):
        if not _MODEL.fullmatch(name):
            yield ("models", index), f"must be 1 to 128 of letters, digits and `._:/@+-`, not {quoted(name)}"
    if node.tls is not None:
        if not _is_host_name(node.tls.server_name):
            yield (
                ("tls", "server_name"),
                f"must be the host name on the certificate, not {quoted(node.tls.server_name)}",
            )
        yield from _trust_store(node.tls.ca_file)


def _trust_store(file: str | None) -> Iterator[Problem]:
    """What Envoy refuses to load keeps every node of the cell from changing, those without TLS too."""
    if file is None:
        if not Path(SYSTEM_CA_FILE).is_file():
            yield ("tls", "ca_file"), f"is required, as this machine has no trust store at {quoted(SYSTEM_CA_FILE)}"
    elif not Path(file).is_file():
        yield ("tls", "ca_file"), f"no file at {quoted(file)}; leave it out to use the system's store"
    elif not _holds_certificates(file):
        yield ("tls", "ca_file"), f"no certificates can be read from {quoted(file)}; they are expected in PEM"


def _holds_certificates(file: str) -> bool:
    store = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        store.load_verify_locations(cafile=file)
    except OSError:  # SSLError is one
        return False
    return store.cert_store_stats()["x509"] > 0


def _country(place: Place, code: str, hint: str) -> Iterator[Problem]:
    if code not in COUNTRIES:
        better = f"; did you mean `{code.upper()}`?" if code.upper() in COUNTRIES else ""
        better = "; the code of the United Kingdom is `GB`" if code.upper() == "UK" else better
        yield place, f"must be an ISO 3166-1 alpha-2 code {hint}, such as DE, not {quoted(code)}{better}"


def _word(place: Place, text: str) -> Iterator[Problem]:
    if not _WORD.fullmatch(text):
        what = f"must be 1 to 64 of letters, digits and `._-`, beginning with a letter or digit, not {quoted(text)}"
        yield place, what


def _repeated(names: Iterable[str]) -> Iterator[tuple[int, str]]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield index, name
        seen.add(name)


def _host_and_port(address: str) -> tuple[str, str] | None:
    host, colon, port = address.rpartition(":")
    if not colon or not _PORT.fullmatch(port) or int(port) > 65_535:
        return None
    if host.startswith("[") and host.endswith("]"):
        return (host[1:-1], port) if ":" in host and _is_ip(host[1:-1]) else None
    return (host, port) if ":" not in host and (_is_ip(host) or _is_host_name(host)) else None


def _is_host_name(name: str) -> bool:
    """RFC 1123, section 2.1; a last label of digits would be read as part of an IPv4 address."""
    labels = name.split(".")
    return len(name) <= 253 and all(map(_HOST_LABEL.fullmatch, labels)) and not labels[-1].isdigit()


def _is_ip(text: str) -> bool:
    try:
        return not getattr(ipaddress.ip_address(text), "scope_id", None)
    except ValueError:
        return False


def _is_range(text: str) -> bool:
    """Whether `text` is a range in its plain form, and not of all addresses."""
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        return False
    return "/" in text and found.prefixlen > 0 and "%" not in text


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
