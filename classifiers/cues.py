"""What is said beside the name of somebody's home: `ich wohne in`, `lives in`, `address:`, `に住んでいます`."""

# ruff: noqa: RUF001 - words of many scripts

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple, final


class Said(StrEnum):
    """Of whom a cue speaks; a NATION is beside what its people are called, not beside its name."""

    SELF = "self"
    OTHERS = "others"
    ORIGIN = "origin"
    LABEL = "label"
    NATION = "nation"


@final
class Cue(NamedTuple):
    """Words (lower case) behind which the name of a place is a home; `before` puts the place in front of them.

    `gate` is the word of it to look for first, casefolded; a cue of a script without blanks has none. `declined`: the language has
    cases, so that names have endings.
    """

    text: str
    said: Said
    gate: str
    declined: bool
    before: bool


# Language, who speaks, cues. A `<` cue has the place before it. Cues of scripts without blanks are looked for as they are. All are
# written as `classifiers.typography` leaves texts.
_CUES = """
en self: i live in|i live at|i live near|we live in|i'm living in|i am living in|i reside in|we reside in|i am from|i'm from|im from|i come from|we are from|i was born in|i am a resident of|i'm a resident of|i'm based in|i am based in|my home in|my house in|my flat in|my apartment in|my home address in|i moved to|we moved to|i'm originally from|i grew up in|i am a citizen of|i'm a citizen of|my home town is|my hometown is|i currently live in|i now live in|i have lived in|i've lived in
en others: has lived in|will live in|is relocating to|relocates to|resides near|settled in|lives in|lives at|lives near|living in|living at|resides in|resides at|residing in|residing at|is resident in|is a resident of|resident of|is domiciled in|domiciled in|lives with his family in|lives with her family in|who live in|both live in|citizen of|national of|home is in|relocated to|house in|flat in|apartment in
en origin: born in|is from|comes from|originally from|patient from|client from|customer from|applicant from|employee from|colleague from|guest from|grew up in|are from|student from|resident in|tenant from|place of birth:|citizenship:|nationality:
en nation: <citizen|<national|<nationals|<passport holder|nationality:|nationality is|citizenship:|nationality -
en label: address:|home address is|address is|city:|town:|country:|residence:|country of residence:|ship to:|deliver to|shipping address:|billing address:|street:|location:|address in
de self: ich wohne in|ich lebe in|wohne in|wohnen wir in|wir wohnen in|wir leben in|ich komme aus|komme aus|ich bin aus|ich stamme aus|ich bin in|meine wohnung in|mein wohnort ist|meine adresse ist|bin wohnhaft in|ich wohne seit|ich wohne derzeit in|lebe in|unsere wohnung in|wohne zurzeit in|wohne jetzt in
de others: wohnt in|lebt in|wohnhaft in|wohnend in|ansässig in|leben in|wohnen in|wohnt bei|wohnt jetzt in|wohnt seit|gemeldet in|lebt seit|lebt jetzt in|mit wohnsitz in
de origin: geboren in|kommt aus|stammt aus|patient aus|patientin aus|kunde aus|kundin aus|mieter aus|bewerber aus|bewerberin aus|mitarbeiter aus|mitarbeiterin aus|gebürtig aus|geburtsort:|staatsangehörigkeit:
de nation: <staatsbürger|<staatsbürgerin|<staatsangehöriger|<staatsangehörige|<staatsangehörigkeit|nationalität:|staatsangehörigkeit:
de label: adresse:|anschrift:|wohnort:|wohnhaft:|ort:|die adresse lautet|liefern sie an|lieferadresse:|rechnungsadresse:|land:|auf die adresse
fr self: j'habite à|j'habite au|j'habite en|j'habite|je vis à|je vis en|je vis au|je réside à|je réside en|je viens de|je suis de|nous habitons à|nous habitons en|je suis né à|je suis née à|nous vivons à|nous vivons en|mon adresse est|j'habite actuellement à|mon appartement à
fr others: habite à|habite au|habite en|habitant à|vit à|vit en|vit au|réside à|réside en|résidant à|résidant en|domicilié à|domiciliée à|domicilié en|demeurant à|demeurant|résidente de|résident de
fr origin: né à|née à|né en|née en|originaire de|vient de|patient de|patiente de|client de|cliente de|lieu de naissance :|nationalité :
fr nation: nationalité|citoyen|citoyenne|ressortissant|ressortissante
fr label: adresse :|adresse:|domicile :|ville :|ville:|pays :|livrer à|adresse de livraison :
es self: vivo en|resido en|soy de|yo vivo en|vivimos en|nací en|vengo de|mi casa en|mi dirección es|mi domicilio es|me mudé a|resido actualmente en
es others: vive en|reside en|residente en|domiciliado en|domiciliada en|viven en|con domicilio en|vecino de|vecina de|que vive en|domicilio en|radicado en|radicada en
es origin: nacido en|nacida en|nació en|es de|viene de|natural de|originario de|originaria de|paciente de|cliente de|procedente de|lugar de nacimiento:|nacionalidad:
es nation: nacionalidad|ciudadano|ciudadana
es label: dirección:|direccion:|domicilio:|dirección en|ciudad:|país:|enviar a|entregar en
it self: abito a|abito in|vivo a|vivo in|risiedo a|risiedo in|sono di|vengo da|abitiamo a|viviamo a|sono nato a|sono nata a|il mio indirizzo è|sono residente a|sono residente in
it others: abita a|abita in|vive a|vive in|risiede a|risiede in|residente a|residente in|domiciliato a|domiciliata a|abitano a
it origin: nato a|nata a|originario di|originaria di|viene da|paziente di|luogo di nascita:
it nation: cittadinanza|nazionalità|cittadino|cittadina
it label: indirizzo:|residenza:|città:|spedire a|comune di residenza:
pt self: moro em|moro no|moro na|vivo em|vivo no|vivo na|resido em|resido no|sou de|sou do|sou da|nasci em|moramos em|vivemos em|meu endereço é|a minha morada é
pt others: mora em|mora no|mora na|vive em|vive no|vive na|reside em|reside no|reside na|residente em|domiciliado em|domiciliada em|moram em|morador de|moradora de
pt origin: nascido em|nascida em|nasceu em|natural de|é de|vem de|paciente de|cliente de
pt nation: nacionalidade|cidadão|cidadã
pt label: endereço:|morada:|cidade:|localidade:|enviar para|entregar em
nl self: ik woon in|ik woon te|ik woon op|ik woon nu in|ik leef in|woon in|ik kom uit|kom uit|ik ben geboren in|wij wonen in|we wonen in|mijn adres is
nl others: woont in|woont te|wonend in|wonend te|woonachtig in|woonachtig te|wonen in|woonplaats|verblijft in
nl origin: geboren in|geboren te|komt uit|afkomstig uit|patiënt uit|klant uit|geboorteplaats:
nl nation: nationaliteit:
nl label: adres:|woonadres:|woonplaats:|bezorgen op
sv self: jag bor i|jag bor på|vi bor i|jag kommer från|jag är från|jag är född i|bor just nu i
sv others: bor i|bosatt i|boende i
sv origin: född i|kommer från|patient från|kund från
sv label: adress:|ort:|bostadsort:
da self: jeg bor i|jeg bor på|vi bor i|jeg kommer fra|jeg er fra|jeg er født i
da others: bosat i|bor nu i|bosatt i
da origin: født i|kommer fra|patient fra|kunde fra
da label: adresse:|bopæl:|by:
is self: ég bý í|ég bý á|bý í|ég er frá
is others: býr í|býr á|búsett í|búsettur í
pl+ self: mieszkam w|mieszkam we|mieszkamy w|pochodzę z|jestem z|urodziłem się w|urodziłam się w|mój adres to
pl+ others: mieszka w|mieszka we|mieszkający w|mieszkająca w|zamieszkały w|zamieszkała w|zamieszkały|zamieszkała|mieszkają w|zam.
pl+ origin: urodzony w|urodzona w|pochodzi z|pacjent z|pacjentka z|klient z|klientka z
pl+ label: adres:|adres zamieszkania:|miejscowość:|na adres|miasto:
cs+ self: bydlím v|bydlím ve|bydlíme v|bydlíme ve|žiji v|žiju v|pocházím z|narodil jsem se v|narodila jsem se v|jsem z|bývam v|bývam vo|bývame v|žijem v|pochádzam z|som z
cs+ others: bydlí v|bydlí ve|žije v|žije ve|bytem v|bytem|trvale bytem|býva v|bývajúci v|bývajúca v|bydliště v|trvale žije v
cs+ origin: narozen v|narozena v|narozený v|narozená v|pochází z|pacient z|pacientka z|narodený v|narodená v|pochádza z
cs+ label: adresa:|bydliště:|bydlisko:|město:|mesto:|obec:
hu+ self: <élek|<lakom|<lakunk|<élünk|<származom|<születtem
hu+ others: <lakik|<él|<élő|<lakos|<lakó|<laknak
hu+ origin: <született|<származik
hu+ label: lakcím:|cím:|lakcíme:|lakóhely:|lakhely:
ro self: locuiesc la|locuiesc în|locuiesc in|locuim în|stau în|trăiesc în|sunt din|vin din|m-am născut în
ro others: locuiește în|locuieste in|domiciliat în|domiciliată în|domiciliat in|domiciliată in|trăiește în|locuind în|cu domiciliul în|cu domiciliul in
ro origin: născut în|născută în|născut la|născută la|provine din|pacient din|pacientă din
ro label: adresa:|domiciliu:|oraș:|localitate:
hr+ self: živim u|stanujem u|živimo u|dolazim iz|ja sam iz|rođen sam u|rođena sam u|živim v|stanujem v|prihajam iz|živimo v
hr+ others: živi u|stanuje u|s prebivalištem u|prebiva u|živi v|stanuje v|stanujoč v|stanujoča v|prebiva v
hr+ origin: rođen u|rođena u|rojen v|rojena v|dolazi iz|pacijent iz|pacijentica iz
hr+ label: adresa:|naslov:|prebivalište:|mjesto:|mesto:
fi+ self: asun|asumme|olen kotoisin|olen syntynyt|synnyin
fi+ others: asuu|asuva
fi+ origin: syntynyt|kotoisin
fi+ label: osoite:|kotikunta:|kaupunki:
et+ self: <elan|elan|olen sündinud|ma elan
et+ others: elab|<elav|elukoht
lt+ self: gyvenu|gyvename|aš esu iš|esu iš|gimiau
lt+ others: gyvena|gyvenantis|gyvenanti
lv+ self: dzīvoju|es dzīvoju|esmu no|dzīvojam
lv+ others: dzīvo
ru+ self: я живу в|живу в|мы живём в|мы живем в|проживаю в|я из|я родился в|я родилась в|родом из|живём в|мой адрес
ru+ others: живёт в|живет в|проживает в|проживающий в|проживающая в|зарегистрирован в|зарегистрирована в|проживает по адресу|живут в
ru+ origin: родился в|родилась в|уроженец|уроженка|пациент из|пациентка из|клиент из
ru+ label: адрес:|по адресу|город:|г.|место жительства:
uk+ self: я живу в|я живу у|живу в|живу у|мешкаю в|мешкаю у|проживаю в|проживаю у|я з|народився в|народилася в
uk+ others: живе в|живе у|мешкає в|мешкає у|проживає в|проживає у|зареєстрований в|зареєстрована в
uk+ label: адреса:|місто:|м.
bg+ self: живея в|живеем в|аз съм от|роден съм в|родена съм в
bg+ others: живее в|живущ в|живуща в|с адрес в|роден в|родена в
sr+ self: живим у|станујем у|живеам во|живееме во
sr+ others: живи у|станује у|живее во
el+ self: μένω στη|μένω στην|μένω στο|μένω στον|ζω στη|ζω στην|ζω στο|κατοικώ στη|κατοικώ στην|κατοικώ στο|μένουμε στη|μένουμε στην|είμαι από|κατάγομαι από
el+ others: μένει στη|μένει στην|μένει στο|ζει στη|ζει στην|ζει στο|κατοικεί στη|κατοικεί στην|κατοικεί στο|κάτοικος
el+ label: διεύθυνση:|πόλη:
tr+ self: <yaşıyorum|<oturuyorum|<yaşıyoruz|<ikamet ediyorum|<doğdum|<oturuyoruz|<geliyorum
tr+ others: <yaşıyor|<oturuyor|<ikamet ediyor|<ikamet eden|<yaşayan|<oturan
tr+ origin: <doğumlu|<doğdu
tr+ label: adres:|adresim|şehir:|il:
id self: saya tinggal di|aku tinggal di|kami tinggal di|saya berasal dari|saya dari|saya lahir di|saya menetap di
id others: tinggal di|bertempat tinggal di|berdomisili di|menetap di|berasal dari|bermastautin di
id origin: lahir di|kelahiran
id label: alamat:|kota:
vi self: tôi sống ở|tôi sống tại|tôi ở|em sống ở|tôi đến từ|chúng tôi sống ở
vi others: sống ở|sống tại|cư trú tại|thường trú tại|sinh tại|quê ở
vi label: địa chỉ:
tl self: nakatira ako sa|taga
tl others: nakatira sa|nakatira si
sw self: naishi|ninaishi|mimi ni wa|ninatoka
sw others: anaishi|wanaishi
af self: ek woon in|ons woon in|ek kom van
af others: woon in
ca self: visc a|visc en|soc de|vaig néixer a
ca others: viu a|resident a
ar self: أعيش في|أسكن في|أقيم في|أنا من|نعيش في|ولدت في|ساكن في|ساكنة في
ar others: يعيش في|تعيش في|يسكن في|تسكن في|يقيم في|تقيم في|مقيم في|مقيمة في
ar label: العنوان:|المدينة:
fa self: من در|زندگی میکنم در|ساکن
he self: אני גר ב|אני גרה ב|גר ב|גרה ב|אנחנו גרים ב|אני מ|אני מתגורר ב|אני מתגוררת ב
he others: מתגורר ב|מתגוררת ב|גרים ב|תושב|תושבת
he label: כתובת:
"""
_UNSPACED_CUES = """
self: <に住んでいます|<に住んでる|<に住んでおり|<に住んでいる|<在住です|<出身です|<に住所が|我住在|我家在|我来自|我來自|我是|我在|我们住在|我們住在|现住|<에 살고|<에 살아|<에서 살고|<에 거주|<에 삽니다|<에서 왔|<में रहता हूं|<में रहती हूं|<में रहता हूँ|<में रहती हूँ|<में रहते हैं|ผมอยู่|ฉันอยู่|ฉันอาศัยอยู่ที่|ผมอาศัยอยู่ที่|อาศัยอยู่ที่|อาศัยอยู่ใน|বাস করি|<তে থাকি|<এ থাকি
others: <在住|<出身|<に在住|<生まれ|<在住の|住所は|住所:|住所：|本籍|住在|居住在|居住于|居住於|家住|户籍|戶籍|来自|來自|籍贯|出生于|出生於|地址:|地址：|住址|<에 사는|<에 거주하는|<거주|<출신|주소:|주소는|<में रहता है|<में रहती है|<निवासी|ที่อยู่:|ที่อยู่
label: 〒
"""


