"""Every view of a text stands for the text it was made of."""

from __future__ import annotations

import time

from tests.fuzz.runner import Target, run, text_of


def load() -> Target:
    """Positions never run backwards, spans lie inside the text, the work is bounded."""
    from classifiers.meter import Exhausted, Meter
    from classifiers.views import views

    def target(data: bytes) -> None:
        text = text_of(data)
        meter = Meter(len(text), deadline=time.monotonic() + 60)
        try:
            for view in views(text, meter):
                positions = [view.position(at) for at in range(len(view.scan))]
                assert view.text == text
                assert positions == sorted(positions)
                if view.scan:
                    assert 0 <= positions[0] <= positions[-1] < len(text)
                    span, half = view.span(0, len(view.scan)), view.span(0, (len(view.scan) + 1) // 2)
                    assert 0 <= span.start <= half.start < half.end <= span.end <= len(text)
        except Exhausted:
            pass

    return target


if __name__ == "__main__":
    run(load)
