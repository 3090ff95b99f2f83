"""clinc150: short requests to an assistant, in lower case, by 150 intents and out of scope. It marks nothing.

Intents in which people name persons, places, firms or dates are left out, and so is every request with such a word:
the rest are clean negatives. Topics are false but for the asker's own account (financial) and employment (hr).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from classifiers.training.rows import TOPICS, Row, distinct
from classifiers.training.sets.mentions import names_something

SOURCE: Final = "clinc150"

_NAMING: Final = frozenset(
    """
    book_flight book_hotel calendar calendar_update cancel_reservation car_rental carry_on change_ai_name
    change_language change_user_name confirm_reservation current_location date directions distance exchange_rate
    flight_status how_busy international_fees international_visa lost_luggage make_call meeting_schedule
    next_holiday order order_status play_music plug_type reminder reminder_update restaurant_reservation
    restaurant_reviews restaurant_suggestion schedule_meeting share_location spelling text time timezone traffic
    translate travel_alert travel_notification travel_suggestion uber update_playlist user_name vaccines weather
    what_is_your_name what_song where_are_you_from accept_reservations shopping_list_update shopping_list
    who_do_you_work_for who_made_you schedule_maintenance pto_request definition how_old_are_you redeem_rewards
    """.split()
)
_OF_AN_ACCOUNT: Final = frozenset(
    """
    account_blocked application_status apr balance bill_balance bill_due card_declined credit_limit
    credit_limit_change credit_score damaged_card direct_deposit expiration_date freeze_account improve_credit_score
    income interest_rate min_payment new_card order_checks pay_bill payday pin_change replacement_card_duration
    report_fraud report_lost_card rewards_balance rollover_401k routing spending_history taxes transactions transfer
    w2
    """.split()
)
_OF_EMPLOYMENT: Final = frozenset(
    "direct_deposit income insurance insurance_change payday pto_balance pto_request_status pto_used rollover_401k"
    " taxes w2".split()
)
_OWN: Final = re.compile(r"\b(?:my|mine|i|i'm|i've|i'd|me)\b")


@distinct
def rows(directory: Path) -> Iterator[Row]:
    """The requests of every part; the parts of the set are not the splits here."""
    for part in json.loads((directory / "data_full.json").read_text(encoding="utf-8")).values():
        for text, intent in part:
            if intent not in _NAMING and not names_something(text):
                yield Row(
                    text=text,
                    topics=_topics(text, intent),
                    group=f"{SOURCE}/{blake2b(text.encode(), digest_size=8).hexdigest()}",
                    source=SOURCE,
                    language="en",
                )


def _topics(text: str, intent: str) -> dict[str, bool]:
    topics = dict.fromkeys(TOPICS, False)
    own = _OWN.search(text) is not None
    for topic, intents in (("financial", _OF_AN_ACCOUNT), ("hr", _OF_EMPLOYMENT)):
        if intent in intents and own and intent not in {"taxes", "insurance", "improve_credit_score"}:
            topics[topic] = True
        elif intent in intents:
            del topics[topic]
    if intent in {"oos", "insurance", "insurance_change", "nutrition_info"}:
        topics = {
            topic: known
            for topic, known in topics.items()
            if topic in {"source_code", "credentials", "special_category"}
        }
    if intent == "pin_change":
        del topics["credentials"]
    return topics
