"""Compiled rules: selection, and a cache on disk that can be damaged, shared and distrusted."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from classifiers.compiled import compile_rules, load_compiled, uncollected
from classifiers.rule_cache import RuleCache, default_directory
from classifiers.rules import load_rules
from classifiers.scanner import PortableScanner, Together
from governance.errors import ConfigInvalid

KEY = "0" * 64
RULES = """
country = "NL"

[[rule]]
id = "zz.one"
entity = "ZZ_ONE"
name = "One"
category = "tax"
expressions = ['\\bZZ[0-9]{4}\\b']
alone = 600
context = ["zz", "één"]
source = "made for this test"
valid = ["ZZ1234"]
invalid = ["ZZ123"]

[[rule]]
id = "zz.two"
entity = "ZZ_TWO"
name = "Two"
category = "tax"
digits = [9, 10]
alone = 600
source = "made for this test"
valid = ["123456789"]
invalid = ["12345678"]
"""


@pytest.fixture
def rules(tmp_path) -> Path:
    directory = tmp_path / "rules"
    directory.mkdir()
    (directory / "zz.toml").write_text(RULES, "utf-8")
    return directory


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


# What reading a text does not need of a rule.
NOT_READ = {"source": "", "valid": (), "invalid": (), "found": (), "clean": ()}


def stored(cache: Path) -> list[Path]:
    return sorted(cache.glob("*/compiled"))


def test_a_second_start_has_the_same_rules_from_the_cache(rules, cache):
    """What was compiled is read back whole: rules, scanner, context words."""
    cold = load_compiled(directory=rules, cache=cache)
    [file] = stored(cache)
    written = file.stat().st_mtime_ns
    warm = load_compiled(directory=rules, cache=cache)

    assert (cold.rules, cold.owners, cold.by_length, cold.version) == (
        warm.rules,
        warm.owners,
        warm.by_length,
        warm.version,
    )
    assert (written, Together, [replace(each, **NOT_READ) for each in load_rules(rules)]) == (
        file.stat().st_mtime_ns,
        type(warm.scanner),
        list(warm.rules),
    )
    assert (0o700, 0o700) == (cache.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777)


def test_changed_rules_are_another_set(rules, cache):
    """Not one byte of a rule file changes unseen."""
    before = load_compiled(directory=rules, cache=cache).version
    (rules / "zz.toml").write_text(RULES.replace("600", "601", 1), "utf-8")
    after = load_compiled(directory=rules, cache=cache)

    assert (True, 601, 2) == (before != after.version, after.rules[0].alone, len(stored(cache)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:-9] + b"\x00" + content[-8:],
        lambda content: content + b"x",
        lambda content: b"\xff" * 2000,
    ],
)
def test_a_damaged_cache_is_rebuilt(rules, cache, damage):
    """Cut short, changed or replaced: compiled again, and whole afterwards."""
    fresh = load_compiled(directory=rules, cache=cache)
    [file] = stored(cache)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    again = load_compiled(directory=rules, cache=cache)

    assert (fresh.rules, len(whole)) == (again.rules, len(file.read_bytes()))


def test_a_payload_of_a_strange_form_is_rebuilt(rules, cache):
    """A digest that fits says that nothing was damaged, not that it is ours to read."""
    version = load_compiled(directory=rules, cache=cache).version
    RuleCache(cache).store(version, b"2\n{}garbage")

    assert version == load_compiled(directory=rules, cache=cache).version


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o777])
def test_a_cache_that_others_can_reach_is_neither_read_nor_written(rules, cache, mode):
    """Rules decide what leaves: they are not taken from where somebody else may have put them."""
    cache.mkdir()
    cache.chmod(mode)
    found = load_compiled(directory=rules, cache=cache)

    assert (2, []) == (len(found.rules), stored(cache))


def test_a_link_in_place_of_the_cache_is_not_followed(rules, cache, tmp_path):
    """Nor is it written through."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    cache.symlink_to(elsewhere)
    load_compiled(directory=rules, cache=cache)

    assert [] == stored(elsewhere)


