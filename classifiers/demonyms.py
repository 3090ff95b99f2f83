"""What people of a country are called where their nationality is stated: `Polish citizen`, `nationalité : marocaine`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from classifiers.places import plain

# Plain words; endings of gender and case are cut off, so that beginnings are listed: `ungarisch` is `ungarische` as well.
_DEMONYMS = """
AD andorran|AE emirati|AF afghan|AL albanian albanes albanais|AM armenian armenisch|AO angolan angolai
AR argentinian argentine argentinisch argentin|AT austrian osterreichisch autrichien austriac|AU australian australisch australien
AZ azerbaijani|BA bosnian bosnisch bosniaque|BD bangladeshi|BE belgian belgisch belge belga|BG bulgarian bulgarisch bulgare bulgar
BH bahraini|BO bolivian|BR brazilian brasilianisch bresilien brasilen brasileir brasilian|BY belarusian|CA canadian kanadisch canadien
CH swiss schweizer suisse suiz svizzer|CL chilean chilenisch chilien|CM cameroonian camerounais|CN chinese chinesisch chinois chin cines
CO colombian kolumbianisch colombien|CR costarican costarricense|CU cuban kubanisch cubain|CY cypriot|CZ czech tschechisch tcheque chec cec
DE german deutsch allemand aleman tedesc alema duits|DK danish danisch danois danes|DO dominican|DZ algerian algerisch algerien argelin
EC ecuadorian ecuatorian|EE estonian estnisch estonien|EG egyptian agyptisch egyptien egipci egizian|ES spanish spanisch espagnol espanol spagnol espanhol spaans
ET ethiopian athiopisch ethiopien|FI finnish finnisch finlandais|FR french franzosisch francais frances frans|GB british britisch britannique britanic
GE georgian|GH ghanaian ghanaisch ghaneen|GR greek griechisch grec grieg grec|GT guatemalan guatemaltec|HK hongkonger|HN honduran hondurean
HR croatian kroatisch croate croat|HU hungarian ungarisch hongrois hungar ungheres|ID indonesian indonesisch indonesien|IE irish irisch irlandais irlandes
IL israeli israelisch israelien|IN indian indisch indien indi|IQ iraqi irakisch irakien iraqui|IR iranian iranisch iranien irani
IS icelandic islandisch islandais|IT italian italienisch italien|JM jamaican|JO jordanian jordanisch|JP japanese japanisch japonais japones giappones
KE kenyan kenianisch|KH cambodian|KR korean koreanisch coreen corean|KW kuwaiti|KZ kazakh kasachisch|LB lebanese libanesisch libanais libanes
LK srilankan|LT lithuanian litauisch lituanien lituan|LU luxembourgish luxemburgisch luxembourgeois|LV latvian lettisch letton leton|LY libyan
MA moroccan marokkanisch marocain marroqui marocchin|MD moldovan moldauisch|ME montenegrin|MK macedonian mazedonisch|MM burmese|MN mongolian
MT maltese maltesisch|MX mexican mexikanisch mexicain|MY malaysian malaysisch|NG nigerian nigerianisch|NI nicaraguan nicaraguens
NL dutch niederlandisch neerlandais holandes olandes nederlands|NO norwegian norwegisch norvegien norueg norveges|NP nepali nepalese nepalesisch
NZ newzealander|OM omani|PA panamanian panamen|PE peruvian peruanisch peruvien peruan|PH filipino filipina philippine philippinisch
PK pakistani pakistanisch pakistanais|PL polish polnisch polonais polac polon|PT portuguese portugiesisch portugais portugues portoghes
PY paraguayan|QA qatari|RO romanian rumanisch roumain ruman rumen|RS serbian serbisch serbe serb|RU russian russisch russe rus russ
RW rwandan|SA saudi|SE swedish schwedisch suedois suec svedes|SG singaporean|SI slovenian slowenisch slovene esloven|SK slovak slowakisch slovaque eslovac
SN senegalese senegalesisch senegalais|SO somali somalisch|SV salvadoran salvadoren|SY syrian syrisch syrien siri|TH thai thailandisch|TN tunisian tunesisch tunisien
TR turkish turkisch turc turk|TW taiwanese taiwanisch|TZ tanzanian|UA ukrainian ukrainisch ukrainien ucranian ucrain
UG ugandan|US american amerikanisch americain estadounidense|UY uruguayan uruguay|UZ uzbek|VE venezuelan venezolan|VN vietnamese vietnamesisch vietnamien
YE yemeni|ZA southafrican sudafrikanisch|ZM zambian|ZW zimbabwean
"""
_LONGEST_ENDING = 4


@cache
def _table() -> Mapping[str, str]:
    return {
        word: code
        for each in _DEMONYMS.replace("\n", "|").split("|")
        if each
        for code, *words in (each.split(),)
        for word in words
    }


def country_of(words: str) -> str | None:
    """The country whose people are called so; `words` are one word, or two as in `New Zealander`."""
    return next((_table()[each] for each in _beginnings(plain(words).replace(" ", "")) if each in _table()), None)


def _beginnings(word: str) -> Iterator[str]:
    """`word`, and what it is without an ending."""
    for cut in range(min(_LONGEST_ENDING, max(0, len(word) - 3)) + 1):
        yield word[: len(word) - cut]
