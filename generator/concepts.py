"""What people ask for (money, substance, colour, …): its words in questions and field names, the shape of its values.

Knows no catalog: a field is recognised by the words of its name, its unit, or the shape of its values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from generator.lexicon import COLOURS, SUBSTANCES, stemmed
from generator.words import stem

_COUNT = (
    r"(?:\d+(?:[.,]\d+)*|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|fourteen|thirty|sixty|ninety)"
)
_DIGIT = r"\d+(?:[.,]\d+)*"


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing people ask for. `words` and `units` are stems; a sentence answers with both `shape` and `cue` in it."""

    name: str
    words: frozenset[str]  # in questions and in the names of fields
    units: frozenset[str] = frozenset()  # at the end of a field's name
    asks: re.Pattern[str] | None = None  # the ways of asking that name no such word
    shape: re.Pattern[str] | None = None  # what a value of it looks like
    cue: re.Pattern[str] | None = None  # what a sentence about it says besides
    prefer: re.Pattern[str] | None = None  # what the better one of two sentences says
    also: frozenset[str] = frozenset()  # names of fields that state it among other things
    verbs: frozenset[str] = frozenset()  # of asking for it: they say nothing of the subject
    several: bool = False  # more than one sentence may be needed: sole and upper, shell and lining
    loose: bool = False  # its words are kin, not synonyms: the one asked for must be stated itself


