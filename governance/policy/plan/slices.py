"""The part of an input that each policy depends on, as a key: equal keys have equal results.

Requests differ mostly in what most policies do not look at. An item of a list is judged once, by the conditions with which
the scans of that list begin, and counts from then on for those policies alone to which it can matter, and only by those of
its fields that they read. A decision then costs what is new in its input.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final, final

from governance.frozen import frozen
from governance.policy.plan.dependence import ALWAYS, EXISTS, Dependence, Opening, Path
from governance.policy.plan.values import Value

# Items of one list that are known at a time.
_MOST_ITEMS: Final = 16_384
_MISSING: Final = object()
Judge = Callable[[Sequence[int], Value], frozenset[int]]
Key = tuple[Hashable, ...]
_Shares = Mapping[str, Hashable]


@final
class Slices:
    """Cuts inputs for the entrypoints of one plan. Bounded in memory; used by one thread at a time.

    A `judge` says which of the conditions with some numbers an item meets; where it cannot tell, it does. What it raises
    goes through, and nothing is kept of the item that it was asked about.
    """

    def __init__(self, dependences: Mapping[str, Dependence], openings: Mapping[int, Opening]) -> None:
        wholes = {
            name: _outermost(
                path for path in map(_before_items, found.paths) if path in found.paths or path not in found.conditions
            )
            for name, found in dependences.items()
        }
        terms: dict[Path, dict[str, _Terms]] = {}
        for name, found in dependences.items():
            for path, conditions in found.conditions.items():
                if not _lies_in(path, wholes[name]):
                    fields = [each[len(path) + 1 :] for each in found.paths if each[: len(path) + 1] == (*path, None)]
                    terms.setdefault(path, {})[name] = _Terms(
                        fields=_outermost(map(_before_items, fields)), conditions=conditions
                    )
        self._paths = sorted({path for paths in wholes.values() for path in paths}, key=str)
        self._lists = [_List(path, each, openings) for path, each in terms.items()]
        # Policies that read the same outside of lists share that part of their keys.
        self._groups = sorted({tuple(map(self._paths.index, paths)) for paths in wholes.values()})
        self._parts = {
            name: (
                self._groups.index(tuple(map(self._paths.index, paths))),
                tuple(at for at, path in enumerate(terms) if name in terms[path]),
            )
            for name, paths in wholes.items()
        }

    def of(self, document: Value, names: Iterable[str], judge: Judge) -> list[Key]:
        """The key of `document` for each entrypoint of `names`. Raises RecursionError for one that is nested too deep."""
        components = [_hashable(_at(document, path)) for path in self._paths]
        groups = [tuple([components[at] for at in group]) for group in self._groups]
        shares = [each.shares(_at(document, each.path), judge) for each in self._lists]
        keys: list[Key] = []
        for name in names:
            group, lists = self._parts[name]
            keys.append((groups[group], *[shares[at].get(name, ()) for at in lists]))
        return keys

    def cut(self, document: Value, names: Iterable[str], judge: Judge) -> Iterator[Value]:
        """`document` for each of `names` without the items that do not count for it. It was cut before by `of`."""
        lists = [(each.path, each.items(_at(document, each.path), judge)) for each in self._lists]
        for name in names:
            part = document
            for at in self._parts[name][1]:
                path, items = lists[at]
                if items is not None:
                    part = _with(part, path, items.get(name, []))
            yield part

    def forget(self) -> None:
        """Holds nothing of any document any more. No key from before is equal to one from now on, unless rightly so."""
        for each in self._lists:
            each.forget()


@frozen
class _Terms:
    """What one policy reads of each item of a list, and the conditions of which an item has to meet one."""

    fields: tuple[Path, ...]
    conditions: frozenset[int]


@final
class _List:
    """The list at one path, whose items are known by what is read of them. INVARIANT: no number stands for two forms."""

    def __init__(self, path: Path, terms: Mapping[str, _Terms], openings: Mapping[int, Opening]) -> None:
        self.path, self._terms = path, terms
        self._form = _form(_outermost(field for each in terms.values() for field in each.fields))
        conditions = {number for each in terms.values() for number in each.conditions} - {ALWAYS}
        self._unopened = sorted(conditions - openings.keys())
        # By field, what each opening opens.
        self._by_field: dict[str, dict[int, int]] = {}
        for number in sorted(conditions & openings.keys()):
            self._by_field.setdefault(openings[number].field, {})[openings[number].condition] = number
        self._numbers = count()
        self._known: dict[Hashable, tuple[tuple[str, int], ...]] = {}
        # Policies by what they read of an item: for those that read the same of it, its number is the same.
        readers: dict[tuple[Path, ...], list[tuple[str, frozenset[int]]]] = {}
        for name, each in terms.items():
            readers.setdefault(each.fields, []).append((name, each.conditions))
        self._readers = [(_form(fields), each) for fields, each in readers.items()]
        self._forms: dict[tuple[int, Hashable], int] = {}
        self._opened: dict[tuple[str, Hashable], tuple[int, ...]] = {}

    def shares(self, value: Value, judge: Judge) -> _Shares:
        """What of the list counts for each policy to which anything in it does: the numbers of items, in order."""
        if type(value) is not list:
            # Told apart from the numbers of items.
            return dict.fromkeys(self._terms, (None, _hashable(value)))
        found: dict[str, list[int]] = {}
        form_of, known_of = self._form, self._known.get
        for item in value:
            form = form_of(item)
            known = known_of(form)
            if known is None:
                known = self._judged(form, item, judge)
            for name, number in known:
                if name in found:
                    found[name].append(number)
                else:
                    found[name] = [number]
        return {name: tuple(numbers) for name, numbers in found.items()}

    def items(self, value: Value, judge: Judge) -> Mapping[str, list[Value]] | None:
        """The items that count for each policy, in order; None where they are not in a list."""
        if type(value) is not list:
            return None
        found: dict[str, list[Value]] = {}
        for item in value:
            form = self._form(item)
            known = self._known.get(form)
            for name, _ in self._judged(form, item, judge) if known is None else known:
                found.setdefault(name, []).append(item)
        return found

    def forget(self) -> None:
        """Judges every item anew. Numbers are not given again."""
        self._known.clear()
        self._forms.clear()
        self._opened.clear()

    def _judged(self, form: Hashable, item: Value, judge: Judge) -> tuple[tuple[str, int], ...]:
        if len(self._known) >= _MOST_ITEMS:
            self.forget()
        met = judge(self._open(item, judge), item) | {ALWAYS}
        known: list[tuple[str, int]] = []
        for at, (form_of, readers) in enumerate(self._readers):
            names = [name for name, conditions in readers if not met.isdisjoint(conditions)]
            if names:
                number = self._forms.setdefault((at, form_of(item)), next(self._numbers))
                known += [(name, number) for name in names]
        self._known[form] = tuple(known)
        return self._known[form]

    def _open(self, item: Value, judge: Judge) -> list[int]:
        """The conditions that `item` may meet, by the first field that each looks at: most are met no further."""
        found = list(self._unopened)
        for field, openings in self._by_field.items():
            key = field, _hashable(_at(item, (field,)))
            known = self._opened.get(key)
            if known is None:
                met = judge(list(openings), item)
                known = self._opened[key] = tuple(number for opening, number in openings.items() if opening in met)
            found += known
        return found


def _form(fields: Sequence[Path]) -> Callable[[Value], Hashable]:
    """The function that takes from an item what stands there at `fields`; equal for no two items that differ in it."""

    def form(item: Value) -> Hashable:
        return tuple([_hashable(_at(item, path)) for path in fields])

    if not all(len(path) == 1 for path in fields):
        return form
    names = [path[0] for path in fields]

    def flat(item: Value) -> Hashable:
        # For each item of each request: most of what stands there needs no call.
        if type(item) is not dict:
            return form(item)
        get = item.get
        found = [get(name, _MISSING) for name in names]
        return tuple([one if (kind := type(one)) is str or kind is int else _hashable(one) for one in found])

    return flat


def _at(value: Value, path: Path) -> Any:
    for name in path:
        # Whatever is no object holds nothing under a name. EXISTS is no name: who gets there has found something.
        if type(value) is not dict or (value := value.get(name, _MISSING)) is _MISSING:
            return True if name is EXISTS else _MISSING
    return value


def _with(document: Value, path: Path, value: Value) -> Value:
    """`document` with `value` at `path`, where there is something already."""
    if not path:
        return value
    return {**document, path[0]: _with(document[path[0]], path[1:], value)}


def _hashable(value: Value) -> Hashable:
    """JSON as something to compare by: equal for equal values of equal types, and for no others."""
    kind = type(value)
    if kind is str or kind is int or value is None or value is _MISSING:
        return value  # type: ignore[no-any-return]
    if kind is list:
        return tuple([item if type(item) is str else _hashable(item) for item in value])
    if kind is dict:
        return frozenset([(name, _hashable(item)) for name, item in value.items()])
    # Python takes true, 1 and 1.0 for one key.
    return kind, value


def _outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Those of `paths` that lie below no other, sorted."""
    known = set(paths)
    return tuple(sorted((path for path in known if not _lies_in(path[:-1], known) or path == ()), key=str))


def _lies_in(path: Path, paths: Iterable[Path]) -> bool:
    known = set(paths)
    return any(path[:length] in known for length in range(len(path) + 1))


def _before_items(path: Path) -> Path:
    """`path` up to where it goes on in the items of another list: that is taken whole."""
    return path[: path.index(None)] if None in path else path
