"""What models of others call an entity, and what it is called here: one table for every model that is brought along."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from governance.finding import Category

# How an entry that names a spaCy pipeline begins, and what it finds.
SPACY: Final = "spacy:"
# As their label sets write them, without case and marks: CoNLL, OntoNotes, the sets of spaCy's pipelines (among them Polish,
# Swedish, Korean and Romanian ones), i2b2, and the usual sets for personal data. What is not here is not reported:
# MISC, MONEY, CARDINAL, WORK_OF_ART and their like are nobody's data.
_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PERSON": "PER PERS PERSON PERSONNAME PERSNAME PRS PS NAME FULLNAME FIRSTNAME MIDDLENAME LASTNAME GIVENNAME"
        " SURNAME PATIENT DOCTOR STAFF",
        "LOCATION": "LOC LOCATION GPE GPELOC GPEORG FAC FACILITY PLACENAME GEOGNAME LC CITY COUNTY STATE REGION"
        " DISTRICT COUNTRY",
        "STREET_ADDRESS": "ADDRESS STREETADDRESS FULLADDRESS STREET BUILDINGNUM BUILDINGNUMBER SECONDARYADDRESS ZIP"
        " ZIPCODE POSTCODE POSTALCODE",
        "ORGANIZATION": "ORG ORGANIZATION ORGANISATION ORGNAME OG COMPANY COMPANYNAME CORP CORPORATION INSTITUTION"
        " HOSPITAL PATORG",
        "DATE_TIME": "DATE TIME DATETIME TIM TME DT TI",
        "NRP": "NRP NORP NATRELPOL NATIONALITY RELIGION POLITICS ETHNICITY",
        "AGE": "AGE",
        "USERNAME": "USERNAME USER HANDLE LOGIN",
        "MEDICAL": "MEDICAL DISEASE DISORDER DISEASEDISORDER DIAGNOSIS MEDICALCONDITION SYMPTOM SIGNSYMPTOM TREATMENT"
        " DRUG MEDICINE MEDICATION",
        "ID": "ID IDNUM IDNUMBER CUSTOMERID EMPLOYEEID PATIENTID CASENUMBER",
        "EMAIL_ADDRESS": "EMAIL EMAILADDRESS MAIL",
        "PHONE_NUMBER": "PHONE PHONENUMBER PHONENUM TELEPHONE TELEPHONENUM TELEPHONENUMBER",
        "CREDIT_CARD": "CREDITCARD CREDITCARDNUM CREDITCARDNUMBER",
        "IBAN_CODE": "IBAN IBANCODE",
        "BANK_ACCOUNT": "BANKACCOUNT ACCOUNTNUM ACCOUNTNUMBER",
        "IP_ADDRESS": "IP IPADDRESS IPV4 IPV6",
        "MAC_ADDRESS": "MAC MACADDRESS",
        "URL": "URL",
        "PASSWORD": "PASSWORD",
        "PASSPORT": "PASSPORT PASSPORTNUM PASSPORTNUMBER",
        "DATE_OF_BIRTH": "DATEOFBIRTH BIRTHDATE DOB",
        "US_SSN": "SSN USSSN",
    }
)
_ENTITIES: Final[Mapping[str, str]] = MappingProxyType(
    {name: entity for entity, names in _NAMES.items() for name in names.split()}
)
_MARK = re.compile(r"[^A-Z0-9]")

# Entities that only models find; the catalogue knows the others.
MODEL_CATEGORIES: Final[Mapping[str, Category]] = MappingProxyType(
    {
        "LOCATION": Category.ADDRESS,
        "ORGANIZATION": Category.COMPANY,
        "MEDICAL": Category.HEALTH,
    }
)

# What a report calls a finding of a model, which has no rule with a name.
MODEL_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PERSON": "Name of a person",
        "LOCATION": "Place",
        "STREET_ADDRESS": "Street address",
        "ORGANIZATION": "Organisation",
        "DATE_TIME": "Date or time",
        "AGE": "Age",
        "NRP": "Nationality, religion or politics",
        "USERNAME": "User name",
        "MEDICAL": "Illness, drug or treatment",
        "ID": "Identifier in context",
    }
)


def entity_of(label: str) -> str | None:
    """The entity that `label` of somebody's model stands for (without `B-`, `I-` ...); None for what is not reported."""
    return _ENTITIES.get(_MARK.sub("", label.upper()))
