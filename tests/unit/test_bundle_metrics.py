"""What a scraper and an operator see of the policies in force and of the bundle that is watched."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from governance.policy.distribution.feed import Status
from governance.telemetry import WorkerMetrics, render
from tests.bundles import bundle_of, policy

STATUS = Status(
    origin="https://bundles.example/b.tar.gz",
    signed=True,
    revision="7",
    activations=2,
    failures=5,
    failing=3,
    asked_unix_s=1_700_000_300,
    succeeded_unix_s=1_700_000_200,
    activated_unix_s=1_700_000_100,
    code="config_invalid",
    reason="policy `p` fails its own case",
)


def page(metrics: WorkerMetrics) -> dict[str, tuple[dict[str, str], float]]:
    """Every sample about bundles."""
    families = text_string_to_metric_families(render(metrics.registry).decode())
    found = [sample for family in families for sample in family.samples]
    prefix = "ringfence_policy_bundle_"
    return {one.name.removeprefix(prefix): (one.labels, one.value) for one in found if one.name.startswith(prefix)}


def test_a_watched_bundle_shows_how_it_is(tmp_path: Path) -> None:
    """Which revision from where, since when, and how often the origin failed in a row."""
    metrics, bundle = WorkerMetrics(), bundle_of(tmp_path, {"p.rego": policy("p")})

    metrics.bundle.follow(lambda: bundle, lambda: STATUS)

    labels = {
        "revision": bundle.revision,
        "digest": bundle.digest[:12],
        "origin": STATUS.origin,
        "signed": "true",
        "kept": "false",
    }
    assert {
        "info": (labels, 1.0),
        "last_request_timestamp_seconds": ({}, 1_700_000_300.0),
        "last_success_timestamp_seconds": ({}, 1_700_000_200.0),
        "last_activation_timestamp_seconds": ({}, 1_700_000_100.0),
        "failing": ({}, 3.0),
        "activations_total": ({}, 2.0),
        "failures_total": ({}, 5.0),
    } == page(metrics)


def test_without_a_watched_bundle_nothing_looks_old(tmp_path: Path) -> None:
    """The policies in force are named; no time of an origin is there to alarm on, and before the start nothing is."""
    metrics, bundle = WorkerMetrics(), bundle_of(tmp_path, {"p.rego": policy("p")})
    assert {} == page(metrics)

    metrics.bundle.follow(lambda: bundle, lambda: None)

    assert {"info"} == page(metrics).keys()
    assert "" == page(metrics)["info"][0]["origin"]


def test_only_the_revision_in_force_is_a_series(tmp_path: Path) -> None:
    """A swap replaces the labels; old revisions do not add up."""
    metrics = WorkerMetrics()
    bundles = [bundle_of(tmp_path / id_, {"p.rego": policy(id_)}) for id_ in ("p", "q")]
    metrics.bundle.follow(lambda: bundles[0], lambda: None)
    render(metrics.registry)

    bundles.reverse()

    text = render(metrics.registry).decode()
    assert (0, 1) == (text.count(f'revision="{bundles[1].revision}"'), text.count(f'revision="{bundles[0].revision}"'))