def test_a_cache_that_cannot_be_made_is_done_without(rules, tmp_path):
    """A read-only home costs time, never the start."""
    (tmp_path / "file").write_text("")

    assert 2 == len(load_compiled(directory=rules, cache=tmp_path / "file" / "cache").rules)


def test_only_a_handful_of_sets_is_kept(cache):
    """Old ones leave, with their locks; what is not ours stays."""
    kept = RuleCache(cache)
    keys = [f"{number:064x}" for number in range(10)]
    for key in keys:
        with kept.building(key):
            kept.store(key, b"payload")
        time.sleep(0.01)
    (cache / "note.txt").write_text("mine")
    with kept.building(KEY[:-1] + "f"):
        kept.store(KEY[:-1] + "f", b"payload")
    names = {each.name for each in cache.iterdir()}

    assert (6, True, b"payload") == (
        len([name for name in names if len(name) == 64]),
        "note.txt" in names,
        kept.load(keys[-1]),
    )
    assert {name for name in names if len(name) == 64} == {name[:64] for name in names if name.endswith(".lock")}


def test_two_threads_do_not_both_compile(cache):
    """The second waits for the first and then finds what it left."""
    order = []

    def work(name: str) -> None:
        with RuleCache(cache).building(KEY):
            order.append(f"{name} in")
            time.sleep(0.1)
            order.append(f"{name} out")

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert [order[0][0], order[0][0]] == [order[0][0], order[1][0]]
    assert order[2][0] == order[3][0] != order[0][0]


def test_a_subset_of_entities_has_its_own_database(rules, cache):
    """What is not asked for is not looked for."""
    some = load_compiled(directory=rules, cache=cache, entities=["ZZ_ONE"])

    assert (["ZZ_ONE"], {}) == ([rule.entity for rule in some.rules], some.by_length)


def test_an_unknown_entity_is_refused(rules, cache):
    """A typing error would otherwise switch detection off."""
    with pytest.raises(ConfigInvalid, match="no rule finds `ZZ_TREE`"):
        load_compiled(directory=rules, cache=cache, entities=["ZZ_TREE"])


def test_rules_with_one_expression_share_it(rules):
    """One event of the engine serves all that ask for it."""
    first = load_rules(rules)[0]
    from dataclasses import replace

    compiled = compile_rules([first, replace(first, id="zz.other")])

    assert (1, ((0, 1),)) == (len(compiled.expressions), compiled.owners)


def test_the_portable_engine_can_be_chosen(rules):
    """It needs no database."""
    assert PortableScanner is type(compile_rules(load_rules(rules), portable=True).scanner)


@pytest.mark.parametrize(("configured", "expected"), [("/x/y", "/x/y/ringfence/rules"), ("relative", None), ("", None)])
def test_the_directory_follows_the_xdg_specification(monkeypatch, configured, expected):
    """A relative path there is to be ignored."""
    monkeypatch.setenv("XDG_CACHE_HOME", configured)
    monkeypatch.setenv("HOME", "/home/somebody")

    assert Path(expected or "/home/somebody/.cache/ringfence/rules") == default_directory()


def test_a_warm_start_parses_no_rule_file_and_imports_nothing_heavy(rules, cache):
    """Neither the schema library nor Presidio: they cost more than all the rest."""
    load_compiled(directory=rules, cache=cache)
    program = (
        "import sys; from pathlib import Path; from classifiers.compiled import load_compiled\n"
        f"load_compiled(directory=Path({str(rules)!r}), cache=Path({str(cache)!r}))\n"
        "print(sorted({'pydantic', 'presidio_analyzer', 'spacy', 'rich'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert "[]\n" == printed.stdout


def test_the_garbage_collector_is_off_for_no_longer_than_it_takes() -> None:
    """Also after a failure; one that was off before stays off."""
    with uncollected():
        assert not gc.isenabled()
    with pytest.raises(ZeroDivisionError), uncollected():
        _ = 1 // 0

    assert gc.isenabled()
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
