"""Word lists and sentence frames, written for this project, from which practice sentences are composed.

Knows everyday and shop vocabulary; knows nothing of pictures or models.
"""

from __future__ import annotations


def listed(text: str) -> tuple[str, ...]:
    """Return the parts of a text between its commas."""
    return tuple(part.strip() for part in text.replace("\n", " ").split(",") if part.strip())


COLOURS = listed(
    "black, white, red, blue, green, yellow, orange, purple, pink, brown, grey, beige, navy blue, dark blue, "
    "light blue, turquoise, teal, maroon, burgundy, olive, khaki, cream, gold, silver, lavender, mint green, dark "
    "green, rose, charcoal, tan, copper, multicoloured, colourful, bright red, pale yellow, sky blue, off-white, "
    "dark, light"
)
MATERIALS = listed(
    "leather, cotton, wool, linen, denim, silk, velvet, suede, nylon, polyester, canvas, rubber, plastic, metal, "
    "steel, stainless steel, aluminium, brass, copper, glass, ceramic, porcelain, wooden, oak, bamboo, wicker, "
    "rattan, marble, stone, concrete, paper, cardboard, knitted, fleece, down, waterproof, mesh, felt, cork, "
    "chrome, terracotta, enamel"
)
PATTERNS = listed(
    "striped, checked, plaid, polka dot, dotted, floral, plain, solid, printed, embroidered, camouflage, zigzag, "
    "quilted, tie-dye, leopard print, geometric, chequered, patterned, ribbed, faded, glossy, matte, transparent, "
    "shiny, gradient"
)
QUALITIES = listed(
    "small, large, big, tiny, tall, long, short, round, square, oval, wide, narrow, thin, thick, heavy, "
    "lightweight, soft, warm, cosy, comfortable, cheap, affordable, elegant, modern, vintage, rustic, classic, "
    "fashionable, sporty, casual, formal, durable, portable, foldable, adjustable, stackable, breathable, "
    "insulated, windproof, fresh, ripe, sweet, organic, old, new, handmade, minimalist, luxurious, simple, "
    "sturdy, cute, broken, dirty, clean, empty, full, wet, dry"
)
CLOTHES = listed(
    "t-shirt, long sleeve shirt, shirt, dress shirt, polo shirt, blouse, tank top, undershirt, vest, sweater, "
    "jumper, cardigan, hoodie, sweatshirt, jacket, rain jacket, winter jacket, down jacket, leather jacket, denim "
    "jacket, fleece jacket, windbreaker, coat, raincoat, overcoat, parka, blazer, suit, dress, evening dress, "
    "summer dress, skirt, mini skirt, trousers, pants, jeans, chinos, leggings, shorts, swim shorts, swimsuit, "
    "bikini, pyjamas, bathrobe, underwear, boxers, briefs, bra, socks, tights, stockings, tie, bow tie, scarf, "
    "gloves, mittens, hat, cap, baseball cap, beanie, sun hat, helmet, belt, tracksuit, track pants, uniform, "
    "apron, kurta, tunic, sari, top, baby bodysuit, romper, overalls, jumpsuit, poncho, shawl"
)
SHOES = listed(
    "shoes, sneakers, trainers, running shoes, sports shoes, boots, hiking boots, winter boots, rain boots, ankle "
    "boots, sandals, flip flops, slippers, high heels, pumps, flats, ballet flats, loafers, formal shoes, dress "
    "shoes, oxfords, moccasins, climbing shoes, football boots, clogs, casual shoes, walking shoes, trail shoes"
)
ACCESSORIES = listed(
    "handbag, shoulder bag, clutch, purse, wallet, backpack, rucksack, laptop bag, messenger bag, duffel bag, "
    "suitcase, travel bag, tote bag, waist pack, watch, wristwatch, bracelet, necklace, ring, earrings, "
    "cufflinks, sunglasses, glasses, umbrella, perfume, deodorant, lipstick, hair clip, headband, keyring, phone "
    "case, water bottle"
)
HOME = listed(
    "chair, armchair, rocking chair, office chair, stool, bar stool, bench, sofa, couch, table, dining table, "
    "coffee table, desk, bed, mattress, pillow, blanket, duvet, cushion, carpet, rug, curtain, lamp, desk lamp, "
    "floor lamp, table lamp, lantern, candle, candlestick, vase, flower pot, planter, plant, mirror, picture "
    "frame, clock, wall clock, alarm clock, shelf, bookcase, wardrobe, cupboard, drawer, chest of drawers, "
    "cabinet, box, basket, bucket, bin, bottle, jar, jug, pitcher, teapot, kettle, cup, mug, glass, wine glass, "
    "bowl, plate, tray, spoon, fork, knife, pan, frying pan, pot, saucepan, cutting board, toaster, blender, "
    "coffee machine, fridge, oven, microwave, washing machine, vacuum cleaner, iron, broom, towel, soap "
    "dispenser, toothbrush, bathtub, sink, toilet, door, window, staircase, fireplace, fan, ceiling fan, "
    "chandelier, book, notebook, pen, pencil, scissors, stapler, globe, toy, teddy bear, doll, toy car, building "
    "blocks, puzzle, ball, dice, hourglass, trophy, birdhouse, ladder, hammer, screwdriver, wrench, drill, saw, "
    "nail, rope, padlock, key, battery, light bulb, picture, painting, sculpture, dumbbell, barrel"
)
OUTDOOR = listed(
    "tent, sleeping bag, sleeping pad, camping stove, camping chair, headlamp, torch, flashlight, compass, map, "
    "walking stick, trekking poles, climbing rope, climbing harness, carabiner, ice axe, crampons, climbing "
    "helmet, bike helmet, ski helmet, skis, ski boots, ski poles, ski goggles, snowboard, snowshoes, sled, ice "
    "skates, surfboard, wetsuit, kayak, canoe, paddle, life jacket, fishing rod, bicycle, mountain bike, road "
    "bike, bike light, scooter, skateboard, rollerblades, football, soccer ball, basketball, tennis racket, "
    "tennis ball, golf ball, golf club, baseball bat, volleyball, frisbee, yoga mat, jump rope, swim goggles, "
    "snorkel, binoculars, thermos, cooler, hammock, parachute, kite, cycling jersey, cycling shorts, sports "
    "watch, first aid kit, multitool, dry bag, hydration pack"
)
FOOD = listed(
    "apple, green apple, red apple, pear, banana, orange, mandarin, satsuma, lemon, lime, grapefruit, peach, "
    "nectarine, plum, mango, papaya, pineapple, kiwi, melon, watermelon, cantaloupe, honeydew melon, passion "
    "fruit, pomegranate, strawberry, blueberry, raspberry, grapes, cherry, avocado, tomato, cucumber, zucchini, "
    "aubergine, eggplant, carrot, potato, sweet potato, onion, garlic, ginger, leek, cabbage, lettuce, spinach, "
    "broccoli, cauliflower, bell pepper, red pepper, yellow pepper, green pepper, chili, mushroom, asparagus, red "
    "beet, corn, peas, beans, pumpkin, celery, milk, carton of milk, lactose free milk, oat milk, soy milk, "
    "yoghurt, vanilla yoghurt, sour cream, cream, butter, cheese, eggs, bread, rolls, cake, cookies, chocolate, "
    "ice cream, honey, jam, cereal, rice, pasta, pizza, hamburger, sandwich, soup, salad, steak, chicken, fish, "
    "sausage, bacon, juice, carton of juice, orange juice, apple juice, grapefruit juice, water, coffee, tea, "
    "wine, beer, smoothie, nuts, almonds, olive oil, spices, salt, sugar, flour"
)
ANIMALS = listed(
    "dog, puppy, black dog, brown dog, white dog, golden retriever, dalmatian, spaniel, poodle, greyhound, cat, "
    "kitten, horse, pony, cow, sheep, goat, pig, chicken, rooster, duck, goose, pigeon, seagull, eagle, owl, "
    "parrot, flamingo, penguin, ibis, emu, elephant, giraffe, lion, tiger, leopard, cougar, panda, bear, wolf, "
    "fox, rabbit, squirrel, hedgehog, beaver, mouse, kangaroo, koala, monkey, gorilla, deer, llama, camel, zebra, "
    "rhino, hippo, crocodile, lizard, snake, frog, turtle, sea turtle, fish, shark, dolphin, whale, octopus, "
    "crab, lobster, crayfish, starfish, sea horse, butterfly, dragonfly, bee, ant, spider, scorpion, snail, "
    "dinosaur, insect, bird"
)
THINGS = listed(
    "car, sports car, taxi, bus, truck, garbage truck, van, motorcycle, motorbike, scooter, tractor, train, tram, "
    "aeroplane, airplane, helicopter, boat, sailing boat, ship, ferry, wheelchair, stroller, traffic light, stop "
    "sign, fire hydrant, gas pump, bridge, house, cottage, skyscraper, church, tower, lighthouse, castle, temple, "
    "pagoda, windmill, fountain, statue, playground, swing, slide, trampoline, fence, wall, tree, palm tree, "
    "bonsai, cactus, flower, sunflower, rose, tulip, lotus, water lily, leaf, grass, piano, grand piano, guitar, "
    "electric guitar, violin, cello, saxophone, trumpet, french horn, drum, accordion, mandolin, microphone, "
    "headphones, speaker, radio, cassette player, television, laptop, computer, keyboard, phone, cellphone, "
    "camera, binoculars, printer, calculator, banknote, coin, newspaper, letter, gun, revolver, cannon, sword, "
    "anchor, chainsaw, balloon, gift, christmas tree, flag, sign"
)
PEOPLE = listed(
    "a man, a woman, a boy, a girl, a child, a baby, a toddler, two men, two women, two boys, two girls, two "
    "children, three people, a group of people, a group of children, a crowd, a couple, a family, an old man, an "
    "old woman, a young man, a young woman, a teenager, a little girl, a little boy, a person, several people, a "
    "football player, a cyclist, a skier, a snowboarder, a surfer, a skateboarder, a climber, a hiker, a swimmer, "
    "a runner, a dancer, a musician, a worker, a soldier, a police officer, a bride, a basketball player, a man "
    "in a red shirt, a woman in a blue dress, a man with a beard, a woman with sunglasses, a boy with a hat, a "
    "girl in a pink dress, friends, tourists, a father"
)
ACTIVITIES = listed(
    "running, walking, jumping, sitting, standing, sleeping, playing, playing football, playing soccer, playing "
    "basketball, playing tennis, playing baseball, playing guitar, swimming, diving, surfing, skiing, "
    "snowboarding, skating, skateboarding, riding a bike, riding a horse, riding a motorcycle, climbing a rock, "
    "climbing a wall, hiking, fishing, camping, cooking, eating, drinking, reading, writing, singing, dancing, "
    "laughing, smiling, crying, talking, talking on the phone, taking a picture, painting, working, shopping, "
    "driving a car, pushing a stroller, carrying a bag, holding a baby, holding a ball, throwing a ball, catching "
    "a ball, catching a frisbee, hugging, kissing, fighting, racing, waiting, looking at the camera, lying down, "
    "splashing, blowing bubbles, flying a kite, rowing a boat, jumping over a hurdle, doing a trick, sliding down "
    "a slide, swinging on a swing, digging, waving"
)
PLACES = listed(
    "on the beach, in the park, in the street, on the sidewalk, in the snow, on a mountain, in the forest, in a "
    "field, on the grass, in the water, in a pool, in the ocean, by a lake, by the river, in a kitchen, in a "
    "living room, in a bedroom, in a bathroom, in an office, in a classroom, in a restaurant, in a bar, in a "
    "shop, in a supermarket, at a market, at the airport, at a train station, on a bus, in a car, on a boat, on a "
    "bridge, on a rooftop, in a garden, on a bench, on a chair, on a sofa, on a bed, on a table, on the floor, on "
    "a shelf, on a white background, on a grey background, on a wooden floor, on a stage, in a stadium, on a "
    "basketball court, at a skate park, on a playground, in the desert, in the mud, in the rain, at night, at "
    "sunset, in the city, in front of a building, in front of a wall, in front of a crowd, behind a fence, under "
    "a tree, near a window, on a dirt road, through the snow, through a field"
)
USES = listed(
    "for men, for women, for kids, for girls, for boys, for a baby, for winter, for summer, for rainy days, for "
    "cold weather, for the office, for sports, for running, for hiking, for camping, for travelling, for a party, "
    "for a wedding, for the kitchen, for the living room, for the garden, for the bathroom, for the beach, for "
    "school, for climbing, for skiing, for cycling, for swimming, for two people, for breakfast, for cooking, for "
    "baking, as a gift"
)
GOODS = CLOTHES + SHOES + ACCESSORIES + HOME + OUTDOOR
NOUNS = GOODS + FOOD + ANIMALS + THINGS
FRAMES = (  # for a class name with its article, {a}, or bare, {n}
    "{n}", "{a}", "a photo of {a}", "a picture of {a}", "an image of {a}", "photo of {n}", "a close-up photo of {a}",
    "show me {n}", "a photo of the {n}", "this is {a}",
)  # fmt: skip


def with_article(noun: str) -> str:
    """Return a noun with its indefinite article; plurals and uncountable nouns stay bare."""
    last = noun.split(" of ", maxsplit=1)[0].rsplit(maxsplit=1)[-1]
    bare = {"milk", "juice", "yoghurt", "garlic", "ginger", "butter", "cheese", "bread", "rice", "pasta", "asparagus"}
    plural = last.endswith("s") and not last.endswith(("ss", "us", "is")) and last not in {"bus", "gas", "compass"}
    if plural or last in bare or noun.startswith(("a ", "an ", "the ", "two ", "three ")):
        return noun
    return ("an " if noun[0] in "aeiou" else "a ") + noun
