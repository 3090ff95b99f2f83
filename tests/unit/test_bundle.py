"""Loading policies: what a bundle says about itself, and what is refused before it is in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.decision import Mode
from governance.errors import ConfigInvalid
from governance.policy.bundle import ReadSet, library, load_bundle
from governance.policy.distribution import archive
from governance.policy.distribution.archive import read_limited
from governance.residency import EEA, Level
from tests.bundles import ALLOW, bundle_of, one_policy, policy, write

DENY = """effects contains {"effect": "deny", "rule": "r", "code": "c",
	"params": {"status": 403, "code": "no", "message_id": "no"}}"""


def refusal(top: Path, files: dict[str, str]) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        bundle_of(top, files)
    return str(caught.value).removeprefix(f"{top}/")


def test_library_enforces_the_baseline_and_five_policies() -> None:
    """Of the library that comes along six policies are enforced as shipped; users switch the others on."""
    bundle = load_bundle(["builtin"])

    assert (
        [one.id for one in bundle.policies if one.mode is Mode.ENFORCE],
        {one.mode for one in bundle.policies} - {Mode.ENFORCE, Mode.OFF},
    ) == (
        [
            "baseline",
            "credentials",
            "health_data",
            "payment_cards",
            "personal_data_third_country",
            "uninspected_content",
        ],
        set(),
    )


def test_library_table_of_the_eea_is_that_of_the_engine() -> None:
    """Policy data and placement agree on which countries the EEA is."""
    codes = load_bundle(["builtin"]).data["ringfence"]["jurisdictions"]["eea"]["codes"]

    assert EEA | {"EU", "EEA"} == set(codes)


def test_library_lists_the_source_of_every_adequate_country() -> None:
    """No country is adequate without a decision of the Commission."""
    adequate = load_bundle(["builtin"]).data["ringfence"]["jurisdictions"]["adequate"]

    assert set(adequate["decisions"]) == set(adequate["codes"])


def test_levels_come_from_data() -> None:
    """The table of levels is policy data, read into the engine's words."""
    levels = load_bundle(["builtin"]).levels

    assert (levels["social_security"], levels["DATE_TIME"]) == (Level.RESTRICTED, Level.PUBLIC)


def test_metadata_of_a_policy_is_read(tmp_path: Path) -> None:
    """Id, version, mode, phases and title come from the METADATA block."""
    text = policy("p", version="2.1.0", mode="shadow", on_error="skip", phases="[response, request]")

    (found,) = bundle_of(tmp_path, {"p.rego": text}).policies

    assert (
        found.id,
        found.version,
        found.mode,
        found.phases,
        found.title,
        found.entrypoint,
    ) == ("p", "2.1.0", Mode.SHADOW, ("request", "response"), "The policy p", "ringfence/policy/p/effects")


def test_mode_can_be_overridden(tmp_path: Path) -> None:
    """Configuration decides how far a policy reaches; `off` leaves it out."""
    bundle = bundle_of(tmp_path, {"p.rego": policy("p"), "q.rego": policy("q")}, p=Mode.OFF, q=Mode.WARN)

    assert [(one.id, one.mode) for one in bundle.applicable("request")] == [("q", Mode.WARN)]


def test_phase_selects_policies(tmp_path: Path) -> None:
    """A policy is asked in the phases that it names."""
    bundle = bundle_of(tmp_path, {"p.rego": policy("p"), "q.rego": policy("q", phases="[response]")})

    assert tuple([one.id for one in bundle.applicable(phase)] for phase in ("request", "response", "stream")) == (
        ["p"],
        ["q"],
        [],
    )


def test_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    """Equal files are an equal bundle wherever they lie; any change of what is evaluated is another one."""
    files = {"p.rego": policy("p"), "data.json": '{"a": 1}'}
    first = bundle_of(tmp_path / "1", files)
    same = bundle_of(tmp_path / "2", {**files, "p_test.rego": "package ringfence.policy.p_test\n"})
    other = bundle_of(tmp_path / "3", {**files, "data.json": '{"a": 2}'})

    assert (
        len(first.digest),
        first.digest == same.digest,
        first.digest == other.digest,
        first.data_digest == other.data_digest,
    ) == (64, True, False, False)


