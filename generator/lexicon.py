"""English words: colours, substances, words that carry nothing in a question, modifiers of field names, synonyms.

Does not know what a question asks for; that is `concepts`.
"""

from __future__ import annotations

from generator.words import stem

_COLOUR_NAMES = (
    "black white red green blue yellow orange purple pink brown gr[ae]y silver gold(?:en)? beige "
    "turquoise teal navy cyan "
    "magenta violet maroon burgundy crimson scarlet olive khaki camo(?:uflage)? cream ivory tan "
    "bronze copper charcoal "
    "lime indigo lavender mint coral salmon mustard rust amber aqua gunmetal anthracite transparent "
    "multi-?colou?r(?:ed)? "
    "rainbow ochre terracotta sand"
)
_SUBSTANCE_NAMES = (
    "leather suede nubuck rubber latex neoprene nylon polyester polyamide polypropylene polyethylene polycarbonate "
    "polyurethane acrylic elastane spandex lycra viscose modal microfib(?:er|re) cotton linen wool "
    "merino cashmere silk "
    "denim canvas corduroy flannel fleece felted hemp jute velvet satin tweed mesh ripstop "
    "gore-?tex cordura kevlar dyneema "
    "vibram eva pvc tpu abs foam memory-foam plastic bioplastic resin silicone vinyl alumini?um steel stainless iron "
    "titanium brass zinc chrome carbon fib(?:er|re)glass graphite kernmantle wood(?:en)? oak pine "
    "beech birch walnut maple "
    "ash bamboo rattan wicker cork mahogany teak acacia plywood mdf glass crystal ceramic porcelain "
    "stoneware earthenware "
    "clay terracotta marble granite slate concrete stone paper cardboard wax straw seagrass "
    "goose-down duck-down feathers? polymer metal alloy recycled enamel"
)
COLOURS = "|".join(_COLOUR_NAMES.split())  # as a pattern
SUBSTANCES = "|".join(_SUBSTANCE_NAMES.split())


def stemmed(text: str) -> frozenset[str]:
    """The stems of words written with spaces between them."""
    return frozenset(stem(word) for word in text.split())


# Function words and everything a question says about asking: they never have to be found anywhere.
_EMPTY = """
current tell
put puts putting
good suitable suited ideal perfect great nice work works
difference differences differ compare compared comparison between
a an the this that these those it its they them their he she his her we us our you your i me my mine yours one ones
some any each every all both either neither other another such same few more most much many less least enough no not
and or but nor so yet if then than as because while whether though although unless until of in on at to from by for
with without within into onto about over under between through during before after above below up down out off per via
against around near across along is are was were be been being am do does did doing done don doesn didn isn aren wasn
won wouldn can can't could shall should will would may might must have has had having haven hasn ought let what which
who whom whose when where why how there here ok okay please thanks thank hello hi hey just only also too very really
quite rather actually exactly currently now today still already ever always usually often again maybe perhaps possibly
presently right well even yes tell show give list find name say know explain describe mention see look looking wonder
wondering ask asking want wants like need needs needed require requires get gets got come comes came go goes take
takes use uses used using make makes feature features featured include includes included offer offers offered provide
provides provided available buy buying bought purchase purchasing order sell sells sold selling carry stock exist
exists product products item items thing things something anything article articles piece pieces pair pairs set kind
kinds type types sort sorts catalog catalogue range assortment website site inventory model
models version information info detail details data fact facts policy rule rules question answer option options choice
choices possible able part parts entry entries specific particular certain whole entire total cost costs costing price
prices priced pay paying charge charged spend money expensive cheap cheaper cheapest worth fit fits made built
contain contains content constructed crafted consist composed someone somebody anyone person's people's happen happens
anybody everything nothing something's let's im i'm i'd id ive i'll myself yourself ourselves themselves itself
"""

EMPTY: frozenset[str] = frozenset(stem(word) for word in _EMPTY.split()) | frozenset([*_EMPTY.split(), "collection"])

# Words of a field's name that make another thing of it: a shipping price is not the price.
MODIFIERS = stemmed(
    "shipping delivery deliver ship old previous former was discount tax vat deposit rental rent "
    "wholesale min max minimum "
    "maximum limit load package packaging packed box total average avg compare parent child inner outer lining "
    "second secondary import purchase reorder threshold code id number"
)

SYNONYMS: tuple[frozenset[str], ...] = tuple(
    stemmed(line)
    for line in (
        "deliver delivery ship shipping shipment dispatch postage delivered",
        "warranty guarantee guaranteed warranted",
        "wash clean launder cleaning washing rinse",
        "repair fix mend",
        "return returns returned",
        "refund reimburse refunded",
        "abroad international overseas internationally",
        "photo picture image",
        "email mail e-mail",
        "phone telephone call",
        "sofa couch settee",
        "trousers pants",
        "bike bicycle",
        "backpack rucksack",
        "sweater jumper pullover",
        "sneaker trainer",
        "torch flashlight",
        "rug carpet",
        "duffel duffle",
        "liter litre l",
        "kilogram kilo kg",
        "gram gramme g",
        "centimeter centimetre cm",
        "millimeter millimetre mm",
        "milliliter millilitre ml",
        "watt wattage w",
        "volt voltage v",
        "safe proof",
        "open close opening closure",
        "allowed permitted welcome",
        "child kid",
        "powerful power",
        "old age",
        "dry dryer drier",
        "ripe ripen",
        "gift present",
        "collect pickup pick",
    )
)


def alike(word: str) -> frozenset[str]:
    """The stem and the general-English words that ask for the same."""
    return next((group for group in SYNONYMS if word in group), frozenset({word}))
