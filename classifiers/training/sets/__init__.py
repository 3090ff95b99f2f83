"""One loader per data set: the folder it lies in, and what reads it into rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from classifiers.training.rows import Loader, Row
from classifiers.training.sets import (
    aci_bench,
    banking77,
    broad_twitter,
    clinc150,
    hwu64,
    lifebench,
    meddocan,
    medical_ner,
    mts_dialog,
    presidio,
    prompts,
    pubmedqa,
    schema_guided,
    tat_qa,
    universal_ner,
    wikigold,
    wnut17,
)

SETS: Final[Mapping[str, tuple[str, Loader]]] = MappingProxyType(
    {
        module.SOURCE: (module.SOURCE, module.rows)
        for module in (
            presidio,
            broad_twitter,
            wnut17,
            wikigold,
            universal_ner,
            hwu64,
            schema_guided,
            lifebench,
            meddocan,
            medical_ner,
            mts_dialog,
            aci_bench,
            pubmedqa,
            banking77,
            tat_qa,
            clinc150,
            prompts,
        )
    }
)


def rows(name: str, data: Path) -> Iterator[Row]:
    """The rows of the set `name` from its folder under `data`, in the same order each time.

    Raises KeyError for an unknown set and FileNotFoundError where its folder is not there.
    """
    folder, loader = SETS[name]
    if not (data / folder).is_dir():
        raise FileNotFoundError(f"no folder `{folder}` of the set `{name}` in `{data}`")
    return loader(data / folder)