def test_revision_is_the_manifests_or_short_digest(tmp_path: Path) -> None:
    """A `.manifest` names the revision, as in an OPA bundle."""
    named = bundle_of(tmp_path / "1", {"p.rego": policy("p"), ".manifest": '{"revision": "2026-11"}'})
    unnamed = bundle_of(tmp_path / "2", {"p.rego": policy("p")})

    assert ("2026-11", unnamed.digest[:12]) == (named.revision, unnamed.revision)


def test_directories_are_one_bundle(tmp_path: Path) -> None:
    """A user's directory stands beside the library, and data of both is merged by path."""
    mine = write(tmp_path, {"p.rego": policy("p"), "ringfence/data.yaml": "mine: {a: [1, x]}\n"})

    bundle = load_bundle(["builtin", mine])

    assert (
        bundle.data["ringfence"]["mine"],
        "levels" in bundle.data["ringfence"],
        {"p", "baseline"} <= {one.id for one in bundle.policies},
    ) == ({"a": [1, "x"]}, True, True)


def test_library_is_a_directory_of_the_package() -> None:
    """The library is found without a path of this checkout."""
    assert (library() / "policies").is_dir()


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("effects contains {} if input.request.model == data.x.y", (("request", "model"),)),
        (
            "effects contains {} if { some e in input.classification.entities\n e.type }",
            (("classification", "entities"),),
        ),
        ('effects contains {} if input.request["model"]', (("request",),)),
        ("effects contains {} if input.request[_] == 1", (("request",),)),
        ("import input.origin as o\n\neffects contains {} if o.basis", (("origin", "basis"),)),
        ("effects contains {} if { input.origin\n input.origin.basis }", (("origin",),)),
        ("effects contains {} if { x := input\n x.origin }", None),
        ("effects contains {} if f(input)\nf(x) if x.phase", None),
        ('effects contains {} if input["phase"]', None),
        ("import input\n\neffects contains {} if input.phase", (("phase",),)),
        ("effects contains {} if { some k\n input[k] }", None),
        ("effects contains {} if walk(input, [_, 1])", None),
        ('# input.phase\neffects contains {"input.a": "input"}', ()),
        ('effects contains {} if "a" in\ninput.principal.groups', (("principal", "groups"),)),
        ('effects contains {} if "a" in # b\n\ninput.principal.groups', (("principal", "groups"),)),
        ("effects contains\ninput.phase if true", (("phase",),)),
        ("effects contains {} if some g in\ninput.principal.groups", (("principal", "groups"),)),
        ("effects contains {} if some\ng in input.principal.groups", (("principal", "groups"),)),
        ("effects contains {} if x\nx := 1 if false\nelse :=\ninput.phase", (("phase",),)),
        ("effects contains {} if {1}\n&\ninput.phase", (("phase",),)),
        ("import input.origin as o\n\neffects contains {} if 1 in\no.basis", (("origin", "basis"),)),
    ],
)
def test_read_set_covers_what_rules_refer_to(
    tmp_path: Path, rules: str, expected: tuple[tuple[str, ...], ...] | None
) -> None:
    """The read set is static and errs towards everything."""
    bundle = one_policy(tmp_path, rules, {"x/data.json": '{"y": 1}'})

    assert ReadSet(paths=expected) == bundle.read_set


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("effects contains {} if {", "p.rego:8: this is unclosed"),
        ('effects contains {} if http.send({"url": "x"})', "p.rego:8: `http.send` is not allowed in a policy"),
        ("effects contains {} if opa.runtime().env", "p.rego:8: `opa.runtime` is not allowed in a policy"),
        ('effects contains {} if rand.intn("a", 3) == 1', "p.rego:8: `rand.intn` is not allowed in a policy"),
        ('effects contains {} if uuid.rfc4122("a")', "p.rego:8: `uuid.rfc4122` is not allowed in a policy"),
        (
            "effects contains {} if time.now_ns() > 1",
            "p.rego:8: `time.now_ns` is not allowed in a policy: use `input.context.time`",
        ),
        ('effects contains {} if "a" in\nopa.runtime().env', "p.rego:9: `opa.runtime` is not allowed in a policy"),
        ("effects contains {} if true\nopa.runtime()", "p.rego:9: `opa.runtime` is not allowed in a policy"),
        ("effects contains {} if opa .runtime().env", "p.rego:8: a dotted name is written without space"),
        ("effects contains {} if opa.\nruntime().env", "p.rego:9: a dotted name is written without space"),
        ("effects contains {} if max\n([1])", "p.rego:9: a bracket stands on the line of what it calls"),
        ('effects contains {} if opa["runtime"]\n()', "p.rego:9: a function is called by its dotted name"),
        ('effects contains {} if "a" in\nlowwer(input.phase)', "p.rego:9: unknown function `lowwer`"),
        ('effects contains {} if trace("x")', "p.rego:8: `trace` is not allowed in a policy"),
        ('effects contains {} if print("x")', "p.rego:8: `print` is not allowed in a policy"),
        (
            "effects contains {} if io.jwt.encode_sign({}, {}, {})",
            "p.rego:8: `io.jwt.encode_sign` is not allowed in a policy",
        ),
        (
            'effects contains {} if net.cidr_contains("10.0.0.0/8", "a")',
            "p.rego:8: unknown function `net.cidr_contains`",
        ),
        ("effects contains {} if\nnet.cidr_is_valid(input.phase)", "p.rego:9: unknown function `net.cidr_is_valid`"),
        ("effects contains {} if cuont(input.phase) == 1", "p.rego:8: unknown function `cuont`"),
        ("effects contains {} if object.union({}, {})", "p.rego:8: `object.union` is not the same on every engine"),
        (
            "effects contains {} if data.ringfence.policy.q.x",
            "p.rego:8: nothing is defined at `data.ringfence.policy.q.x`",
        ),
        ("import data.ringfence.lib.l\n\neffects contains {} if l.f(1)", "p.rego:10: unknown function `l.f`"),
        ("effects contains {} if {\n\tx := 1\n\tx := 2\n}", "p.rego:10: `x` is assigned twice in one block"),
        ("effects contains {} if input.phase with input as {}", "p.rego:8: `with` belongs to tests"),
        ('effects contains {} if $"{input.phase}"', "p.rego:8: string interpolation is not allowed: use `sprintf`"),
        ("import future.x.y as data\nimport rogue.x\n", "p.rego:8: an import names a path under `data` or `input`"),
        ("x := 1", "p.rego:6: a policy has a rule `effects`"),
    ],
)
def test_broken_rule_is_refused_with_its_line(tmp_path: Path, body: str, expected: str) -> None:
    """What one engine would take for undefined, and another for an error, is an error before it is in force."""
    assert expected == refusal(tmp_path, {"p.rego": policy("p", body)})