_WORD = re.compile(r"[^\W_]+")


def cues() -> Iterator[Cue]:
    """All cues."""
    for line in _CUES.strip().splitlines():
        head, joined = line.split(": ", 1)
        language, said = head.split(" ")
        for written in joined.split("|"):
            text = written.removeprefix("<")
            gate = max(_WORD.findall(text.casefold()), key=len)
            yield Cue(text, Said(said), gate, language.endswith("+"), written.startswith("<"))
    for line in _UNSPACED_CUES.strip().splitlines():
        said, joined = line.split(": ", 1)
        for written in joined.split("|"):
            yield Cue(written.removeprefix("<"), Said(said), "", declined=False, before=written.startswith("<"))


# Words that say that somebody of the conversation is meant, casefolded: who speaks, and whom a file is about ...
CONCERNED = frozenset(
    """
    i'm my me our mr mrs ms miss patient patients customer client employee applicant candidate tenant guest
    claimant defendant pupil colleague landlord nurse contractor passenger
    ich mein meine meiner meinem meinen unser unsere wir herr frau patientin kunde kundin mieter mieterin mitarbeiter mitarbeiterin bewerber
    bewerberin mandant mandantin klient klientin kollegin kollege
    je mon ma mes nous notre mme monsieur madame cliente employé employée locataire
    yo mi mis nuestro nuestra señor señora sra paciente cliente empleado empleada
    mio mia miei signor signora paziente dipendente
    meu minha meus senhor senhora
    ik mijn onze mevrouw meneer dhr mevr patiënt klant
    mitt mina jag patienten kunden jeg mit vores
    mój moja moje mojej pan pani pacjent pacjentka klient klientka
    můj moje paní pacient pacientka klientka môj moja
    minun asiakas potilas
    мой моя моё мне меня мы пациент пациентка клиент клиентка господин госпожа мій моя мене
    benim hasta müşteri bay bayan saya pasien pelanggan tôi
    moj moja moje pacijent gospodin gospođa pacientul doamna domnul mea meu páciens beteg ügyfél
    μου κύριος κυρία ασθενής
    """.split()
)
# ... and who belongs to them, or stands for a name.
NEAR_THEM = frozenset(
    """
    his her their he she wife husband mother father son daughter brother sister partner neighbour neighbor grandmother grandfather
    aunt uncle cousin friend mum mom dad
    er sie vater mutter sohn tochter bruder schwester oma opa nachbar onkel tante
    il elle père mère fils fille soeur frère él ella madre padre hijo hija hermano hermana lui lei figlio figlia fratello sorella nonna
    ele ela mãe pai filho filha irmão irmã avó avô hij zij ze moeder vader zoon dochter zus broer han hun hon mor far syster bror
    mama tata syn córka ona matka otec hän äitini isäni мама папа сын дочь он она він вона annem babam ibu bapak istri suami
    anyám apám ő αυτός αυτή
    """.split()
)
# Before a noun: what follows is no name.
ARTICLES = frozenset(
    """
    the a an this that these every each no some any it he she they we you who there nobody everybody everyone anyone someone somebody
    der die das ein eine einen jeder jede kein keine dieser diese es le la les l un une el los las lo il gli o os as um uma de het een
    """.split()
)
# What makes a cue a supposition, a translation, a tale.
SUPPOSED = frozenset(
    """
    if suppose imagine hypothetically translate example story novel character protagonist lyrics
    wenn angenommen falls übersetze beispiel traduis traduisez exemple traduce supongamos ejemplo traduci esempio traduza
    vertaal stel jeśli załóżmy если переведи pokud když hvis eğer
    """.split()
)
