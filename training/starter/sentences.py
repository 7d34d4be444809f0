"""Says in words what a picture shows, as far as its source states it, and which facts each sentence needs to be true.

Knows the sources' labels and the word lists; knows nothing of pixels or models. A sentence whose needs are all among a
picture's facts is true of that picture, so it is never used against it as a negative.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from training.starter import words
from training.starter.sources import Picture
from training.starter.words import FRAMES, with_article


@dataclass(frozen=True)
class Sentence:
    """A text and the facts a picture must have for it to be true; `weight` is how often training picks it."""

    text: str
    needs: tuple[str, ...]
    weight: float = 1.0


# what a class label is called, most usual name first; a label not listed is called by its own name
NAMES: dict[str, tuple[str, ...]] = {
    "faces": ("face", "human face", "person's face", "portrait of a person"),
    "motorbikes": ("motorbike", "motorcycle"),
    "airplanes": ("airplane", "plane", "aeroplane"),
    "leopards": ("leopard",),
    "bonsai": ("bonsai", "bonsai tree", "small tree in a pot"),
    "car side": ("car", "car seen from the side"),
    "ketch": ("ketch", "sailing boat"),
    "schooner": ("schooner", "sailing ship"),
    "hawksbill": ("hawksbill turtle", "sea turtle", "turtle"),
    "ewer": ("ewer", "jug", "pitcher"),
    "menorah": ("menorah", "candlestick"),
    "buddha": ("buddha statue", "buddha"),
    "revolver": ("revolver", "gun", "pistol"),
    "cougar face": ("cougar face", "cougar"),
    "cougar body": ("cougar", "mountain lion"),
    "crocodile head": ("crocodile head", "crocodile"),
    "flamingo head": ("flamingo head", "flamingo"),
    "llama": ("llama", "alpaca"),
    "euphonium": ("euphonium", "tuba", "brass instrument"),
    "bass": ("bass fish", "fish"),
    "cellphone": ("cellphone", "mobile phone", "phone"),
    "lotus": ("lotus flower", "lotus"),
    "water lilly": ("water lily", "water lily flower"),
    "headphone": ("headphones", "pair of headphones"),
    "stegosaurus": ("stegosaurus", "dinosaur"),
    "brontosaurus": ("brontosaurus", "dinosaur"),
    "inline skate": ("inline skate", "rollerblade"),
    "dollar bill": ("dollar bill", "banknote"),
    "joshua tree": ("joshua tree", "tree in the desert"),
    "rhino": ("rhino", "rhinoceros"),
    "binocular": ("binoculars",),
    "gramophone": ("gramophone", "record player"),
    "bass fish": ("fish",),
    "emu": ("emu", "ostrich-like bird"),
    "tench": ("tench", "fish", "person holding a fish"),
    "English springer": ("English springer spaniel", "spaniel", "dog"),
    "cassette player": ("cassette player", "tape recorder"),
    "chain saw": ("chainsaw", "chain saw"),
    "church": ("church", "church building"),
    "gas pump": ("gas pump", "petrol pump"),
    "parachute": ("parachute", "paraglider"),
    "dalmatian": ("dalmatian", "dalmatian dog", "spotted dog"),
    "person": ("person", "human face", "portrait of a person"),
    "windsor chair": ("windsor chair", "wooden chair", "chair"),
    "wild cat": ("wild cat", "bobcat"),
    "gerenuk": ("gerenuk", "antelope"),
    "okapi": ("okapi",),
    "soccer ball": ("soccer ball", "football"),
    "grand piano": ("grand piano", "piano"),
    "electric guitar": ("electric guitar", "guitar"),
    "snoopy": ("snoopy", "cartoon dog"),
    "garfield": ("garfield", "cartoon cat"),
}
KINDS: dict[str, tuple[str, ...]] = {  # a wider word, and the labels it holds for
    "animal": words.listed(
        "leopards, hawksbill, butterfly, kangaroo, starfish, scorpion, ibis, llama, crab, cougar face, crayfish, "
        "dragonfly, dalmatian, flamingo, dolphin, rhino, sea horse, nautilus, emu, hedgehog, crocodile head, "
        "crocodile, rooster, tick, cougar body, beaver, flamingo head, pigeon, ant, elephant, lobster, mayfly, "
        "okapi, panda, platypus, wild cat, gerenuk, octopus, bass, tench, English springer, horse, dog, giraffe"
    ),
    "bird": ("ibis", "flamingo", "emu", "rooster", "flamingo head", "pigeon"),
    "insect": ("butterfly", "dragonfly", "tick", "ant", "mayfly"),
    "dog": ("dalmatian", "English springer", "dog"),
    "fish": ("bass", "tench"),
    "musical instrument": words.listed(
        "grand piano, euphonium, accordion, electric guitar, mandolin, saxophone, French horn, guitar"
    ),
    "boat": ("ketch", "ferry", "schooner"),
    "vehicle": ("motorbikes", "airplanes", "car side", "helicopter", "garbage truck", "ferry"),
    "flower": ("sunflower", "lotus", "water lilly"),
    "furniture": ("chair", "windsor chair"),
    "tool": ("wrench", "scissors", "stapler", "chain saw"),
    "building": ("minaret", "pagoda", "church", "house", "pyramid"),
    "person": ("faces", "person"),
    "guitar": ("electric guitar", "guitar"),
    "elephant": ("elephant",),
    "chair": ("chair", "windsor chair"),
}
# words of a free caption that make a class name possibly true of the photo
CAPTION_WORDS: dict[str, str] = {
    "dog": r"dogs?|pupp(y|ies)|retriever|spaniel|poodle|greyhounds?|collie|terrier|dachshund|dalmatian",
    "person": r"man|men|woman|women|boys?|girls?|child(ren)?|bab(y|ies)|person|people|toddlers?|kids?|players?|crowd",
    "animal": r"dogs?|cats?|horses?|birds?|animals?|cows?|sheep|pupp(y|ies)|ducks?|elephants?|monkeys?",
    "bird": r"birds?|ducks?|geese|goose|seagulls?|pigeons?|parrots?",
    "horse": r"horses?|pony|bull",
    "house": r"houses?|buildings?|home",
    "building": r"houses?|buildings?|church|tower|temple|skyscraper",
    "church": r"church|cathedral",
    "boat": r"boats?|ships?|canoes?|kayaks?|sail(boat|ing)?",
    "vehicle": r"cars?|trucks?|bus|motorcycles?|motorbikes?|vehicles?|bikes?|bicycles?|atv|train",
    "motorbikes": r"motorcycles?|motorbikes?|bikers?|motocross|dirt bikes?",
    "car side": r"cars?|vehicle|race",
    "guitar": r"guitars?",
    "musical instrument": r"guitars?|drums?|instruments?|piano|violin|saxophone|trumpet|music(ians?)?|band",
    "umbrella": r"umbrellas?",
    "soccer ball": r"soccer|football|ball",
    "parachute": r"parachut\w*|paraglid\w*|parasail\w*",
    "chair": r"chairs?",
    "furniture": r"chairs?|table|couch|sofa|bench|bed",
    "flower": r"flowers?",
    "camera": r"cameras?",
    "cup": r"cups?|mug|drink",
    "fish": r"fish\w*",
    "cellphone": r"phones?|cellphone",
    "wheelchair": r"wheelchairs?",
    "faces": r"faces?|smil\w*|glasses",
}
_CAPTION_RE = {name: re.compile(rf"\b({pattern})\b", re.IGNORECASE) for name, pattern in CAPTION_WORDS.items()}

CLOTHING: dict[str, tuple[str, ...]] = {  # the phone photos' labels; the first name is the shared garment fact
    "T-Shirt": ("t-shirt", "tee", "short sleeve t-shirt"),
    "Longsleeve": ("long sleeve shirt", "longsleeve", "long-sleeved top", "jumper"),
    "Pants": ("pants", "trousers", "jeans"),
    "Shoes": ("shoes", "pair of shoes", "sneakers"),
    "Shirt": ("shirt", "button-up shirt", "dress shirt"),
    "Dress": ("dress",),
    "Shorts": ("shorts", "pair of shorts"),
    "Outwear": ("outerwear", "outwear", "jacket", "coat"),
    "Hat": ("hat", "cap"),
    "Skirt": ("skirt",),
    "Polo": ("polo shirt", "polo"),
    "Undershirt": ("undershirt", "tank top", "sleeveless shirt"),
    "Blazer": ("blazer", "suit jacket"),
    "Hoodie": ("hoodie", "hooded sweatshirt"),
    "Body": ("baby bodysuit", "bodysuit", "baby body"),
    "Top": ("top", "women's top"),
    "Blouse": ("blouse",),
}
ARTICLES: dict[str, tuple[str, ...]] = {  # the studio pictures' article types; others are called by their own name
    "Tshirts": ("t-shirt", "tee"), "Shirts": ("shirt", "button-up shirt"), "Casual Shoes": ("casual shoes", "sneakers"),
    "Sports Shoes": ("sports shoes", "running shoes", "trainers"), "Tops": ("top",), "Kurtas": ("kurta",),
    "Watches": ("watch", "wristwatch"), "Handbags": ("handbag", "bag"), "Sunglasses": ("sunglasses",),
    "Heels": ("high heels", "heels"), "Flip Flops": ("flip flops",), "Sandals": ("sandals",),
    "Sweaters": ("sweater", "jumper", "pullover"), "Wallets": ("wallet",), "Sweatshirts": ("sweatshirt",),
    "Belts": ("belt",), "Formal Shoes": ("formal shoes", "dress shoes"), "Trousers": ("trousers", "pants"),
    "Jeans": ("jeans", "denim pants"), "Socks": ("socks",), "Backpacks": ("backpack", "rucksack"),
    "Flats": ("flats", "flat shoes"), "Jackets": ("jacket",), "Shorts": ("shorts",), "Briefs": ("briefs", "underwear"),
    "Innerwear Vests": ("undershirt", "vest"), "Caps": ("cap", "baseball cap"), "Track Pants": ("track pants",),
    "Ties": ("tie", "necktie"), "Kurtis": ("kurti", "tunic"), "Dresses": ("dress",), "Mufflers": ("scarf", "muffler"),
    "Clutches": ("clutch", "clutch bag"), "Skirts": ("skirt",), "Scarves": ("scarf",), "Laptop Bag": ("laptop bag",),
    "Perfume and Body Mist": ("perfume",), "Deodorant": ("deodorant",), "Umbrellas": ("umbrella",),
    "Tunics": ("tunic",), "Stockings": ("stockings",), "Tracksuits": ("tracksuit",), "Hat": ("hat",),
    "Gloves": ("gloves",), "Rucksacks": ("backpack", "rucksack"), "Duffel Bag": ("duffel bag",),
    "Messenger Bag": ("messenger bag",), "Leggings": ("leggings",), "Cufflinks": ("cufflinks",),
}  # fmt: skip
GROUPS = {  # fashion subcategories worth a word of their own
    "Shoes": ("shoes", "footwear"), "Bags": ("bag",), "Eyewear": ("eyewear",), "Headwear": ("headwear", "hat"),
    "Innerwear": ("underwear",), "Topwear": ("topwear",), "Bottomwear": ("bottomwear",), "Sandal": ("sandals",),
}  # fmt: skip
GENDERS = {"Men": "men", "Women": "women", "Girls": "girls", "Boys": "boys", "Unisex": "men and women"}
PACKAGED = {"Juice", "Milk", "Oatghurt", "Oat-Milk", "Sour-Cream", "Sour-Milk", "Soyghurt", "Soy-Milk", "Yoghurt"}
DAIRY = PACKAGED - {"Juice"}
VEGETABLES = {
    "Asparagus", "Aubergine", "Cabbage", "Carrots", "Cucumber", "Garlic", "Ginger", "Leek", "Mushroom", "Onion",
    "Pepper", "Potato", "Red-Beet", "Tomato", "Zucchini",
}  # fmt: skip
SYNONYMS = {"Aubergine": ("eggplant",), "Zucchini": ("courgette",), "Pepper": ("bell pepper", "paprika"),
            "Red-Beet": ("beetroot",), "Satsumas": ("mandarin", "tangerine"), "Carrots": ("carrot",),
            "Mushroom": ("mushrooms",)}  # fmt: skip


def _framed(name: str, needs: tuple[str, ...], weight: float) -> list[Sentence]:
    frames = {frame.format(n=name, a=with_article(name)) for frame in FRAMES}
    return [Sentence(text, needs, weight / len(frames)) for text in sorted(frames)]


def _flickr8k(picture: Picture) -> tuple[set[str], list[Sentence]]:
    fact = f"flickr8k:{picture.name}"
    captions = picture.labels["captions"]
    joined = " ".join(captions)
    facts = {fact} | {f"class:{name}" for name, pattern in _CAPTION_RE.items() if pattern.search(joined)}
    return facts, [Sentence(caption.rstrip(" ."), (fact,)) for caption in captions]


def _grocery(picture: Picture) -> tuple[set[str], list[Sentence]]:
    fine, coarse = picture.labels["fine"], picture.labels["coarse"]
    kind = "packaged food" if coarse in PACKAGED else "vegetable" if coarse in VEGETABLES else "fruit"
    facts = {f"fine:{fine}", f"coarse:{coarse}", f"class:{kind}"} | ({"class:dairy"} if coarse in DAIRY else set())
    name = fine.replace("-", " ")
    wide = coarse.replace("-", " ").lower()
    full = name if any(word in name.lower() for word in wide.rstrip("s").split()) else f"{name} {wide}"
    sentences = _framed(full, (f"fine:{fine}",), 2.0) + _framed(wide, (f"coarse:{coarse}",), 2.0)
    if name != full:
        sentences.append(Sentence(name, (f"fine:{fine}",), 0.5))
    for synonym in SYNONYMS.get(coarse, ()):
        sentences += _framed(synonym, (f"coarse:{coarse}",), 0.5)
    plural = wide if wide.endswith("s") else wide + ("es" if wide.endswith("o") else "s")
    if kind != "packaged food":
        for text in (plural, f"fresh {plural}", f"a photo of {plural}", f"{plural} in a shop", f"a pile of {plural}"):
            sentences.append(Sentence(text, (f"coarse:{coarse}",), 0.15))
        sentences += _framed(kind, (f"class:{kind}",), 0.4)
    else:
        for text in (f"a carton of {wide}", f"{wide} in a carton", f"a package of {wide}", f"{wide} on a shelf"):
            sentences.append(Sentence(text, (f"coarse:{coarse}",), 0.2))
        if coarse in DAIRY:
            sentences += _framed("dairy product", ("class:dairy",), 0.2)
    if "description" in picture.labels:
        facts.add("iconic")
        sentences.append(Sentence(picture.labels["description"], (f"fine:{fine}",), 1.5))
    return facts, sentences


def _clothing(picture: Picture) -> tuple[set[str], list[Sentence]]:
    label = picture.labels["label"]
    if label is None:
        return {"clothing:unlabelled"}, []
    first = CLOTHING[label][0]
    facts = {f"clothing:{label}"} | {f"garment:{name}" for name in CLOTHING[label]}
    sentences = _framed(first, (f"garment:{first}",), 2.0)
    for name in (*CLOTHING[label][1:], label):
        sentences += _framed(name, (f"garment:{name}",) if name != label else (f"clothing:{label}",), 0.7)
    for text in (f"{first} lying on the floor", f"{with_article(first)} on a bed", f"an old {first}"):
        sentences.append(Sentence(text, (f"garment:{first}",), 0.1))
    if picture.labels["kids"]:
        facts.add("kids")
        for text in (f"{first} for kids", f"children's {first}", f"a child's {first}"):
            sentences.append(Sentence(text, (f"garment:{first}", "kids"), 0.3))
    return facts, sentences


def _fashion(picture: Picture) -> tuple[set[str], list[Sentence]]:
    row = picture.labels
    colour = row["baseColour"].lower() if row["baseColour"] not in ("NA", None) else None
    names = ARTICLES.get(row["articleType"], (row["articleType"].lower(),))
    group = GROUPS.get(row["subCategory"], ())
    gender, own = GENDERS[row["gender"]], f"fashion:{row['id']}"
    facts = {own, f"gender:{gender}", f"usage:{row['usage']}"} | {f"garment:{name}" for name in (*names, *group)}
    if colour:
        facts |= {f"colour:{colour}"} | ({"colour:blue"} if "blue" in colour else set())
    if gender in ("girls", "boys"):
        facts.add("kids")
    sentences = [Sentence(row["title"], (own,), 2.0)]
    for position, name in enumerate(names):
        sentences += _worn(name, 1.0 if position == 0 else 0.5, colour, gender, row["usage"])
    for name in group:
        thing = f"garment:{name}"
        sentences += [Sentence(text, (thing,), 0.2) for text in (name, f"a photo of {with_article(name)}")]
        if colour:
            sentences.append(Sentence(f"{colour} {name}", (thing, f"colour:{colour}"), 0.2))
    return facts, sentences


def _worn(name: str, share: float, colour: str | None, gender: str, usage: str) -> list[Sentence]:
    """Return what can be said of a garment by its name, colour, wearer and use."""
    thing, worn_by = f"garment:{name}", f"gender:{gender}"
    told = gender != "men and women"
    made = _framed(name, (thing,), share)
    if told:
        wearers = (f"{gender}'s {name}", f"{with_article(name)} for {gender}")
        made += [Sentence(text, (thing, worn_by), 0.25 * share) for text in wearers]
    if usage in ("Casual", "Formal", "Sports", "Ethnic"):
        made.append(Sentence(f"{usage.lower()} {name}", (thing, f"usage:{usage}"), 0.2 * share))
    if colour:
        both, tinted = (thing, f"colour:{colour}"), f"{colour} {name}"
        tints = (tinted, with_article(tinted), f"a photo of {with_article(tinted)}", f"{name} in {colour}")
        made += [Sentence(text, both, 0.6 * share) for text in tints]
        if told:
            wearers = (f"{tinted} for {gender}", f"{gender}'s {tinted}")
            made += [Sentence(text, (*both, worn_by), 0.4 * share) for text in wearers]
    return made


def _classes(picture: Picture) -> tuple[set[str], list[Sentence]]:
    label = picture.labels["label"]
    if label is None:
        return {f"unlabelled:{picture.source}"}, []
    kinds = [kind for kind, members in KINDS.items() if label in members and kind != label]
    facts = {f"class:{label}"} | {f"class:{kind}" for kind in kinds}
    sentences: list[Sentence] = []
    for position, name in enumerate(NAMES.get(label, (label,))):
        need = f"class:{name}" if name in KINDS else f"class:{label}"
        sentences += _framed(name, (need,), 2.0 if position == 0 else 0.7)
    for kind in kinds:
        sentences += _framed(kind, (f"class:{kind}",), 0.3)
    return facts, sentences


_DESCRIBERS = {
    "flickr8k": _flickr8k, "grocery": _grocery, "grocery_iconic": _grocery, "clothing": _clothing,
    "fashion": _fashion, "caltech101": _classes, "imagenette": _classes, "pacs_photo": _classes,
}  # fmt: skip


def describe(picture: Picture) -> tuple[set[str], list[Sentence]]:
    """Return a picture's facts and the sentences that are true of it (none where its source states nothing)."""
    return _DESCRIBERS[picture.source](picture)


