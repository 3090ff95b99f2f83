"""The last good bundle on disk, and the feed that keeps the newest good one in force."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from governance.errors import ConfigInvalid, GovernanceError
from governance.policy.bundle import Bundle, load_bundle
from governance.policy.distribution import signing
from governance.policy.distribution.archive import Tree
from governance.policy.distribution.feed import Feed
from governance.policy.distribution.origin import Fetched, OriginUnavailable
from governance.policy.distribution.signing import Algorithm, Key
from governance.policy.distribution.store import Store, write_whole
from governance.sensitive import SensitiveBytes
from tests.bundles import policy

KEY = Key(algorithm=Algorithm.HS256, material=SensitiveBytes(b"0" * 32))
DOWN = OriginUnavailable("down")


def tree(id_: str, *, key: Key | None = KEY) -> Tree:
    files = {"p.rego": policy(id_).encode()}
    if key is not None:
        files[signing.NAME] = signing.signatures(files, key)
    return Tree(place=Path("origin"), files=files)


def fetched(id_: str, *, key: Key | None = KEY, held: bool = False) -> Fetched:
    return Fetched(tree=tree(id_, key=key), tag=f'"{id_}"', held=held)


class FakeOrigin:
    """Answers what it was given, one after the other, and then nothing new; remembers the tags it was asked with."""

    name = "https://bundles.example/b.tar.gz"

    def __init__(self, *answers: Fetched | Exception | None) -> None:
        self.answers = list(answers)
        self.tags: list[str] = []
        self.closed = False

    async def fetch(self, tag: str) -> Fetched | None:
        self.tags.append(tag)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        self.closed = True


class InForce:
    """What an activation does: loads, refuses `bad`, and is in force."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.places: list[Path] = []

    async def __call__(self, candidate: Tree) -> Bundle:
        bundle = load_bundle([candidate])
        if bundle.policies[0].id == "bad":
            raise ConfigInvalid("does not answer")
        self.ids.append(bundle.policies[0].id)
        self.places.append(candidate.place)
        return bundle