def test_a_rule_on_the_line_of_a_long_package_is_refused(tmp_path: Path) -> None:
    """The whole line is the package's name: nothing is read or called behind it unseen."""
    line = f"package {'.'.join('a' * 31)} x := input.phase"

    found = refusal(tmp_path, {"p.rego": policy("p", "effects contains {} if true"), "l.rego": line})

    assert "l.rego:1: a package is a dotted name" == found


def test_more_data_than_a_bundle_may_hold_is_refused(tmp_path: Path) -> None:
    """A file, and all files together, have a limit; neither is read to its end."""
    write(tmp_path / "1", {"p.rego": policy("p"), "data.json": " " * (4 << 20) + "{}"})
    write(tmp_path / "2", {"p.rego": policy("p")})
    for n in range(17):
        (tmp_path / "2" / f"{n}").mkdir()
        (tmp_path / "2" / f"{n}" / "data.json").write_bytes(b" " * (4 << 20))

    assert ["larger than 4194304 bytes", "more than 67108864 bytes"] == [
        refusal(tmp_path / top, {}).partition(": ")[2] for top in ("1", "2")
    ]


@pytest.mark.parametrize("name", ["data.json", "params.json", "params.schema.json", ".manifest"])
def test_more_values_than_a_bundle_may_hold_are_refused(tmp_path: Path, name: str) -> None:
    """Wherever they stand, before anything parses them: this file is cut off."""
    files = {"p.rego": policy("p"), name: '{"a": [' + "[]," * 100_001}

    assert f"{name}:1: more than 200000 values in the documents of a bundle" == refusal(tmp_path, files)


def test_values_are_counted_over_all_files_of_all_sources(tmp_path: Path) -> None:
    """Files that are small enough alone are not together."""
    half = '{"%s": [' + "0," * 110_000 + "0]}"
    write(tmp_path / "1", {"p.rego": policy("p"), "data.json": half % "a"})
    write(tmp_path / "2", {"q.rego": policy("q"), "data.json": half % "b"})
    load_bundle([tmp_path / "1"])
    with pytest.raises(ConfigInvalid) as caught:
        load_bundle([tmp_path / "1", tmp_path / "2"])

    assert f"{tmp_path}/2/data.json:1: more than 200000 values in the documents of a bundle" == str(caught.value)


