"""The names that a model is told of: places of GeoNames, how people are called in the languages of Faker and of our lists, and
the organisations of these.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, Final

import faker.providers.person

from classifiers.model.names import Known, folded
from classifiers.places import place_table
from classifiers.training.pools import named_words, words

# In the name of a list of Faker: `first_names_female`, `unisex_last_names`, `last_romanized_names`.
_LISTS: Final = re.compile(r"(?:.*_)?(first|last)_(?:romanized_)?names?(?:_|$)")
_KINDS: Final = {"first": Known.GIVEN, "last": Known.FAMILY}


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
    for names in (*named_words("organisations").values(), words("more_organisations")):
        yield from ((name, Known.ORGANIZATION) for name in names)
    for module in pkgutil.iter_modules(faker.providers.person.__path__):
        provider = import_module(f"faker.providers.person.{module.name}").Provider
        for found in filter(None, map(_LISTS.match, dir(provider))):
            yield from ((name, _KINDS[found[1]]) for name in _strings(getattr(provider, found.string)))


def _strings(values: Any) -> Iterable[str]:
    """The names in a list of Faker, which may have weights; nothing for its methods."""
    return (each for each in values if isinstance(each, str)) if isinstance(values, Collection) else ()
