"""The list of names that models are told of."""

from __future__ import annotations

from classifiers.model.names import Known, KnownNames
from classifiers.training.known import names_file


def test_the_list_is_what_a_model_reads_and_names_are_in_it_as_what_they_are() -> None:
    """Cities, countries and how people are called in many languages, in Latin letters; words are not in it for being words."""
    names = KnownNames(names_file())

    def known(name: str) -> Known:
        words = name.split()
        starts = [name.index(word) for word in words]
        [number] = set(
            names.known(name, starts, [start + len(word) for start, word in zip(starts, words, strict=True)]).tolist()
        )
        return Known(number)

    assert Known.PLACE in known("Bremerhaven")
    assert Known.PLACE in known("Buenos Aires")
    assert Known.PLACE in known("Norway")
    assert Known.GIVEN in known("Saoirse")
    assert Known.GIVEN in known("Uchenna")
    assert Known.FAMILY in known("Schmidt")
    assert Known.FAMILY in known("Kowalczyk")
    assert Known.GIVEN | Known.PLACE in known("Florence")
    assert Known.ORGANIZATION in known("Greenpeace")
    assert not known("dialysis")
    assert names_file().isascii()