@pytest.mark.parametrize(("depth", "expected"), [(63, ""), (64, "levels"), (990, "levels"), (100_000, "levels")])
@pytest.mark.parametrize("name", ["data.json", "data.yaml"])
def test_what_lies_too_deep_is_refused(tmp_path: Path, name: str, depth: int, expected: str) -> None:
    """No reader of it ends in an error of its own."""
    write(tmp_path, {"p.rego": policy("p"), name: '{"a": ' + "[" * depth + "]" * depth + "}"})
    found = ""
    try:
        load_bundle([tmp_path])
    except ConfigInvalid as error:
        found = str(error)

    large = name == "data.yaml" and depth > 10_000
    many = "20000 values of YAML in the documents of a bundle: make it JSON"
    levels = f"{tmp_path}/{name}:1: more than {many if large else '64 levels of objects and lists'}"
    assert (levels if expected else "") == found


def test_directory_without_policies_is_refused(tmp_path: Path) -> None:
    """An empty directory would deny everything without a word: it is refused instead."""
    assert f"{tmp_path}: no policy found" == refusal(tmp_path, {})


def test_missing_directory_is_refused(tmp_path: Path) -> None:
    """A directory that is not there is named."""
    with pytest.raises(ConfigInvalid, match="policy directory not found"):
        load_bundle([tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"p.rego": f"package ringfence.policy.p\neffects contains {ALLOW}"}, "p.rego:1: a policy has METADATA with a `custom` block that names its id and version"),
        ({"p.rego": policy("q").replace("policy.q", "policy.p")}, "p.rego:6: `custom.id` is the last part of the package, `p`"),
        ({"p.rego": policy("p").replace('version: "1.0.0"', "version: 1")}, "p.rego:6: `custom.version` is a string"),
        ({"p.rego": policy("p", mode="maybe")}, "p.rego:7: `custom.mode` is one of enforce, warn, shadow, off"),
        ({"p.rego": policy("p", phases="[never]")}, "p.rego:7: `custom.phases` lists some of request, response, stream"),
        ({"p.rego": policy("p", on_error="skip")}, "p.rego:1: `on_error: skip` needs mode warn or shadow"),
        ({"p.rego": policy("p").replace("# custom:", "# custom: [")}, "p.rego:5: metadata is not valid YAML"),
        ({"p.rego": policy("p"), "x.rego": "package other\n"}, "x.rego:1: a package lies in `ringfence.policy` or `ringfence.lib`"),
        ({"p.rego": "x := 1\n"}, "p.rego:1: a module has one package statement"),
        ({"p.rego": policy("p"), "data.json": '{"a": 1,\n}'}, "data.json:2: "),
        ({"p.rego": policy("p"), "data.json": '{"a": 1, "a": 2}'}, "data.json:1: a key occurs twice"),
        ({"p.rego": policy("p"), "data.yaml": "a: 1\na: 2\n"}, "data.yaml:1: a key occurs twice"),
        ({"p.rego": policy("p"), "data.yaml": "a: [DE,\n  NO]\n"}, "data.yaml:2: a word or number that YAML 1.1 and 1.2 read differently: put it in quotes"),
        ({"p.rego": policy("p"), "data.yaml": "a: 010\n"}, "data.yaml:1: a word or number that YAML 1.1 and 1.2 read differently: put it in quotes"),
        ({"p.rego": policy("p"), "data.yaml": "a: &x [1]\nb: *x\n"}, "data.yaml:2: an alias is not read: write the value again"),
        ({"p.rego": policy("p"), "data.yaml": "a: [\n"}, "data.yaml:2: not valid YAML"),
        ({"p.rego": policy("p"), "data.json": '{"a": 0.1}'}, "data.json:1: data holds strings, whole numbers and booleans only"),
        ({"p.rego": policy("p"), "data.json": '{"a": 1}', "data.yaml": "a: 2\n"}, "data.yaml:1: `a` is already defined by another data file"),
        ({"p.rego": policy("p"), "ringfence/data.json": '{"levels": {"X": "secret"}}'}, "`data.ringfence.levels` maps entity types, their categories and labels to one of public, internal, confidential, restricted, unknown"),
    ],
)  # fmt: skip
def test_broken_file_is_refused_with_its_line(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    """Every file that cannot be used is named with the line to look at."""
    assert expected == refusal(tmp_path, files)[: len(expected)]


@pytest.mark.parametrize("written", [{"a.rego": policy("a", DENY), "z.rego": policy("z")}, {"n.rego": policy("n")}])
def test_directory_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: dict[str, str]
) -> None:
    """A set of policies that never was there is not loaded: here each whole set denies, and the mixed one does not."""
    write(tmp_path, {"a.rego": policy("a"), "z.rego": policy("z", DENY)})

    def read(path: Path, limit: int) -> bytes:
        raw = read_limited(path, limit)
        if path.name == "a.rego":
            write(tmp_path, written)
        return raw

    monkeypatch.setattr(archive, "read_limited", read)
    with pytest.raises(ConfigInvalid, match=f"^{tmp_path}: changed while it was read$"):
        load_bundle([tmp_path])

    assert sorted(written | {"a.rego": "", "z.rego": ""}) == [one.name[2:] for one in load_bundle([tmp_path]).modules]


