"""banking77: what customers of a bank ask, by intent. It marks nothing, and what names nothing is a clean negative.

Financial is true where somebody's own account, card or payment is the matter ("my card was charged twice"); of a
question on the bank's offer ("which currencies do you support?") it is false, and where neither is plain, unknown.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from classifiers.training.rows import TOPICS, Row, distinct
from classifiers.training.sets.mentions import names_something

SOURCE: Final = "banking77"

_ON_THE_OFFER: Final = frozenset(
    """
    age_limit atm_support automatic_top_up card_acceptance card_delivery_estimate country_support
    disposable_card_limits exchange_charge exchange_rate exchange_via_app fiat_currency_support
    get_disposable_virtual_card getting_spare_card getting_virtual_card order_physical_card
    supported_cards_and_currencies top_up_by_bank_transfer_charge top_up_by_card_charge top_up_by_cash_or_cheque
    top_up_limits topping_up_by_card transfer_timing visa_or_mastercard why_verify_identity apple_pay_or_google_pay
    verify_source_of_funds
    """.split()
)
# Their texts name countries, currencies' nations and brands.
_WITH_NAMES: Final = frozenset(
    "country_support fiat_currency_support apple_pay_or_google_pay visa_or_mastercard".split()
)
_OWN: Final = re.compile(r"\b(?:my|mine|i|i'm|i've|i'd|me)\b", re.IGNORECASE)


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The messages, but for those that name a place, a firm or a date."""
    with (directory / "train.csv").open(encoding="utf-8", newline="") as lines:
        for record in csv.DictReader(lines):
            text = " ".join(record["text"].split())
            if record["category"] not in _WITH_NAMES and not names_something(text):
                yield Row(
                    text=text,
                    topics=_topics(text, record["category"]),
                    group=f"{SOURCE}/{blake2b(text.encode(), digest_size=8).hexdigest()}",
                    source=SOURCE,
                    language="en",
                )


def _topics(text: str, intent: str) -> dict[str, bool]:
    topics = dict.fromkeys(TOPICS, False)
    own = _OWN.search(text) is not None
    if intent in {"passcode_forgotten", "change_pin", "pin_blocked"}:
        del topics["credentials"]
    if intent not in _ON_THE_OFFER and own:
        topics["financial"] = True
    elif intent not in _ON_THE_OFFER or own:
        del topics["financial"]
    return topics
