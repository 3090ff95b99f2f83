"""The slots a template may hold, and the type that each marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_OF_TYPE = {
    "PERSON": "person person.first person.last person.formal person.lower signature celebrity",
    "LOCATION": "city country region place",
    "ADDRESS": "street_address full_address",
    "ORGANIZATION": (
        "org org.hospital org.school org.bank org.law org.agency org.company org.university org.club org.band org.media org.ngo "
        "org.shop org.group"
    ),
    "DATE_TIME": "date date.short date.words time datetime weekday year",
    "AGE": "age age.number",
    "NRP": "nationality religion politics",
    "USERNAME": "username handle",
    "MEDICAL": "disease drug treatment test symptom",
    "ID": "id.case id.employee id.customer id.patient id.policy id.order id.student",
    "": (
        "email phone iban card ssn ip url money percent int uuid hash filename code.py code.js code.sql code.sh code.go "
        "secret product month_name_word job relation lang"
    ),
}
# The type a slot's value is marked with; "" where nothing is marked. `signature` marks further parts.
KINDS: Final[Mapping[str, str]] = {kind: type_ for type_, kinds in _OF_TYPE.items() for kind in kinds.split()}
