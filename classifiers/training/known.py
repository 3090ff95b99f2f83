"""The names that a model is told of: places of GeoNames, and how people are called in the languages of Faker and of our lists."""

from __future__ import annotations

import pkgutil
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, Final

import faker.providers.person

from classifiers.model.names import Known, folded
from classifiers.places import place_table
from classifiers.training.pools import named_words

_LISTS: Final = (("first_name", Known.GIVEN), ("last_name", Known.FAMILY))


@cache
def names_file() -> bytes:
    """The content of a model's `names.txt`, sorted by name: the same for one version of Faker and of our lists.

    Latin letters only: in other scripts the vocabulary of the models has hardly a word to go with a name.
    """
    known: dict[str, int] = {}
    for name, kind in _names():
        if (name := folded(name)) and name.isascii():
            known[name] = known.get(name, 0) | kind
    return "".join(f"{kind:d} {name}\n" for name, kind in sorted(known.items())).encode()


def _names() -> Iterator[tuple[str, Known]]:
    table = place_table()
    for names in (*table["cities"].values(), *table["shared"], *table["countries"]):
        for name in names.split("\n"):
            yield name, Known.PLACE
    for people, names in named_words("names").items():
        kind = Known.GIVEN if people.endswith(" given") else Known.FAMILY
        yield from ((name, kind) for name in names)
    for module in pkgutil.iter_modules(faker.providers.person.__path__):
        provider = import_module(f"faker.providers.person.{module.name}").Provider
        for attribute in dir(provider):
            for prefix, kind in _LISTS:
                if attribute.startswith(prefix):
                    yield from ((name, kind) for name in _strings(getattr(provider, attribute)))


def _strings(values: Any) -> Iterable[str]:
    """The names in a list of Faker, which may have weights; nothing for its methods."""
    return (each for each in values if isinstance(each, str)) if isinstance(values, Collection) else ()
