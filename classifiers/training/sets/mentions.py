"""Whether a short request without marks names a person, a place, a firm or a date: then it is no clean negative."""

from __future__ import annotations

import re
from typing import Final

from classifiers.training import obvious

_NAMES: Final = frozenset(
    """
    aaron abby adam adele alan albert alex alexa alexis alice alison amanda amy andrea andrew andy angela ann anna
    anne anthony ashley barbara becky ben beth betty bill billy bob bobby brad brandon brenda brian brittany bruce
    carl carla carlos carol caroline catherine charles charlie cheryl chris christina christine christopher cindy
    claire clara craig cynthia dan daniel dave david dawn deborah debra dennis derek diana diane donald donna doug
    dylan ed eddie edward elizabeth ella ellen emily emma eric erica erin ethan eva evan evelyn frank fred gary
    george gerald gloria greg hannah harold harry heather helen henry howard ian isaac jack jackie jacob jake james
    jamie jane janet janice jared jason jean jeff jeffrey jen jennifer jenny jeremy jerry jesse jessica jill jim
    jimmy joan joanna joe joel john johnny johnson jon jonathan jones jordan jose joseph josh joshua joyce juan
    judith judy julia julie justin karen kate katherine kathleen kathy katie keith kelly ken kenneth kevin kim
    kimberly kyle larry laura lauren lee leo leonard lily linda lisa liz logan lori louis lucas lucy luis luke lynn
    maggie mandy marcus maria marie marilyn marlene martha martin mary matt matthew max megan melanie melissa
    michael michelle miguel mike mitch molly monica nancy natalie nathan neil nicholas nick nicole noah oliver
    olivia oscar pam pamela patricia patrick paul paula peter phil philip phillip rachel ralph randy ray rebecca
    richard rick rob robert roger ron ronald rosa roy russell ruth ryan sally sam samantha samuel sandra sara sarah
    scott sean sharon sheila shirley smith sophia sophie stacy stan stephanie stephen steve steven sue susan suzie
    ted teresa terry thomas tim timothy tina todd tom tony tracy travis tyler victor victoria vincent virginia
    walter wanda wendy william zach zachary trump obama elvis shakespeare einstein lincoln washington taylor
    tarantino kardashian bieber beyonce arnold barbie benedict bruce's caesar cameron camus dixon eli ferris freud
    harvey hercules jonah kalee kath lawrence maurice maurices michonne negan picasso robin scruggs sigmund titan
    twain gogh godfrey harris ned rambler rosses shepard alorie
    """.split()
)
_PLACES: Final = frozenset(
    """
    afghanistan africa alabama alaska albany albuquerque algeria america american amsterdam anaheim antarctica
    arctic argentina arizona arkansas asia athens atlanta auckland austin australia austria baltimore bangkok
    barcelona beijing belgium belize berlin boise bolivia boston brazil brooklyn brussels budapest bulgaria cairo
    california cambodia canada cancun carolina charlotte chicago chile china cincinnati cleveland colombia colorado
    columbus connecticut copenhagen croatia cuba dakota dallas delaware delhi denmark denver detroit dubai dublin
    dusseldorf ecuador egypt england ethiopia europe fargo finland florida france francisco fresno georgia germany
    ghana greece guam guatemala hawaii helsinki himalayas hollywood honduras honolulu houston hungary iceland idaho
    illinois india indiana indianapolis indonesia iowa iran iraq ireland israel istanbul italy jacksonville jakarta
    jamaica japan jersey jerusalem jordan kansas kentucky kenya korea kuwait la laos las lebanon libya lima lisbon
    liverpool london los louisiana louisville macedonia madagascar madrid maine malaysia maldives mali manchester
    manhattan maryland massachusetts melbourne memphis mexico miami michigan milan milwaukee minneapolis minnesota
    mississippi missouri mongolia montana montreal morocco moscow mumbai munich myanmar nairobi naples nashville
    nebraska nepal netherlands nevada newark nicaragua nigeria norway nyc oakland ohio oklahoma omaha ontario oregon
    orlando oslo ottawa pakistan panama paris pennsylvania perth peru philadelphia philippines phoenix pittsburgh
    poland portland portugal prague quebec queens raleigh reno richmond rio romania rome russia sacramento salem
    samoa santa saudi scotland seattle seoul serbia shanghai siberia sicily singapore slovakia spain stockholm sudan
    sweden switzerland sydney syria taiwan tampa tanzania tennessee texas thailand tibet tokyo toronto tulsa tunisia
    turkey uganda uk ukraine uruguay us usa utah vancouver vegas venezuela venice vermont vienna vietnam wales
    warsaw wisconsin wyoming york yosemite zambia zealand zimbabwe zurich yemen dc arlington atlantic britain
    brighton broadway bryant burma colosseum columbia diego greenland harvard huntington louvre madison
    mesopotamians monterey napa northfield orleans parisi potomac redwood rhineland rockies sahara san segovia sfo
    silicon southpoint sparta tahoe toledo ucsb ucsd wellington westport woodlawn yale kobe floridau bethpage
    """.split()
)
_FIRMS: Final = frozenset(
    """
    airbnb airlines amazon amex apple applebee's aldi att audible bbc bestbuy chase citibank citi cisco cnn coca
    coke comcast costco delta disney ebay facebook fidelity fedex ford google gmail hbo hilton honda hulu hyatt ibm
    ikea instagram jetblue kroger linkedin lyft macy's macys marriott mastercard mcdonald's mcdonalds microsoft
    motorola nasa netflix nike nokia olive outback pandora paypal pepsi pinterest pnc quora reddit samsung sony
    southwest spotify starbucks subway target tesla toyota tripadvisor twitter uber usbank usps venmo verizon visa
    vanguard walmart walgreens wells whatsapp wikipedia yelp youtube zillow discover capital denny's wendy's chili's
    chilis dominos domino's panera applebees ihop arby's sears kohls kohl's safeway whole trader aaa aapl albertsons
    allstate alphabank amazoncom amc amerifirst applebee atari autozone axos barclay barclay's barclays bb bbt bmo
    boa bofa bofi bloomingdale bloomingdale's capcom carmax cefcu centurytel cheerios cheetos chevy chewy citicard
    citigroup citizens clorox corolla craigslist dhl doritos dorado espn experion equifax fbi fry's funko
    ghirardelli goldman gymboree hershey hsbc htc intel jcp jeep jetcom kelloggs kia kitkat lays lloyds marriot
    marvel mastercade mcdonald mma monstercom mutualone nascar natwest navyfed nfcu nfl nhl nintendo nordstrom nvda
    onewest onpay oreos pepsico playboy playstations publix quicksilver quicken roku saville scotiabank sephora
    silvergate stax suntrust synovus tsla twinkies umpqua usaa wachovia walgreen wassup woodforest xfinity yahoo
    zales zelda zion bluebird amerian merrill lynch schwab ameritrade etrade honda's subaru nissan camry prius mac
    """.split()
)
_DATES: Final = re.compile(
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|june|july|august|september|october"
    r"|november"
    r"|december|(?:1[5-9]|20)\d\d|\d{1,2}(?:st|nd|rd|th)|\d{1,2}:\d\d|\d{1,2}\s?(?:am|pm)|noon|midnight|christmas"
    r"|(?:one|two|three|four"
    r"|five|six|seven|eight|nine|ten|eleven|twelve|thirty)\s(?:am|pm|a\.m|p\.m|o'clock)|first of|may \d+|(?:twenty"
    r"|thirty)-?\s?\w+(?:st|nd|rd|th))\b",
    re.IGNORECASE,
)
_ALLOWED: Final = frozenset(
    """
    I I'm I'd I'll I've ATM PIN ID API OK TV PC CV DNA HTML SQL JSON XML CSS URL USD EUR GBP PTO W2 APR AM PM CEO
    Internet English
    """.split()
)
_NAME_AND_WORD: Final = re.compile(
    r"\b(?:Mark|Will|Grace|Hope|Rose|Joy|Faith|Bill|Drew|Chase|Hunter|Mercedes)\b(?!\s(?:you|the|it|this|i)\b)"
)
_WORD: Final = re.compile(r"[^\W\d_][\w'\u2019]*")
_INNER_CAPITAL: Final = re.compile(r"(?<=[^.!?:\"'\u201c\n(]\s)[A-Z][\w'\u2019]*")


def names_something(text: str) -> bool:
    """Whether a word of `text` may name a person, a place, a firm or say when.

    True for a capital inside a sentence too, but for a few abbreviations; texts in lower case rest on the lists.
    """
    lower = text.lower()
    words = {word.group() for word in _WORD.finditer(lower)}
    words |= {word.removesuffix("'s") for word in words}
    if words & _NAMES or words & _PLACES or words & _FIRMS or _DATES.search(text):
        return True
    if any(match.group() not in _ALLOWED for match in _INNER_CAPITAL.finditer(text)):
        return True
    if _NAME_AND_WORD.search(text) or obvious.has_demonym(text):
        return True
    return bool(obvious.marked(text, (), types=("AGE", "USERNAME")))