def test_policy_defined_twice_is_refused(tmp_path: Path) -> None:
    """Two directories cannot define one policy."""
    for name in ("1", "2"):
        write(tmp_path / name, {"p.rego": policy("p")})

    with pytest.raises(ConfigInvalid, match="policy `p` is also defined in"):
        load_bundle([tmp_path / "1", tmp_path / "2"])


@pytest.mark.parametrize("package", ["ringfence.policy.credentials", "ringfence.lib.content"])
def test_a_package_of_another_source_is_refused(tmp_path: Path, package: str) -> None:
    """Rules added to a policy of the library could make its exceptions true."""
    write(tmp_path, {"p.rego": policy("p"), "x.rego": f"package {package}\n\nx := 1\n"})

    with pytest.raises(ConfigInvalid) as caught:
        load_bundle(["builtin", tmp_path])

    assert str(caught.value).startswith(f"{tmp_path}/x.rego:1: package `{package}` belongs to {library()}/policies/")


@pytest.mark.parametrize("root", ["policy", "lib"])
def test_data_in_the_place_of_rules_is_refused(tmp_path: Path, root: str) -> None:
    """A value where a rule is undefined could be read in its stead."""
    files = {"p.rego": policy("p"), f"ringfence/{root}/p/data.json": '{"_exempt": true}'}

    assert f"data at `ringfence.{root}` would stand in the place of rules" == refusal(tmp_path, files)


def test_mode_of_an_unknown_policy_is_refused(tmp_path: Path) -> None:
    """A misspelt policy in the configuration must not leave the real one as it is in silence."""
    with pytest.raises(ConfigInvalid, match=r"^policy\.modes\.q: no policy is called `q`$"):
        bundle_of(tmp_path, {"p.rego": policy("p")}, q=Mode.OFF)


def test_more_rego_than_can_be_loaded_in_time_is_refused(tmp_path: Path) -> None:
    """All modules count together, tests do not; the file that goes beyond is named."""
    rules = "".join(f"r{number} := {number}\n" for number in range(2_490))
    write(tmp_path, {f"{name}.rego": f"package ringfence.lib.{name}\n{rules}" for name in "abcde"})
    write(tmp_path, {"p.rego": policy("p"), "a_test.rego": f"package ringfence.lib.a_test\n{rules}"})

    with pytest.raises(ConfigInvalid, match="more than 10000 lines of Rego") as caught:
        load_bundle([tmp_path])

    assert "e.rego" in str(caught.value)


def test_a_file_of_rego_that_cannot_be_loaded_in_time_is_refused(tmp_path: Path) -> None:
    """Loading takes time by the square of a file's rules; the same rules in several files are loaded."""
    rules = [f"r{number} := {number}" for number in range(2_500)]
    write(tmp_path / "one", {"p.rego": policy("p"), "a.rego": "\n".join(["package ringfence.lib.a", *rules])})
    halves = {f"{at}.rego": "\n".join(["package ringfence.lib.a", *rules[at::2]]) for at in range(2)}
    write(tmp_path / "two", {"p.rego": policy("p"), **halves})

    with pytest.raises(ConfigInvalid) as caught:
        load_bundle([tmp_path / "one"])

    expected = f"{tmp_path}/one/a.rego:1: more than 2500 lines of Rego in a file: a package may have several"
    assert (expected, 3) == (str(caught.value), len(load_bundle([tmp_path / "two"]).modules))
