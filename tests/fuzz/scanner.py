"""All rules over any text: findings in order, inside the text and apart, work within its allowance, no exception.

Both engines report the same: what Hyperscan finds with a sample of the rules the portable one finds as well.
"""

from __future__ import annotations

import time

from tests.fuzz.runner import Target, run, text_of

SAMPLE = 12
SLACK = 8_192


def load() -> Target:
    """Texts of up to 4,096 bytes are read whole; of the first 512 the engines are compared."""
    from classifiers.compiled import compile_rules, load_compiled
    from classifiers.meter import Meter
    from classifiers.reading import Reader
    from classifiers.rules import load_rules
    from governance.finding import DetectionStatus

    whole = Reader(compiled=load_compiled())
    sample = load_rules()[::SAMPLE]
    engines = [Reader(compiled=compile_rules(sample, portable=portable)) for portable in (False, True)]

    def target(data: bytes) -> None:
        text = text_of(data[:4_096])
        reading = whole.read(text, deadline=time.monotonic() + 60)
        # Equal claims of several countries to one value all stay.
        spans = dict.fromkeys((each.span.start, each.span.end) for each in reading.findings)
        edges = [edge for span in spans for edge in span]
        assert edges == sorted(edges)
        assert all(0 <= each.span.start < each.span.end <= len(text) for each in reading.findings)
        assert reading.units <= Meter(len(text), deadline=0).allowance + SLACK
        short = text[:512]
        one, other = (reader.read(short, deadline=time.monotonic() + 60) for reader in engines)
        if DetectionStatus.COMPLETE is one.status is other.status:
            assert one.findings == other.findings

    return target


if __name__ == "__main__":
    run(load)