class Clock:
    """A sleep that notes how long and ends the feed after `rounds`."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        if len(self.slept) == self.rounds:
            raise asyncio.CancelledError
        self.slept.append(seconds)


def feed(top: Path, origin: FakeOrigin, *, key: Key | None = KEY, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> Feed:  # fmt: skip
    return Feed(origin, Store(top, origin=origin.name), key=key, poll_s=60, sleep=sleep, chance=lambda: 0.5)


async def followed(the_feed: Feed, activate: InForce) -> None:
    with pytest.raises(asyncio.CancelledError):
        await the_feed.follow(activate)


async def test_the_origins_bundle_is_in_force_and_kept(tmp_path: Path) -> None:
    """A start takes what the origin has, and keeps it under a name that the activation can read again."""
    activate = InForce()
    one = feed(tmp_path, FakeOrigin(fetched("p")))

    bundle = await one.start(activate)

    (place,) = activate.places
    assert (["p"], load_bundle([place]).digest, tmp_path, '"p"') == (
        activate.ids,
        bundle.digest,
        place.parent,
        Store(tmp_path, origin=FakeOrigin.name).last_good(KEY).tag,  # type: ignore[union-attr]
    )


@pytest.mark.parametrize("failure", [DOWN, RuntimeError("content")])
@pytest.mark.parametrize("then", [fetched("p"), None])
async def test_the_last_good_bundle_stands_in_for_an_origin_that_is_down(
    tmp_path: Path, failure: Exception, then: Fetched | None
) -> None:
    """A start without the origin takes the bundle that was in force last, and asks with its tag from then on.

    Once the origin is back, with the same files or with the word that nothing changed, the bundle is the origin's.
    """
    await feed(tmp_path, FakeOrigin(fetched("p"))).start(InForce())
    activate, origin = InForce(), FakeOrigin(failure, then)
    again = feed(tmp_path, origin, sleep=Clock(1))

    await again.start(activate)
    started = again.status
    await followed(again, activate)

    assert (["p"], ["", '"p"'], (True, 1), (False, 0)) == (
        activate.ids,
        origin.tags,
        (started.kept, started.failing),
        (again.status.kept, again.status.failing),
    )
    assert "content" not in started.reason


@pytest.mark.parametrize("answer", [DOWN, fetched("p", key=None), fetched("bad")])
async def test_without_a_good_bundle_there_is_no_start(tmp_path: Path, answer: Fetched | GovernanceError) -> None:
    """No origin and nothing kept: nothing is decided without policies."""
    with pytest.raises(GovernanceError):
        await feed(tmp_path, FakeOrigin(answer)).start(InForce())

    assert [] == list(tmp_path.glob("*.tar.gz"))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (fetched("q", key=None), "config_invalid"),
        (fetched("q", key=Key(algorithm=Algorithm.HS256, material=SensitiveBytes(b"1" * 32))), "config_invalid"),
        (fetched("bad"), "config_invalid"),
        (DOWN, "bundle_unavailable"),
        (RuntimeError("content"), "internal_error"),
    ],
)
async def test_a_bad_candidate_changes_nothing(tmp_path: Path, answer: Fetched | GovernanceError, code: str) -> None:
    """Unsigned, signed by somebody else, refused, or not there: the bundle in force stays, and so does the kept one."""
    activate, origin = InForce(), FakeOrigin(fetched("p"), answer)
    one = feed(tmp_path, origin, sleep=Clock(1))
    await one.start(activate)

    await followed(one, activate)

    kept = Store(tmp_path, origin=origin.name).last_good(KEY)
    assert (["p"], ["", '"p"'], code, 1, kept and kept.tag, 1) == (
        activate.ids,
        origin.tags,
        one.status.code,
        one.status.failing,
        '"p"',
        len(list(tmp_path.glob("*.tar.gz"))),
    )
    assert "content" not in one.status.reason


async def test_what_is_new_replaces_what_was_kept(tmp_path: Path) -> None:
    """A new bundle is activated once; the archive of the old one goes."""
    activate, origin = InForce(), FakeOrigin(fetched("p"), None, fetched("q"), None)
    one = feed(tmp_path, origin, sleep=Clock(3))
    await one.start(activate)

    await followed(one, activate)

    assert (["p", "q"], ["", '"p"', '"p"', '"q"'], 2, 1) == (
        activate.ids,
        origin.tags,
        one.status.activations,
        len(list(tmp_path.glob("*.tar.gz"))),
    )


async def test_the_same_files_are_not_activated_again(tmp_path: Path) -> None:
    """A server without tags answers in full each time; only other files are another bundle."""
    activate, origin = InForce(), FakeOrigin(fetched("p"), fetched("p"), fetched("q"), fetched("q"))
    one = feed(tmp_path, origin, sleep=Clock(3))
    await one.start(activate)

    await followed(one, activate)

    kept = Store(tmp_path, origin=origin.name).last_good(KEY)
    assert (["p", "q"], 2, '"q"') == (activate.ids, one.status.activations, kept and kept.tag)


async def test_failures_are_asked_again_later_and_later(tmp_path: Path) -> None:
    """The pause doubles up to the usual one, and is the usual one again after a success."""
    clock = Clock(10)
    one = feed(tmp_path, FakeOrigin(fetched("p"), *[DOWN] * 8, None), sleep=clock)
    await one.start(InForce())

    await followed(one, InForce())

    assert [60.0, 0.75, 1.5, 3.0, 6.0, 12.0, 24.0, 45.0, 45.0, 60.0] == clock.slept


async def test_an_origin_that_holds_requests_is_asked_at_once(tmp_path: Path) -> None:
    """With long polling the server decides when to answer."""
    clock = Clock(2)
    one = feed(tmp_path, FakeOrigin(fetched("p", held=True)), sleep=clock)
    await one.start(InForce())

    await followed(one, InForce())

    assert all(seconds < 1 for seconds in clock.slept)


async def test_a_bundle_that_cannot_be_kept_is_in_force_all_the_same(tmp_path: Path) -> None:
    """A full disk costs the next start, not the policies of now."""

    class Full(Store):
        def keep(self, tree: Tree, tag: str) -> None:
            raise ConfigInvalid("no space left on device")

    activate = InForce()
    one = Feed(FakeOrigin(fetched("p")), Full(tmp_path, origin="o"), key=KEY)

    await one.start(activate)

    assert (["p"], 0) == (activate.ids, one.status.failures)


async def test_a_feed_closes_its_origin(tmp_path: Path) -> None:
    """Connections end with the feed."""
    origin = FakeOrigin()

    await feed(tmp_path, origin).close()

    assert origin.closed


# --- store ---------------------------------------------------------------------------------------------------------


def kept_store(top: Path, *, key: Key | None = KEY) -> Store:
    store = Store(top, origin="o")
    store.keep(store.stage(tree("p", key=key)), "1")
    return store


def test_an_empty_store_has_nothing(tmp_path: Path) -> None:
    """Before the first bundle there is no last good one."""
    assert Store(tmp_path / "new", origin="o").last_good(KEY) is None


def test_a_staged_bundle_is_not_the_last_good_one(tmp_path: Path) -> None:
    """A process that dies while it tries a candidate starts with the bundle before it."""
    store = kept_store(tmp_path)
    store.stage(tree("q"))

    kept = store.last_good(KEY)

    assert kept is not None
    assert dict(kept.tree.files) == dict(tree("p").files)


def test_the_bundle_of_another_origin_is_not_taken(tmp_path: Path) -> None:
    """Whoever configures another origin does not want the policies of the old one."""
    kept_store(tmp_path)

    assert Store(tmp_path, origin="other").last_good(KEY) is None


def test_a_kept_bundle_is_verified_again(tmp_path: Path) -> None:
    """A bundle that was kept without a key is not trusted once there is one."""
    with pytest.raises(ConfigInvalid, match="the bundle is not signed"):
        kept_store(tmp_path, key=None).last_good(KEY)


def test_a_damaged_store_is_refused(tmp_path: Path) -> None:
    """Neither a changed archive nor a changed name passes for the last good bundle."""
    store = kept_store(tmp_path)
    (path,) = tmp_path.glob("*.tar.gz")
    whole = path.read_bytes()

    path.write_bytes(whole[:-1])
    with pytest.raises(ConfigInvalid, match="the kept bundle is damaged"):
        store.last_good(KEY)

    path.unlink()
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        store.last_good(KEY)

    for text in ("", "[]", json.dumps({"file": "../../x.tar.gz", "tag": "", "origin": "o"})):
        (tmp_path / "active.json").write_text(text)
        with pytest.raises(ConfigInvalid, match="the name of the kept bundle is damaged"):
            store.last_good(KEY)


def test_dropping_a_candidate_leaves_the_last_good_one(tmp_path: Path) -> None:
    """A refused candidate with the very files in force does not take them away."""
    store = kept_store(tmp_path)

    store.drop(store.stage(tree("p")))
    store.drop(store.stage(tree("q")))

    assert store.last_good(KEY) is not None
    assert 1 == len(list(tmp_path.glob("*.tar.gz")))


def test_what_is_kept_is_private(tmp_path: Path) -> None:
    """Policies may name what a company does not publish."""
    kept_store(tmp_path / "store")

    assert {0o600} == {path.stat().st_mode & 0o777 for path in (tmp_path / "store").iterdir()}


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """A write that fails leaves the old content and nothing beside it."""
    path = tmp_path / "a"
    write_whole(path, b"1")
    write_whole(path, b"2")
    (tmp_path / "d").mkdir()
    with pytest.raises(ConfigInvalid, match="cannot be written"):
        write_whole(tmp_path / "d", b"3")

    assert (b"2", {"a", "d"}) == (path.read_bytes(), {one.name for one in tmp_path.iterdir()})
