"""The policies of privacy and health law: what they declare, their tables and parameters, and what they lead to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from governance.decision import Action, Decision, Mode, Operator
from governance.errors import ConfigInvalid
from governance.facts import Classification, EntityFact, Facts
from governance.finding import Category
from governance.policy.bundle import BUILTIN, Bundle, load_bundle
from governance.policy.contract import facts_bytes
from governance.policy.embedded import EmbeddedEngine
from governance.policy.engine import Decider
from governance.residency import COUNTRIES, EEA, GROUPS, expand
from governance.segment import Role
from tests.bundles import facts_with

AREAS = frozenset({"privacy", "health"})
BEFORE = frozenset({"health_data", "personal_data_third_country"})
LIBRARY = load_bundle([BUILTIN])
TABLES: Mapping[str, Any] = LIBRARY.data["ringfence"]
MINE = tuple(
    policy for policy in LIBRARY.policies if Path(policy.file).parent.parent.name in AREAS and policy.id not in BEFORE
)
# A caller of each country, whose address is in the text: what the policy of its law adds to the two of every day.
ONE_COUNTRY = {
    "BR": "lgpd_brazil",
    "CH": "swiss_fadp",
    "DE": "gdpr_transfers_chapter_v",
    "GB": "uk_gdpr_transfers",
    "KR": "korea_pipa",
    "RU": "russia_localisation",
}
# 45 CFR 164.514(b)(2)(i): what of (A) to (R) is text, by the types under which detection reports it.
SAFE_HARBOUR = (
    *("PERSON/other", "US_ZIP_CODE/address", "LOCATION/other", "GPS_COORDINATES/address", "DATE_OF_BIRTH/personal"),
    *("DATE_TIME/personal", "AGE/personal", "PHONE_NUMBER/other", "EMAIL_ADDRESS/contact", "US_SSN/social_security"),
    *("MEDICAL_RECORD_NUMBER/health", "US_MBI/health", "US_HEALTH_INSURANCE_MEMBER_ID/health", "US_BANK_NUMBER/bank"),
    *("CREDIT_CARD/card", "US_DRIVER_LICENSE/driving_licence", "US_PASSPORT/passport", "US_ITIN/tax", "VIN/vehicle"),
    *("IMEI/device", "MAC_ADDRESS/device", "URL/network", "IP_ADDRESS/network", "UUID/network", "USERNAME/personal"),
)


def switched(*ids: str, parameters: Mapping[str, Mapping[str, Any]] | None = None) -> Bundle:
    """The library with the policies `ids` enforced."""
    return load_bundle([BUILTIN], modes=dict.fromkeys(ids, Mode.ENFORCE), parameters=parameters)


async def decided(bundle: Bundle, facts: Facts) -> Decision:
    """What `bundle` decides, without trying it out in a process of its own first."""
    async with Decider.open(bundle, trial=lambda _: None) as decider:
        return await decider.decide(facts, decision_id="d")


def address(jurisdiction: str = "unknown", **parts: Any) -> Facts:
    """A request with an address in it, of a caller in `jurisdiction`."""
    return facts_with({"EMAIL_ADDRESS": (900, True)}, jurisdiction=jurisdiction, **parts)


def holding(facts: Facts, *entities: str) -> Facts:
    """`facts` with one finding of each of `entities`, written as type and category."""
    rows = tuple(
        EntityFact(type=type_, category=Category(kind), count=1, max_permille=900, validated=True, where=(Role.USER,))
        for type_, kind in sorted(one.split("/") for one in entities)
    )
    found: Classification = replace(facts.classification, entities=rows)
    return replace(facts, classification=found)


# --- what they declare ---------------------------------------------------------------------------------------------


def test_they_are_off_until_somebody_switches_them_on() -> None:
    """The decisions of an installation that configures nothing do not know them."""
    assert len(MINE) == 14
    assert {Mode.OFF} == {policy.mode for policy in MINE}
    assert set() == {policy.id for policy in LIBRARY.applicable("request")} & {policy.id for policy in MINE}


@pytest.mark.parametrize("policy", MINE, ids=lambda policy: policy.id)
def test_metadata_is_complete(policy: Any) -> None:
    """Who answers for it, the articles it rests on, and what a caller can change."""
    said = (policy.title, policy.owner, policy.severity, policy.remedy, policy.references)

    assert all(said)
    assert (policy.remedy[-1:], policy.on_error) == (".", "deny")
    assert any(re.search(r"(Art\.|section|CFR|Law|Lei) ?\d", reference) for reference in policy.references)


@pytest.mark.parametrize("policy", MINE, ids=lambda policy: policy.id)
def test_parameters_are_those_that_the_policy_reads(policy: Any) -> None:
    """No default that nobody reads, none without a description, and none read that is not there."""
    text = Path(policy.file).read_text(encoding="utf-8")
    read = set(re.findall(rf"data\.ringfence\.params\.{policy.id}\.(\w+)", text))
    parameters = LIBRARY.parameters[policy.id]
    described = {name for name, schema in parameters.schema["properties"].items() if schema["description"]}
    stated = {name: schema["default"] for name, schema in parameters.schema["properties"].items()}

    assert (read, read) == (set(parameters.defaults), described)
    assert stated == dict(parameters.defaults)


@pytest.mark.parametrize("policy", MINE, ids=lambda policy: policy.id)
def test_tests_assume_the_defaults_of_the_policy(policy: Any) -> None:
    """`opa test` alone does not find `params.json`, so the tests repeat it; a copy that differs would test another."""
    text = Path(policy.file).with_name("policy_test.rego").read_text(encoding="utf-8")
    found = re.search(r"^params := (\{.*?^\})", text, re.MULTILINE | re.DOTALL)

    assert found is not None
    assert json.loads(re.sub(r",(\s*[}\]])", r"\1", found[1])) == dict(LIBRARY.parameters[policy.id].defaults)


@pytest.mark.parametrize(
    ("policy", "name", "value"),
    [
        ("gdpr_transfers_chapter_v", "scc_countries", ["Germany"]),
        ("gdpr_special_categories", "operator", "keep"),
        ("gdpr_special_categories", "label_permille", 1001),
        ("pipl_export", "mechanism", "promise"),
        ("pipl_export", "contract_from_individuals", -1),
        ("russia_localisation", "action", "allow"),
        ("unknown_jurisdiction", "tiers", []),
        ("hipaa_on_prem_only", "tiers", ["basement"]),
        ("hipaa_minimum_necessary", "keep_types", []),
    ],
)
def test_a_parameter_that_does_not_fit_is_none(policy: str, name: str, value: object) -> None:
    """A misspelt, impossible or weaker value does not fit the schema; the defaults do."""
    parameters = LIBRARY.parameters[policy]
    schema = jsonschema.Draft202012Validator(dict(parameters.schema))

    assert (True, False) == (
        schema.is_valid(dict(parameters.defaults)),
        schema.is_valid({**parameters.defaults, name: value}),
    )


def test_a_parameter_that_does_not_fit_is_refused() -> None:
    """It is found when the configuration is read, with the policy and the parameter in the message."""
    with pytest.raises(ConfigInvalid, match=r"russia_localisation.*action"):
        switched("russia_localisation", parameters={"russia_localisation": {"action": "allow"}})


# --- tables --------------------------------------------------------------------------------------------------------


def test_tables_say_whence_and_of_when_they_are() -> None:
    """Each table has a source, the whole has a day, and both kinds of code are codes."""
    transfers, local = TABLES["transfers"], TABLES["localisation"]
    tables = [table for whole in (transfers, local) for table in whole.values() if isinstance(table, dict)]
    named = {code for table in tables for code in (*table.get("decisions", ()), *table.get("countries", ()))}

    assert date.fromisoformat(transfers["as_of"]) == date.fromisoformat(local["as_of"])
    assert [table for table in tables if not table.get("source")] == []
    assert named - COUNTRIES - set(GROUPS) == set()
    assert set(transfers["aliases"]["codes"].values()) <= COUNTRIES
    assert set(transfers["aliases"]["codes"]) & COUNTRIES == set()


def test_days_of_decisions_are_days() -> None:
    """Days are compared as text, which is right for ISO 8601 alone; none ends before it begins."""
    rows = [
        row
        for table in TABLES["transfers"].values()
        if isinstance(table, dict)
        for row in table.get("decisions", {}).values()
    ]
    spans = [(date.fromisoformat(row["from"]), date.fromisoformat(row.get("until", "9999-12-31"))) for row in rows]

    assert len(rows) > 40
    assert [(start, end) for start, end in spans if start >= end] == []
    assert [row for row in rows if not row["decision"]] == []


def test_both_tables_of_adequacy_agree() -> None:
    """The table with days and scopes names the countries and decisions of the plain one, and the United States."""
    plain, dated = TABLES["jurisdictions"]["adequate"], TABLES["transfers"]["eu"]["decisions"]

    assert set(plain["codes"]) | {"US"} == set(dated)
    assert {
        code for code, row in dated.items() if row["from"][:7] != plain["decisions"].get(code, {"date": ""})["date"][:7]
    } == {"US"}
    assert set(dated) & EEA == set()


# --- what they lead to ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine() -> EmbeddedEngine:
    """One engine for all policies, because making one takes longer than asking it."""
    return EmbeddedEngine(LIBRARY)


def effects(engine: EmbeddedEngine, policy: str, facts: Facts) -> tuple[Any, ...]:
    """What `policy` contributes with its defaults."""
    (said,) = engine.evaluate([policy], facts_bytes(facts))
    assert said.failure is None
    return said.effects


def admitted(said: tuple[Any, ...]) -> frozenset[str]:
    """The countries in which every pin of `said` lets a node stand; empty without a pin."""
    pins = [expand(one.params.countries.any) for one in said if one.effect == "pin" and one.params.countries]
    return frozenset.intersection(*pins) if pins else frozenset()


@pytest.mark.parametrize(("country", "policy"), ONE_COUNTRY.items())
def test_a_law_holds_data_where_it_may_be(engine: EmbeddedEngine, country: str, policy: str) -> None:
    """An address of a caller stays at home or goes where its law lets it; by default no contract is assumed."""
    places = admitted(effects(engine, policy, address(country)))

    assert country in places
    assert places & {"US", "CN", "IN"} == set()


@pytest.mark.parametrize(("country", "policy"), ONE_COUNTRY.items())
def test_a_law_does_not_reach_a_text_without_persons(engine: EmbeddedEngine, country: str, policy: str) -> None:
    """No pin where there is nothing to protect."""
    assert () == effects(engine, policy, facts_with(jurisdiction=country))


@pytest.mark.parametrize("category", sorted(TABLES["categories"]["personal"]))
def test_personal_data_of_nobody_known_stays_with_the_organisation(engine: EmbeddedEngine, category: str) -> None:
    """Fail closed, for every category of personal data and types that no table names."""
    said = effects(engine, "unknown_jurisdiction", holding(facts_with(), f"NEW_TYPE/{category}"))

    assert [("pin", "own_machines")] == [(one.effect, one.rule) for one in said]


def test_no_identifier_of_the_safe_harbour_is_left(engine: EmbeddedEngine) -> None:
    """Every identifier of 45 CFR 164.514(b)(2)(i) that is text is replaced beside a topic of health."""
    facts = holding(facts_with(labels={"health": 900}), *SAFE_HARBOUR)
    said = effects(engine, "hipaa_minimum_necessary", facts)

    assert {one.split("/")[0] for one in SAFE_HARBOUR} == {one.params.entity for one in said}
    assert {Operator.REPLACE} == {one.params.operator for one in said}


@pytest.mark.parametrize("country", sorted(EEA | {"EL", "DE-BY", "unknown"}))
def test_health_of_europeans_stays_in_the_eea(engine: EmbeddedEngine, country: str) -> None:
    """Adequate countries are no place for special categories, and who cannot be placed may be a European."""
    facts = facts_with({"PERSON": (900, False)}, labels={"health": 900}, jurisdiction=country)

    assert admitted(effects(engine, "gdpr_special_categories", facts)) == EEA


async def test_laws_that_exclude_each_other_leave_no_place() -> None:
    """A German subject of a caller in Russia: neither law is broken, the request is refused."""
    bundle = switched("gdpr_transfers_chapter_v", "russia_localisation")
    decision = await decided(bundle, address("RU", subjects={"DE": 900}))

    assert (Action.DENY, "placement_impossible") == (decision.action, decision.deny and decision.deny.code)


async def test_a_country_is_admitted_by_parameter() -> None:
    """Clauses that the operator holds admit a country, at the price of direct identifiers."""
    id_ = "gdpr_transfers_chapter_v"
    bundle = load_bundle(
        [BUILTIN],
        modes={id_: Mode.ENFORCE, "personal_data_third_country": Mode.OFF},
        parameters={id_: {"scc_countries": ["IN"]}},
    )
    decision = await decided(bundle, address("DE"))
    pinned = decision.obligations.pin.countries

    assert pinned is not None
    assert {"DE", "IN"} <= expand(pinned.any)
    assert ["EMAIL_ADDRESS"] == [row.entity for row in decision.obligations.redact]


@pytest.mark.parametrize(("earlier", "places"), [(999_998, None), (999_999, ("CN",))])
async def test_an_export_from_china_needs_what_its_volume_asks_for(
    earlier: int, places: tuple[str, ...] | None
) -> None:
    """Under a contract, the individual that reaches the threshold of an assessment keeps the data on the mainland."""
    parameters = {"pipl_export": {"mechanism": "contract", "exported_individuals": earlier}}
    decision = await decided(switched("pipl_export", parameters=parameters), address("CN"))
    pinned = decision.obligations.pin.countries

    assert places == (pinned and pinned.any)


async def test_a_request_that_nobody_can_place_is_refused_by_parameter() -> None:
    """Where no machine of the organisation is near, refusing is the other way to fail closed."""
    parameters = {"unknown_jurisdiction": {"action": "deny"}}
    decision = await decided(switched("unknown_jurisdiction", parameters=parameters), address())

    assert (Action.DENY, "jurisdiction_unknown") == (decision.action, decision.deny and decision.deny.code)