def practice(captions: list[str], titles: list[str], count: int, seed: int = 0) -> list[str]:
    """Compose `count` sentences for the text tower alone: frames over the word lists, and cut and mixed captions and
    titles where there are any."""
    rng = random.Random(seed)
    pick = rng.choice
    made: set[str] = set()

    def goods() -> str:
        noun = pick(words.GOODS)
        before = [pick(group) for group, p in ((words.QUALITIES, 0.4), (words.COLOURS, 0.5), (words.PATTERNS, 0.15),
                                               (words.MATERIALS, 0.3)) if rng.random() < p]  # fmt: skip
        text = " ".join([*before, noun])
        text = with_article(text) if rng.random() < 0.4 else text
        return text + (" " + pick(words.USES) if rng.random() < 0.3 else "")

    def scene() -> str:
        animal = with_article(pick(words.QUALITIES) + " " + pick(words.ANIMALS))
        return f"{pick(words.PEOPLE) if rng.random() < 0.6 else animal} {pick(words.ACTIVITIES)} {pick(words.PLACES)}"

    def thing() -> str:
        noun = pick(words.NOUNS)
        noun = f"{pick(words.COLOURS)} {noun}" if rng.random() < 0.4 else noun
        frame = pick(FRAMES).format(n=noun, a=with_article(noun))
        return frame + (" " + pick(words.PLACES) if rng.random() < 0.35 else "")

    def two() -> str:
        joint = pick(("and", "next to", "with", "on top of", "or", "without", "in front of"))
        return f"{with_article(pick(words.NOUNS))} {joint} {with_article(pick(words.NOUNS))}"

    def food() -> str:
        noun = pick(words.FOOD)
        before = pick(words.QUALITIES) + " " if rng.random() < 0.4 else ""
        return pick(FRAMES).format(n=before + noun, a=with_article(before + noun))

    def cut_caption() -> str:
        tokens = pick(captions).split()
        length = rng.randint(3, max(3, len(tokens)))
        start = rng.randint(0, max(0, len(tokens) - length))
        return " ".join(tokens[start : start + length])

    def mixed_caption() -> str:
        one, other = pick(captions).split(), pick(captions).split()
        return " ".join(one[: rng.randint(2, max(2, len(one) - 2))] + other[rng.randint(1, max(1, len(other) - 3)) :])

    def thinned_caption() -> str:
        return " ".join(token for token in pick(captions).split() if rng.random() > 0.2)

    def cut_title() -> str:
        return " ".join(token for token in pick(titles).split() if rng.random() > 0.3)

    makers = [goods] * 7 + [scene] * 5 + [thing] * 4 + [two, food]
    makers += [cut_title] if titles else []
    makers += [cut_caption] * 6 + [mixed_caption] * 4 + [thinned_caption] * 3 if captions else []
    while len(made) < count:
        text = pick(makers)().strip()
        if text:
            made.add(text)
    singles = {frame.format(n=n, a=with_article(n)) for n in (*words.NOUNS, *words.COLOURS, *words.MATERIALS)
               for frame in ("{n}", "{a}", "a photo of {a}")}  # fmt: skip
    return sorted(made | singles)
