"""The configuration file: what loads, what is refused, and where the message points."""

from __future__ import annotations

import re
import shutil
import textwrap
import time
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from governance import yaml_source
from governance.claims import SINGLE
from governance.config import STARTER, Config, load, parse, variables
from governance.decision import Mode
from governance.errors import ConfigInvalid
from governance.headers import FIXED, FIXED_PREFIXES
from governance.nodes.node import SYSTEM_CA_FILE, Node, Tls
from governance.residency import COUNTRIES, EEA, Tier
from governance.settings import places
from sidecar.headers import KNOWN

NODE = """\
  - id: gpu-1
    address: 10.0.0.5:8000
    country: DE
    region: eu-central
    tier: on_prem
    models: [llama3]
"""
MINIMAL = "nodes:\n" + NODE
PROXY = "identity:\n  trusted_proxies: [10.0.0.7/32]\n"


@pytest.fixture(params=["libyaml", "PyYAML"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The parser in use: the test runs on each of the two."""
    if request.param == "PyYAML":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")
    return str(request.param)


def loaded(directory: Path, text: str, **environ: str) -> Config:
    """The configuration in `text`, with an environment of exactly `environ`."""
    path = directory / "ringfence.yaml"
    path.write_text(text)
    return load(path, environ=environ)


def refused(directory: Path, text: str, **environ: str) -> str:
    """The message that refuses `text`, with the directory taken out."""
    with pytest.raises(ConfigInvalid) as caught:
        loaded(directory, text, **environ)
    return str(caught.value).replace(f"{directory}/", "")


def uncommented(starter: str) -> str:
    """The starter file with its commented example node made live."""
    return re.sub(r"^  # ( *[-a-z])", r"  \1", starter, flags=re.MULTILINE)


# --- what loads ----------------------------------------------------------------------------------------------------


def test_a_node_is_enough(tmp_path: Path) -> None:
    """Everything but the nodes has a default, and paths are absolute."""
    config = loaded(tmp_path, MINIMAL)

    node = Node(
        id="gpu-1",
        address="10.0.0.5:8000",
        country="DE",
        region="eu-central",
        tier=Tier.ON_PREM,
        models=("llama3",),
    )
    assert (node,) == config.nodes
    assert tmp_path / "var" == config.state_directory
    assert tmp_path / "var" / "audit" == config.audit.directory
    assert ("builtin",) == config.policy.directories


def test_every_setting_is_taken_from_the_file(tmp_path: Path) -> None:
    """Sections, lists, enums, paths and nested TLS settings arrive as typed values."""
    (tmp_path / "rego").mkdir()
    shutil.copy(SYSTEM_CA_FILE, tmp_path / "ca.pem")
    config = loaded(
        tmp_path,
        MINIMAL
        + "    tls: {server_name: gpu-1.internal, ca_file: ca.pem}\n"
        + "policy: {directories: [builtin, ./rego], engine: opa, opa_url: 'http://127.0.0.1:8181', modes: {pii: shadow}}\n"
        + "audit: {directory: log}\nstate_directory: ../elsewhere\nenvoy: {binary: bin/envoy, xds: sotw}\n",
    )

    assert Tls(server_name="gpu-1.internal", ca_file=str(tmp_path / "ca.pem")) == config.nodes[0].tls
    assert ("builtin", str(tmp_path / "rego")) == config.policy.directories
    assert {"pii": Mode.SHADOW} == dict(config.policy.modes)
    assert tmp_path / "log" == config.audit.directory
    assert tmp_path.parent / "elsewhere" == config.state_directory
    assert str(tmp_path / "bin/envoy") == config.envoy.binary


def test_norway_is_a_country(tmp_path: Path) -> None:
    """YAML 1.1 reads an unquoted NO as false; we do not."""
    assert "NO" == loaded(tmp_path, MINIMAL.replace("DE", "NO")).nodes[0].country


def test_a_bare_name_of_envoy_is_left_to_the_path(tmp_path: Path) -> None:
    """A name without a slash is looked up by the system, not beside the file."""
    assert "envoy" == loaded(tmp_path, MINIMAL + "envoy: {binary: envoy}\n").envoy.binary


def test_the_digest_depends_on_the_settings_alone(tmp_path: Path) -> None:
    """Spelling, comments and the place of the file do not count; a value does."""
    (tmp_path / "other").mkdir()
    one = loaded(tmp_path, MINIMAL)
    other = loaded(tmp_path / "other", "# comment\nworkers: 1\n" + MINIMAL)
    changed = loaded(tmp_path, MINIMAL + "workers: 2\n")

    assert one.config_digest == other.config_digest
    assert one.config_digest != changed.config_digest


def test_text_is_read_as_if_its_file_held_it(tmp_path: Path) -> None:
    """The file need not hold it any more, nor be there: paths, digest and messages are the same."""
    text = MINIMAL + "audit: {directory: log}\n"

    assert loaded(tmp_path, text) == parse(text, tmp_path / "ringfence.yaml", environ={})
    with pytest.raises(ConfigInvalid, match=r"gone\.yaml:2"):
        parse("nodes: []\nworkers: 0\n", tmp_path / "gone.yaml", environ={})


def test_the_list_of_countries_holds_the_codes_that_law_groups() -> None:
    """ISO 3166-1 has 249 officially assigned codes; XK and EU are not among them."""
    assert 249 == len(COUNTRIES)
    assert COUNTRIES >= EEA
    assert not COUNTRIES & {"XK", "EU", "UK"}


def test_the_headers_of_claims_are_taken_from_the_file(tmp_path: Path) -> None:
    """All of them, sorted, and nobody can change the mapping afterwards."""
    text = PROXY + "  groups_header: x-forwarded-groups\n  clearance_header: remote-clearance\n"
    text += "  purpose_header: x-purpose\n  purposes: [care]\n  attribute_headers: {ward: x-ward}\n"
    identity = loaded(tmp_path, MINIMAL + text).identity

    assert ("remote-clearance", "x-forwarded-groups", "x-purpose", "x-ward") == identity.headers
    assert (("10.0.0.7/32",), ("care",), {"ward": "x-ward"}) == (
        identity.trusted_proxies,
        identity.purposes,
        dict(identity.attribute_headers),
    )
    assert not hasattr(identity.attribute_headers, "update")


def test_no_header_that_passes_for_another_reason_carries_a_claim(tmp_path: Path) -> None:
    """What a node needs or Envoy owns would be removed, or would be a claim that nobody made."""
    names = [*KNOWN, *FIXED, *(f"{prefix}x" for prefix in FIXED_PREFIXES if prefix != "x-forwarded-"), "x-stainless-os"]

    told = [refused(tmp_path, f"{MINIMAL}{PROXY}  groups_header: '{name}'\n") for name in names]

    assert [] == [one for one in told if "must be a header in lower case" not in one]


def test_the_example_of_the_identity_page_loads(tmp_path: Path) -> None:
    """Whoever copies it gets every claim, and the table of the page names each."""
    page = (Path(__file__).parents[2] / "docs" / "identity.md").read_text()
    example = re.search(r"(?m)^    identity:\n(?:      .*\n)+", page)
    assert example is not None

    identity = loaded(tmp_path, MINIMAL + textwrap.dedent(example[0])).identity

    assert set(SINGLE) == {name for name in SINGLE if getattr(identity, name)}
    assert {"ward", "latency_class"} == identity.attribute_headers.keys()
    assert [*SINGLE, "attribute_headers"] == re.findall(r"(?m)^\| `(\w+_headers?)` \|", page)


# --- the starter file ----------------------------------------------------------------------------------------------


def test_the_starter_file_loads_and_states_the_defaults(tmp_path: Path) -> None:
    """Deleting every line but the nodes changes nothing."""
    text = STARTER.read_text()
    nodes = yaml.safe_dump({"nodes": yaml.safe_load(text)["nodes"]})

    full, bare = loaded(tmp_path, text), loaded(tmp_path, nodes)
    assert {field.name: getattr(bare, field.name) for field in fields(Config)} == {
        field.name: getattr(full, field.name) for field in fields(Config)
    }


def test_the_example_node_of_the_starter_file_loads(tmp_path: Path) -> None:
    """Whoever removes the comment marks gets a node with TLS."""
    config = loaded(tmp_path, uncommented(STARTER.read_text()))

    assert ("local", "gpu-1") == tuple(node.id for node in config.nodes)
    assert Tls(server_name="gpu-1.internal") == config.nodes[1].tls


def test_every_setting_stands_in_the_starter_file() -> None:
    """A new setting without a line in the starter file fails here."""
    document = yaml_source.parse(uncommented(STARTER.read_text()), file="starter.yaml")
    written = {tuple("*" if isinstance(step, int) else step for step in place) for place in document.lines}

    assert [] == [place for place in places() if place not in written]


# --- what is refused -----------------------------------------------------------------------------------------------

REFUSED = [
    (
        "lisen: {port: 1}\n",
        "ringfence.yaml:8: lisen: unknown key; did you mean `listen`?; known here: state_directory,",
    ),
    (
        "listen:\n  prt: 1\n",
        "ringfence.yaml:9: listen.prt: unknown key; did you mean `port`?; known here: address, port",
    ),
    (
        "listen:\n  port: '80'\n",
        "ringfence.yaml:9: listen.port: must be a whole number in decimal digits, not the text `80`",
    ),
    ("listen: {port: 65536}\n", "ringfence.yaml:8: listen.port: must be at most 65535, not `65536`"),
    ("listen: {port: -1}\n", "ringfence.yaml:8: listen.port: must be at least 0, not `-1`"),
    (
        "listen: {port: 8_080}\n",
        "ringfence.yaml:8: listen.port: must be a whole number in decimal digits, not the text",
    ),
    ("listen: {port: 010}\n", "ringfence.yaml:8: listen.port: must be a whole number in decimal digits, not the text"),
    ("listen: {address: localhost}\n", "ringfence.yaml:8: listen.address: must be an IP address of this machine"),
    ("listen:\n", "ringfence.yaml:8: listen: must be a mapping of settings, not empty"),
    ("listen: [1]\n", "ringfence.yaml:8: listen: must be a mapping of settings, not a list"),
    ("admin: {port: 8080}\n", "ringfence.yaml:8: admin.port: is the port of listen as well, `8080`"),
    (
        "workers: true\n",
        "ringfence.yaml:8: workers: must be a whole number in decimal digits, not the truth value `true`",
    ),
    ("workers: 0\n", "ringfence.yaml:8: workers: must be at least 1, not `0`"),
    (
        "envoy: {xds: dleta}\n",
        "ringfence.yaml:8: envoy.xds: must be one of delta, sotw, not `dleta`; did you mean `delta`?",
    ),
    (
        "limits:\n  max_body_bytes: 10\n  streamed_body_bytes: 10\n",
        "ringfence.yaml:10: limits.streamed_body_bytes: must exceed max_body_bytes, `10`",
    ),
    (
        "limits: {streamed_body_bytes: 268435457}\n",
        "ringfence.yaml:8: limits.max_held_bytes: must be at least `268435457`",
    ),
    (
        "limits: {message_timeout_ms: 2000}\n",
        "ringfence.yaml:8: limits.message_timeout_ms: must exceed detection_deadline",
    ),
    (
        "limits: {request_timeout_ms: 9}\n",
        "ringfence.yaml:8: limits.request_timeout_ms: must be at least message_timeout",
    ),
    (
        "classifiers: {server: 'unix:/x', tenants: {clinic: teacher}}\n",
        "ringfence.yaml:8: classifiers.tenants.clinic: must be `off` or the `model` beside a `server`",
    ),
    ("policy: {engine: opa}\n", "ringfence.yaml:8: policy.opa_url: is required with engine `opa`; add `opa_url:"),
    (
        "policy: {on_unavailable: embedded}\n",
        "ringfence.yaml:8: policy.on_unavailable: is for engine `opa`, which this is not; remove it",
    ),
    ("policy: {opa_url: 'file:///etc'}\n", "ringfence.yaml:8: policy.opa_url: must be an http or https URL"),
    ("policy: {opa_url: 'http://u:p@h'}\n", "ringfence.yaml:8: policy.opa_url: must be an http or https URL"),
    ("policy: {directories: []}\n", "ringfence.yaml:8: policy.directories: needs at least one directory"),
    (
        "policy: {directories: [nowhere]}\n",
        "ringfence.yaml:8: policy.directories[0]: no directory or bundle at `nowhere`",
    ),
    ("policy: {directories: [builtin, builtin]}\n", "ringfence.yaml:8: policy.directories[1]: stands twice, `builtin`"),
    (
        "policy: {modes: {pii: lax}}\n",
        "ringfence.yaml:8: policy.modes.pii: must be one of enforce, warn, shadow, off, not",
    ),
    (
        "origin: {jurisdiction: UK}\n",
        "ringfence.yaml:8: origin.jurisdiction: must be an ISO 3166-1 alpha-2 code or `unknown`",
    ),
    (
        "origin: {tenant: 12}\n",
        "ringfence.yaml:8: origin.tenant: must be text, not the number `12`; put the value in quotes",
    ),
    ("origin: {tenant: a b}\n", "ringfence.yaml:8: origin.tenant: must be 1 to 64 of letters, digits and `._-`"),
    (
        "identity: {trusted_proxies: [10.0.0.7]}\n",
        "ringfence.yaml:8: identity.trusted_proxies[0]: must be a CIDR range of some addresses, such as 10.0.0.7/32",
    ),
    ("identity: {trusted_proxies: [10.0.0.7/8]}\n", "ringfence.yaml:8: identity.trusted_proxies[0]: must be a CIDR"),
    ("identity: {trusted_proxies: ['::/0']}\n", "ringfence.yaml:8: identity.trusted_proxies[0]: must be a CIDR range"),
    (
        "identity: {trusted_proxies: [10.0.0.7/32, 10.0.0.7/32]}\n",
        "ringfence.yaml:8: identity.trusted_proxies[1]: stands twice, `10.0.0.7/32`; keep one",
    ),
    (
        "identity: {groups_header: x-groups}\n",
        "ringfence.yaml:8: identity.trusted_proxies: is empty, so that nobody would be believed",
    ),
    (
        PROXY + "  groups_header: X-Groups\n",
        "ringfence.yaml:10: identity.groups_header: must be a header in lower case",
    ),
    (
        PROXY + "  groups_header: authorization\n",
        "ringfence.yaml:10: identity.groups_header: must be a header in lower",
    ),
    (PROXY + "  groups_header: x-forwarded-for\n", "ringfence.yaml:10: identity.groups_header: must be a header in"),
    (
        PROXY + "  groups_header: x-envoy-groups\n",
        "ringfence.yaml:10: identity.groups_header: must be a header in lower",
    ),
    (PROXY + "  groups_header: ''\n", "ringfence.yaml:10: identity.groups_header: must be a header in lower case"),
    (PROXY + "  purpose_header: x-purpose\n", "ringfence.yaml:8: identity.purposes: needs at least one purpose"),
    (
        PROXY + "  purposes: [unknown]\n",
        "ringfence.yaml:10: identity.purposes[0]: `unknown` stands for any that is not",
    ),
    (
        PROXY + "  purposes: [two words]\n",
        "ringfence.yaml:10: identity.purposes[0]: must be 1 to 64 of letters, digits",
    ),
    (
        PROXY + "  groups_header: x-one\n  attribute_headers: {ward: x-one}\n",
        "ringfence.yaml:11: identity.attribute_headers.ward: another setting reads `x-one` as well",
    ),
    (
        PROXY + "  attribute_headers: {'a ward': x-ward}\n",
        "ringfence.yaml:10: identity.attribute_headers.a ward: must be 1 to 64 of letters, digits and `._-`",
    ),
    ("health_check: {path: health}\n", "ringfence.yaml:8: health_check.path: must begin with `/`, not `health`"),
    (
        "health_check: {timeout_ms: 9000}\n",
        "ringfence.yaml:8: health_check.timeout_ms: must not exceed interval_ms, `2000`",
    ),
    ("state_directory: " + "x" * 90 + "\n", "ringfence.yaml:8: state_directory: its absolute path has "),
    ("workers: 1\nworkers: 2\n", "ringfence.yaml:9: the key `workers` stands here and on line 8; keep one"),
    ("listen: &a {port: 1}\n", "ringfence.yaml:8: anchors and aliases are not supported"),
    ("listen: *a\n", "ringfence.yaml:8: anchors and aliases are not supported"),
    ("workers: !!python/object/apply:os.getpid []\n", "ringfence.yaml:8: tags are not supported"),
    ("? [a]\n: 1\n", "ringfence.yaml:8: a key must be plain text"),
    ("<<: {workers: 2}\n", "ringfence.yaml:8: <<: unknown key"),
    ("listen: {\n", "ringfence.yaml:8: is not valid YAML: "),
    ("workers: 1\n---\nworkers: 2\n", "ringfence.yaml:9: a second document starts here"),
    ('origin: {tenant: "a\\u0000b"}\n', "ringfence.yaml:8: holds a control character or a line break"),
    ('origin: {tenant: "\\ud800"}\n', "ringfence.yaml:8: "),
    ("origin: {tenant: \x07}\n", "ringfence.yaml:1: holds a control character"),
    ("limits: " + "[" * 100 + "]" * 100 + "\n", "ringfence.yaml:8: is nested deeper than 16 levels"),
]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[message[:60] for _, message in REFUSED])
def test_a_mistake_is_refused_with_its_line_and_what_to_write(tmp_path: Path, text: str, message: str) -> None:
    """Each row adds one mistake below seven good lines."""
    told = refused(tmp_path, MINIMAL + text)

    assert message == told[: len(message)]


NODES_REFUSED = [
    ("    country: DE\n", "", "2: nodes[0].country: is required; add `country: DE`"),
    ("country: DE", "country: de", "4: nodes[0].country: must be an ISO 3166-1 alpha-2 code in capitals"),
    ("country: DE", "country: UK", "4: nodes[0].country: must be an ISO 3166-1 alpha-2 code in capitals"),
    ("country: DE", "country: XX", "4: nodes[0].country: must be an ISO 3166-1 alpha-2 code in capitals"),
    ("id: gpu-1", "id: GPU", "2: nodes[0].id: must be 1 to 63 of a-z, 0-9 and `-`"),
    ("id: gpu-1", "id: " + "a" * 64, "2: nodes[0].id: must be 1 to 63 of a-z, 0-9 and `-`"),
    ("on_prem", "onprem", "6: nodes[0].tier: must be one of device, edge, on_prem, private_cluster, regional_cloud"),
    ("[llama3]", "[]", "7: nodes[0].models: needs at least one name"),
    ("[llama3]", "[a b]", "7: nodes[0].models[0]: must be 1 to 128 of letters"),
    ("[llama3]", "llama3", "7: nodes[0].models: must be a list, not the text `llama3`"),
    ("[llama3]", "[a]\n    protocol: gopher", "8: nodes[0].protocol: must be one of openai, not `gopher`"),
    ("[llama3]", "[a]\n    tls: {ca_file: null}", "8: nodes[0].tls.server_name: is required; add `server_name:"),
    ("[llama3]", "[a]\n    tls: {server_name: a_b}", "8: nodes[0].tls.server_name: must be the host name on"),
    ("[llama3]", "[a]\n    tls: {server_name: a, ca_file: no.pem}", "8: nodes[0].tls.ca_file: no file at `no.pem`"),
    ("[llama3]", "[a]\n    adress: a:1", "8: nodes[0].adress: unknown key; did you mean `address`?"),
    ("[llama3]", "[a]\n" + NODE, "8: nodes[1].id: another node is called `gpu-1`; ids must be unique"),
]


@pytest.mark.parametrize(("old", "new", "message"), NODES_REFUSED)
def test_a_bad_node_is_refused_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Each row breaks one setting of an otherwise good node."""
    told = refused(tmp_path, MINIMAL.replace(old, new))

    assert f"ringfence.yaml:{message}" == told[: len(f"ringfence.yaml:{message}")]


@pytest.mark.parametrize(
    "content", ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_trust_store_has_certificates(tmp_path: Path, content: str) -> None:
    """Envoy would refuse the cluster of every node in that country."""
    (tmp_path / "ca.pem").write_text(content)
    told = refused(tmp_path, MINIMAL + "    tls: {server_name: a, ca_file: ca.pem}\n")

    assert told.startswith("ringfence.yaml:8: nodes[0].tls.ca_file: no certificates can be read from `ca.pem`")


def test_the_systems_trust_store_is_needed_where_a_node_names_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without one serves plain nodes, and those that name their own."""
    monkeypatch.setattr("governance.config_checks.SYSTEM_CA_FILE", "/none.crt")
    loaded(tmp_path, MINIMAL)

    told = refused(tmp_path, MINIMAL + "    tls: {server_name: a}\n")

    assert (
        "ringfence.yaml:8: nodes[0].tls.ca_file: is required, as this machine has no trust store at `/none.crt`" == told
    )


ADDRESSES = [
    ("10.0.0.5:8000", True),
    ("gpu-1.internal:443", True),
    ("localhost:1", True),
    ("'[::1]:8000'", True),
    ("10.0.0.5", False),
    ("10.0.0.5:0", False),
    ("10.0.0.5:65536", False),
    ("10.0.0.5:08", False),
    ("10.0.0.256:80", False),
    ("http://10.0.0.5:8000", False),
    ("10.0.0.5:80/v1", False),
    ("a_b:80", False),
    ("'::1:8000'", False),
    ("'[::1]'", False),
    ("':80'", False),
    ("user@host:80", False),
    ("'host :80'", False),
    ("127.0.0.1:8080", False),
    ("127.0.0.1:9901", False),
]


@pytest.mark.parametrize(("address", "good"), ADDRESSES)
def test_node_addresses_are_host_and_port_of_somebody_else(tmp_path: Path, address: str, good: bool) -> None:
    """A node on our own listener would send requests in a circle, one on the admin port would open it."""
    text = MINIMAL.replace("10.0.0.5:8000", address)

    if good:
        assert address.strip("'") == loaded(tmp_path, text).nodes[0].address
    else:
        assert refused(tmp_path, text).startswith("ringfence.yaml:3: nodes[0].address: ")


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """One run of `config check` shows everything of a kind."""
    with pytest.raises(ConfigInvalid) as caught:
        loaded(tmp_path, "retries: 11\nworkers: 0\n" + MINIMAL.replace("[llama3]", "3"))

    lines = str(caught.value).replace(f"{tmp_path}/", "").split("\n")
    assert ["ringfence.yaml:1: retries", "ringfence.yaml:2: workers", "ringfence.yaml:9: nodes[0].models"] == [
        line.rpartition(": must")[0] for line in lines
    ]
    assert (str(tmp_path / "ringfence.yaml"), 1) == (caught.value.file, caught.value.line)


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "text\n", "workers: 1\n", "nodes: []\n"])
def test_a_file_without_nodes_is_refused(tmp_path: Path, text: str) -> None:
    """There is no default node: nothing is served unless somebody said where."""
    assert refused(tmp_path, text).startswith("ringfence.yaml:")


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """A missing file, a directory, another encoding and an endless file each have their own message."""
    other = tmp_path / "other.yaml"
    expected = []
    for content in (None, b"a: 1\nb: \xff\n", b"#" * (yaml_source.MAX_BYTES + 1)):
        if content is not None:
            other.write_bytes(content)
        with pytest.raises(ConfigInvalid) as caught:
            load(other, environ={})
        expected.append(str(caught.value).replace(str(other), "F"))
    with pytest.raises(ConfigInvalid, match="cannot be read: is a directory"):
        load(tmp_path, environ={})

    assert [
        "F: cannot be read: no such file or directory; `ringfence init` writes a starter file",
        "F:2: is not UTF-8 here; save the file as UTF-8",
        "F: is larger than 1048576 bytes; split the nodes over several installations",
    ] == expected


def test_a_long_value_is_shortened_in_the_message(tmp_path: Path) -> None:
    """A message stays a line or two whatever stands in the file."""
    assert 400 > len(refused(tmp_path, MINIMAL + "origin: {tenant: '" + "a b" * 10_000 + "'}\n"))


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"#%@,? \n\t0~")))
def test_any_text_is_read_or_refused_as_invalid(text: str) -> None:
    """No other exception leaves the reader, and its lines lie inside the text."""
    try:
        told = list(yaml_source.parse(text, file="f").lines.values())
    except ConfigInvalid as error:
        told = [error.line]

    assert max(told) <= text.count("\n") + 1


@pytest.mark.usefixtures("parser")
def test_the_deepest_file_takes_bounded_time() -> None:
    """Nesting is refused where it passes the limit, before the rest of the file is looked at."""
    started = time.process_time()
    with pytest.raises(ConfigInvalid):
        yaml_source.parse("[" * yaml_source.MAX_BYTES, file="f")

    assert time.process_time() - started < 30


# --- the environment -----------------------------------------------------------------------------------------------


def test_the_environment_overrides_single_values(tmp_path: Path) -> None:
    """Numbers, text that looks like a number, absent values and sections that are not in the file."""
    config = loaded(
        tmp_path,
        MINIMAL + "health_check: {path: /health}\n",
        RINGFENCE_LISTEN_PORT="0",
        RINGFENCE_ORIGIN_TENANT="12",
        RINGFENCE_HEALTH_CHECK_PATH="",
        RINGFENCE_STATE_DIRECTORY="elsewhere",
        RINGFENCE_POLICY_ENGINE="embedded",
        PATH="/bin",
    )

    assert (0, "12", None) == (config.listen.port, config.origin.tenant, config.health_check.path)
    assert tmp_path / "elsewhere" == config.state_directory


def test_a_bad_value_in_the_environment_is_named_by_its_variable(tmp_path: Path) -> None:
    """The line of a file would send the operator to the wrong place."""
    assert (
        "RINGFENCE_LISTEN_PORT: listen.port: must be a whole number in decimal digits, not the text `http`"
        == refused(tmp_path, MINIMAL, RINGFENCE_LISTEN_PORT="http")
    )


def test_an_unknown_variable_is_refused(tmp_path: Path) -> None:
    """A misspelt override would otherwise be silent."""
    assert (
        "RINGFENCE_LISTEN_PROT: unknown environment variable; did you mean `RINGFENCE_LISTEN_PORT`?; unset it"
        == refused(tmp_path, MINIMAL, RINGFENCE_LISTEN_PROT="1")
    )


def test_variables_name_exactly_the_single_settings() -> None:
    """No two settings share a variable, and lists and mappings have none."""
    names = variables()

    assert len(names) == len(set(names.values()))
    assert ("listen", "port") == names["RINGFENCE_LISTEN_PORT"]
    assert not {("policy", "directories"), ("policy", "modes"), ("nodes",)} & set(names.values())