def _re(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _measured(units: str) -> re.Pattern[str]:
    return _re(rf"\b{_COUNT}[\s-]?(?:{units})\b")


_MASS = "kg|kgs|kilos?|kilograms?|g|grams?|grammes?|mg|lbs?|pounds?|oz|ounces?|tonnes?|tons?"
_EXTENT = (
    "mm|cm|dm|m|km|met(?:er|re)s?|centimet(?:er|re)s?|millimet(?:er|re)s?|in|inch|inches|ft|feet|foot|yards?|miles?"
)
_VOLUME = "l|lit(?:er|re)s?|ml|cl|dl|millilit(?:er|re)s?|gal|gallons?|cups?|pints?|quarts?|fl oz"
_TIME = "seconds?|secs?|minutes?|mins?|hours?|hrs?|h|days?|weeks?|months?|years?|yrs?|nights?|working|business"
_CURRENCY = r"€|\$|£|¥|₹|eur|usd|gbp|chf|sek|nok|dkk|pln|czk|cad|aud|jpy|inr|cny|euros?|dollars?|pounds?|cents?|francs?"
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_DAYS = "mon|tues|wednes|thurs|fri|satur|sun"
_EXTENT_UNITS = stemmed("mm cm dm m km meter inch ft")


def _extent(name: str, words: str, cue: str, asks: str, verbs: str = "") -> Concept:
    return Concept(
        name,
        stemmed(words),
        _EXTENT_UNITS,
        _re(asks),
        _measured(_EXTENT),
        _re(rf"\b(?:{cue})\b"),
        also=stemmed("size dimension measurement"),
        verbs=stemmed(verbs),
    )


CONCEPTS: tuple[Concept, ...] = (
    Concept(
        "load",
        stemmed("load payload max maximum tragkraft"),
        stemmed("kg kilogram lb lbs pound"),
        _re(
            r"\bhow (?:much weight|many kilos|many kg|heavy an? \w+)\b.*\b(?:take|carry|bear|support|hold|lift|can)\b"
            r"|\b(?:maximum|max) (?:load|weight)\b"
        ),
        _measured(_MASS),
        _re(r"\b(?:carr(?:y|ies)|up to|holds?|supports?|bears?|takes?|load)\b"),
        verbs=stemmed("take carry bear support hold lift weight"),
    ),
    Concept(
        "material",
        stemmed(
            "material fabric composition textile cloth substance medium stoff werkstoff matiere tissu tejido materiale"
        ),
        asks=_re(
            r"\b(?:made|built|constructed|crafted|woven|manufactured|knitted|sewn) (?:up |out )?(?:of|from|with)\b"
            r"|\b(?:consists?|composed|comprised|comprises?) (?:of|from)?"
            r"|\b(?:of|from) what\b.*\b(?:made|built|constructed|crafted|manufactured|woven)\b"
            r"|\bmakes? up\b|\bwhat is \S.* in it\b"
        ),
        shape=_re(
            rf"\b(?:{SUBSTANCES})\b|\b(?:goose|duck|premium) down\b|\bdown (?:insulation|fill)"
            r"|\b(?:made|crafted|constructed|woven|knitted|composed|built|consists) (?:\w+ )?(?:up "
            r"|out )?(?:of|from)\b"
            r"|\b(?:materials?|fabric)\b"
        ),
        prefer=_re(
            r"\b(?:made|crafted|constructed|woven|built|designed|composed|consists|lined|filled|coated)\b[^.]{0,40}?"
            r"\b(?:of|from|with|in|using)\b|\b(?:materials?|fabric|construction)\b"
        ),
        several=True,
        verbs=stemmed("manufacture weave sew knit produce"),
    ),
    Concept(
        "weight",
        stemmed("weight weigh mass heavy gewicht poids peso"),
        stemmed("kg g gram kilogram mg lb lbs oz ounce pound"),
        _re(r"\bhow (?:heavy|light)\b|\bhow much do(?:es)?\b.*\bweigh\b"),
        _measured(_MASS),
        _re(r"\b(?:weigh(?:s|ing|ed)?|weight|mass|heavy|light|only|just|of (?:about|around))\b"),
        verbs=stemmed("weigh"),
    ),
    Concept(
        "capacity",
        stemmed("capacity volume kapazitat fassungsvermogen volumen contenance"),
        stemmed("l liter ml cl gal gallon"),
        _re(r"\bhow much\b.*\b(?:hold|fit|carry|contain|store)\W*$|\bhow many (?:lit(?:er|re)s|gallons|ml)\b"),
        _measured(_VOLUME),
        verbs=stemmed("hold contain fit carry store"),
    ),
    _extent("length", "length long lange longueur largo", "long|length", r"\bhow long (?:is|are|was)\b"),
    _extent(
        "height", "height tall high hohe hauteur altura", "high|tall|height|reaches|above", r"\bhow (?:tall|high)\b"
    ),
    _extent("width", "width wide breite largeur ancho", "wide|width|broad", r"\bhow (?:wide|broad)\b"),
    _extent("depth", "depth deep tiefe profondeur", "deep|depth", r"\bhow deep\b"),
    _extent("thickness", "thickness thick dicke", "thick|thickness", r"\bhow thick\b"),
    _extent(
        "distance",
        "distance range",
        "away|from|apart|distance|range|least|within|radius",
        r"\bhow far\b",
        "stand keep place hang",
    ),
    _extent("diameter", "diameter durchmesser", "diameter|across|wide", r"\bwhat diameter\b"),
    Concept(
        "size",
        stemmed("size dimension measurement area surface flache grosse taille talla groesse measure"),
        _EXTENT_UNITS,
        _re(r"\bhow (?:big|large|small)\b|\bwhat sizes?\b"),
        _re(
            rf"\b{_DIGIT}[\s-]?(?:{_EXTENT}|x|×|sqm|sq|square)\b|\bsizes?\b.{{0,40}}(?:\d|\b(?:XX?S|S|M|L|XX?L"
            rf"|small|medium|large)\b)"
        ),
        also=stemmed("length width height depth diameter thickness"),
    ),
    Concept(
        "duration",
        stemmed("duration period runtime lifetime dauer"),
        stemmed("hour minute day week month year second"),
        _re(
            r"\bhow (?:long|much time|many (?:hours|days|weeks|months|years|minutes))\b|\bhow "
            r"(?:soon|fast|quick)\w*\b"
        ),
        _re(rf"\b{_COUNT}[\s-]?(?:{_TIME})\b|\buntil (?:{_MONTHS})\b"),
        verbs=stemmed("last take lasts takes"),
    ),
    Concept(
        "date",
        stemmed("date datum fecha"),
        stemmed("day month year time weekday"),
        asks=_re(r"\bwhen\b|\b(?:what|which) (?:date|day|year|month|time)\b"),
        shape=_re(
            rf"\b(?:{_MONTHS}|(?:{_DAYS})day)s?\b|\b(?:1[5-9]|20)\d\d\b|\b\d{{1,2}}(?:[:.]\d\d| ?[ap]\.?m\.?)|"
            r"\b(?:in|at|by|during|every) (?:the |late |early )?"
            r"(?:morning|noon|evening|night|spring|summer|autumn|winter|weekend)s?\b|"
            rf"\b(?:within|after|before|until|every|daily|weekly) \b|\b{_COUNT}[\s-](?:{_TIME})\b(?! an? )"
        ),
        also=stemmed("year month season"),
    ),
    Concept(
        "temperature",
        stemmed("temperature temperatur celsius fahrenheit degree"),
        asks=_re(r"\bhow (?:hot|cold)\b|\bwhat degrees?\b"),
        shape=_re(r"\d\s?°|\b\d+\s?(?:degrees?|celsius|fahrenheit|[CF]\b)|\b(?:cold|cool|lukewarm|warm|hot) water\b"),
    ),
    Concept("pressure", stemmed("pressure druck"), stemmed("bar psi"), shape=_measured("bar|psi|kpa")),
    Concept(
        "origin",
        stemmed("origin country region culture herkunft herkunftsland provenance origen"),
        asks=_re(
            r"\bwhere\b.*\b(?:made|from|produced?|manufactured|grown|grow|built|come)\b"
            r"|\b(?:which|what) country\b"
        ),
        shape=_re(
            r"\b(?:made|produced?|manufactured|grown|grow|sewn|built|comes?|imported"
            r"|originat\w+|cultivated) (?:in|from)\b|\borigin"
        ),
        verbs=stemmed("produce manufacture grow grown come originate"),
    ),
    Concept(
        "author",
        stemmed("author writer autor"),
        asks=_re(r"\bwho (?:wrote|is the author)\b|\bwho did write\b|\bwritten by\b"),
        shape=_re(r"\b(?:written|by)\b"),
        cue=_re(r"\b(?:written|wrote|author|writer)\b"),
        verbs=stemmed("write written wrote"),
    ),
    Concept(
        "artist",
        stemmed("artist painter sculptor illustrator composer photographer kunstler"),
        asks=_re(
            r"\bwho (?:painted|drew|sculpted|carved|composed|illustrated|engraved|photographed)\b"
            r"|\b(?:painted|drawn|composed|illustrated|photographed) by\b"
        ),
        shape=_re(r"\b(?:painted|drawn|sculpted|carved|composed|illustrated|engraved|photographed|by)\b"),
        cue=_re(r"\b(?:painted|drawn|sculpted|carved|composed|illustrated|engraved|photographed) (?:\w+ )?by\b"),
        verbs=stemmed("paint draw drew drawn sculpt carve compose illustrate engrave photograph"),
    ),
    Concept(
        "maker",
        stemmed(
            "brand maker manufacturer producer vendor supplier company marke hersteller marque fabricant marca make"
        ),
        asks=_re(
            r"\bwho(?:se)? (?:makes?|made|produces?|produced|manufactures?|manufactured|builds?"
            r"|built|sells?|is behind)\b|\bwho'?s behind\b"
            r"|\b(?:made|manufactured|produced|built) by (?:who|whom|which|what)\b|\b(?:what|which) "
            r"(?:brand|company|make|label|firm)\b"
            r"|\bwho (?:is|are)\b.*\b(?:made|manufactured|produced|built) by\b|\bby whom\b"
        ),
        shape=re.compile(r"\b(?:[Bb]y|[Ff]rom) [A-Z]|^(?:The )?[A-Z]\w+(?:'s|’s) "),
        verbs=stemmed("produce manufacture behind build"),
    ),
    Concept(
        "designer",
        stemmed("designer"),
        asks=_re(r"\bwho (?:designed|designs)\b|\bdesigned by (?:who|whom|which|what)\b"),
        shape=_re(r"\bdesign(?:ed)? by\b|\bdesigner\b"),
        verbs=stemmed("design"),
    ),
    Concept(
        "stock",
        stemmed("stock availability inventory bestand lager lagerbestand verfugbar quantity qty"),
        asks=_re(
            r"\b(?:in|out of) stock\b|\bsold out\b|\bhow many\b.*\b(?:left|in stock|available|on hand|remain)\b"
            r"|\b(?:is|are)\b.*\b(?:still )?available(?: (?:now|today|right now|at the moment|for "
            r"purchase))?\W*$|\bavailability\b|^(?:is )?available$"
        ),
        shape=_re(r"\b(?:in|out of) stock\b|\bsold out\b|\bunavailable\b|\bback ?order|\bcurrently available\b"),
        verbs=stemmed("left remain hand"),
    ),
    Concept(
        "money",
        stemmed(
            "price cost fee preis kosten prix precio prezzo prijs pris cena expensive pricing "
            "costs retail msrp rrp surcharge"
        ),
        stemmed("eur usd gbp chf jpy sek nok dkk pln czk cad aud inr cny euro euros dollar dollars pound cent cents €"),
        _re(
            r"\b(?:what|how much)\b.*\b(?:costs?|pay|charged?|spend|sell(?:s|ing)? for|go(?:es)? for"
            r"|retails?|set .* back|worth)\b"
            r"|\bhow much\W*$|\bgoing rate\b|\bhow many (?:euros|dollars|pounds|francs|bucks)\b"
            r"|\bhow much (?:money|for|is|are|was|were|would|will)\b"
            r"|\bhow much (?:do|does)\b"
            r"|\bhow (?:expensive|cheap|pricey|costly)\b"
            r"|\bcosts?\b|\bpric(?:e|ed|es|ing)\b"
        ),
        _re(
            rf"(?:€|\$|£|¥|₹)\s?\d|\b\d+(?:[.,]\d+)*\s?(?:{_CURRENCY})(?!\w)|\b(?:eur|usd|gbp|chf)\s?\d"
            r"|\bfree of charge\b|\bfor free\b|\bis free\b|\bat no cost\b"
        ),
        verbs=stemmed("charge spend retail go sell going rate tag"),
    ),
    Concept(
        "color",
        stemmed("color farbe couleur colore kleur farg colorway shade hue tint"),
        asks=_re(r"\bwhat colou?rs?\b|\bwhich colou?rs?\b"),
        shape=_re(rf"\b(?:{COLOURS})\b"),
        prefer=_re(r"\bcolou?r|\bavailable in\b|\bcomes? in\b|\bdesign\b|\bfinish\b|\bscheme\b"),
    ),
    Concept(
        "category",
        stemmed("category type kind class department section kategorie categorie categoria genre"),
        asks=_re(
            r"\bwhat (?:type|kind|sort|category|class) of (?:product|item|thing|article|device|fruit|food)\b"
            r"|\bwhat category\b"
        ),
        verbs=stemmed("belong fall"),
    ),
    Concept(
        "rating",
        stemmed("rating star score review bewertung note"),
        shape=_re(r"\bstars?\b|\brat(?:ed|ing)|\breviews?\b"),
    ),
    Concept(
        "frequency",
        stemmed("frequency"),
        asks=_re(r"\bhow (?:often|frequently)\b"),
        shape=_re(rf"\b(?:once|twice|every|each|daily|weekly|monthly|yearly|annually)\b|\b{_COUNT} times\b"),
    ),
    Concept(
        "number",
        stemmed("speed power voltage wattage watt volt resolution age percentage percent limit rate lumen"),
        asks=_re(r"\bhow (?:many|old|bright|powerful)\b"),
        shape=_re(rf"\b{_COUNT}\b|\b(?:once|twice|every|daily|weekly|monthly|no|none|several|multiple)\b|\d"),
        loose=True,
        verbs=stemmed("sleep seat fit hold accommodate"),
    ),
    Concept(
        "purpose",
        stemmed("purpose"),
        asks=_re(
            r"\bwhat (?:is|are)\b.*\b(?:used|good|meant|intended|suited|suitable|ideal|designed|made|perfect)? ?for\W*$"
            r"|\bwhat can .* be used for\b"
        ),
        shape=_re(r"\b(?:for|designed|ideal|perfect|suit\w+)\b"),
        prefer=_re(
            r"\b(?:designed|ideal|perfect|suit\w+|great|made|essential|must-have|companion"
            r"|used) (?:for|to)\b"
        ),
    ),
)

_AGENT = r"\b(?:by (?!hand\b|machine\b|the end\b)|we\b|our\b)"


def agent(verb: str) -> Concept:
    """Who does what `verb` says: a field called after the doer ("publisher"), or a sentence that says by whom."""
    root = stem(verb)
    doers = frozenset(stem(root + ending) for ending in ("er", "or", "r", "e"))
    return Concept("agent", doers, shape=_re(_AGENT), cue=_re(rf"\b(?:{root}|{verb})"), verbs=frozenset({root}))


BY_NAME = {concept.name: concept for concept in CONCEPTS}
