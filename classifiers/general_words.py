"""What numbers are called in English whatever country they are of, and the words that say of which.

Banks, employers and expatriates write `Lithuanian subsidiary, legal entity code 300042931`: neither part alone is a context phrase of
the rule, both together are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from classifiers.rules import CONTEXT_FLOOR, Rule
from governance.finding import Category

_LICENCE: Final = (
    "driving licence|driving license|driver s licence|driver s license|drivers licence|drivers license|driver licence|driver license"
    "|licence number|license number|driving permit"
)
KINDS: Final[Mapping[Category, tuple[str, ...]]] = MappingProxyType(
    {
        category: tuple(words.split("|"))
        for category, words in {
            Category.NATIONAL_ID: "national id|national identity|national identification|identity card|id card|id number|id no|identity number"
            "|identification number|personal id|personal identity|personal identification|personal number|personal code|citizen id"
            "|civil id|civil number|citizenship number|resident card|residence card|residence permit|identity document|id document"
            "|population register|social card",
            Category.TAX: "tax id|tax identification|tax number|taxpayer id|taxpayer identification|taxpayer number|taxpayer code|tin"
            "|fiscal code|fiscal number|fiscal id|tax registration|tax code|tax reference|tax account|tax reg|income tax",
            Category.VAT: "vat|vat id|vat number|vat reg|vat registration|value added tax",
            Category.SOCIAL_SECURITY: "social security|social insurance|national insurance|pension number|pension insurance|social number",
            Category.HEALTH: "health insurance|health card|health number|insurance card|insured number|health id|patient number",
            Category.PASSPORT: "passport|travel document|document number",
            Category.DRIVING_LICENCE: _LICENCE,
            Category.COMPANY: "company registration|company reg|company number|company code|company id|registration number|reg no|reg number"
            "|registration code|business registration|business id|business number|commercial register|commercial registration"
            "|corporate registration|corp reg|legal entity|trade register|register number|organisation number|organization number|c r",
            Category.BANK: "bank account|account number|account no|settlement account|salary account|beneficiary account|a c no",
        }.items()
    }
)  # fmt: skip

# By country, in English: its name, and what comes from there is called; an underscore is a blank.
_COUNTRIES: Final = """
AD andorra andorran|AE uae emirates emirati dubai|AL albania albanian|AM armenia armenian yerevan|AR argentina argentine argentinian
AT austria austrian|AU australia australian|AZ azerbaijan azerbaijani aze baku|BA bosnia bosnian bih|BD bangladesh bangladeshi|BE belgium belgian
BG bulgaria bulgarian|BH bahrain bahraini|BO bolivia bolivian|BR brazil brazilian|BY belarus belarusian|CA canada canadian
CH switzerland swiss|CI ivory_coast ivorian|CL chile chilean|CN china chinese prc|CO colombia colombian|CR costa_rica costa_rican|CU cuba cuban
CY cyprus cypriot|CZ czechia czech cze prague|DE germany german|DK denmark danish|DO dominican|DZ algeria algerian|EC ecuador ecuadorian
EE estonia estonian|EG egypt egyptian cairo|ES spain spanish|ET ethiopia ethiopian|FI finland finnish|FO faroe faroese|FR france french
GB uk british britain england|GE georgia georgian tbilisi|GH ghana ghanaian|GR greece greek|GT guatemala guatemalan|HK hong_kong|HN honduras honduran
HR croatia croatian|HU hungary hungarian budapest|ID indonesia indonesian|IE ireland irish|IL israel israeli|IN india indian|IQ iraq iraqi
IR iran iranian tehran|IS iceland icelandic|IT italy italian|JM jamaica jamaican|JO jordanian|JP japan japanese|KE kenya kenyan
KH cambodia cambodian|KR korea korean seoul|KW kuwait kuwaiti|KZ kazakhstan kazakh|LA laos lao laotian|LB lebanon lebanese beirut|LI liechtenstein
LK sri_lanka sri_lankan|LT lithuania lithuanian|LU luxembourg luxembourgish|LV latvia latvian|MA morocco moroccan|MC monaco|MD moldova moldovan
ME montenegro montenegrin|MK macedonia macedonian|MM myanmar burmese|MN mongolia mongolian ulaanbaatar|MO macau macao|MT malta maltese|MU mauritius mauritian
MX mexico mexican|MY malaysia malaysian|MZ mozambique mozambican|NG nigeria nigerian|NI nicaragua nicaraguan|NL netherlands dutch|NO norway norwegian
NP nepal nepali nepalese|NZ new_zealand|OM oman omani muscat|PA panama panamanian|PE peru peruvian|PH philippines philippine filipino
PK pakistan pakistani|PL poland polish|PT portugal portuguese|PY paraguay paraguayan|QA qatar qatari|RO romania romanian|RS serbia serbian
RU russia russian|SA saudi riyadh|SE sweden swedish|SG singapore singaporean|SI slovenia slovenian|SK slovakia slovak|SM san_marino
SN senegal senegalese|SV el_salvador salvadoran|TH thailand thai|TN tunisia tunisian|TR turkey turkish turkiye|TT trinidad|TW taiwan taiwanese
TZ tanzania tanzanian|UA ukraine ukrainian|UG uganda ugandan|US usa american|UY uruguay uruguayan|UZ uzbekistan uzbek|VA vatican
VE venezuela venezuelan|VN vietnam vietnamese|XK kosovo kosovar|ZA south_africa south_african|ZM zambia zambian
"""
COUNTRIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        code: tuple(word.replace("_", " ") for word in words)
        for each in _COUNTRIES.replace("\n", "|").split("|")
        if each
        for code, *words in (each.split(),)
    }
)


def kinds(rules: Sequence[Rule]) -> dict[str, frozenset[int]]:
    """By words, in flat text, the numbers of the rules of that kind that need words beside their values."""
    return _by_word(rules, lambda rule: KINDS.get(rule.category, ()))


def countries(rules: Sequence[Rule]) -> dict[str, frozenset[int]]:
    """By words the numbers of the rules of that country that need words beside their values."""
    return _by_word(rules, lambda rule: COUNTRIES.get(rule.country or "", ()))


def _by_word(rules: Sequence[Rule], words: Callable[[Rule], tuple[str, ...]]) -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for number, rule in enumerate(rules):
        if rule.country is not None and rule.context and rule.alone < CONTEXT_FLOOR:
            for word in words(rule):
                found.setdefault(word, set()).add(number)
    return {word: frozenset(numbers) for word, numbers in sorted(found.items())}
