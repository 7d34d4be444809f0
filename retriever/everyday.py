"""Things that people photograph, sell and look for: what any collection can be asked for, and few have.

Asked of a collection to see how much its parts are like what has nothing to do with them.
"""

from __future__ import annotations

_THINGS = """
dog, cat, horse, cow, bird, fish, elephant, butterfly, spider, snake, tree, flower, rose, mushroom, mountain, beach,
river, lake, forest, desert, sunset, snow, rain, cloud, moon, fire, bridge, castle, church, tower, skyscraper, street,
traffic light, car, truck, bus, train, tram, aeroplane, helicopter, boat, ship, bicycle, motorcycle, tractor,
wheelchair, guitar, piano, violin, drum, trumpet, telephone, laptop, keyboard, television, camera, headphones, printer,
robot, clock, watch, lamp, candle, chair, table, sofa, bed, wardrobe, mirror, carpet, curtain, pillow, blanket,
bathtub, toilet, kitchen sink, oven, fridge, washing machine, vacuum cleaner, iron, knife, fork, spoon, plate, bowl,
cup, bottle, glass, pan, kettle, basket, bucket, broom, hammer, screwdriver, saw, drill, ladder, paint brush, nail,
rope, chain, key, lock, umbrella, suitcase, backpack, handbag, wallet, belt, hat, cap, scarf, glove, sock, shoe, boot,
sandal, shirt, trousers, jeans, skirt, dress, coat, jacket, jumper, suit, tie, ring, necklace, earrings, glasses,
bread, cake, biscuit, chocolate, cheese, egg, butter, milk, yoghurt, juice, coffee, tea, beer, wine, water, rice,
pasta, pizza, burger, sandwich, soup, salad, chicken, sausage, fish fillet, apple, banana, orange, lemon, grape,
strawberry, melon, pineapple, mango, tomato, potato, carrot, onion, garlic, pepper, cucumber, lettuce, cabbage,
broccoli, bean, corn, nut, honey, salt, sugar, oil, ball, football, tennis racket, skateboard, surfboard, skis, sledge,
tent, sleeping bag, fishing rod, bow and arrow, chess, playing cards, jigsaw puzzle, doll, teddy bear, kite, balloon,
swing, slide, book, newspaper, magazine, pencil, pen, scissors, glue, envelope, stamp, map, globe, calendar, painting,
statue, vase, toothbrush, soap, shampoo, towel, comb, razor, perfume, lipstick, medicine, bandage, stethoscope,
syringe, microscope, telescope, baby, child, old man, woman, crowd, soldier, policeman, doctor, cook, dancer, swimmer,
king, clown, wedding, birthday party, concert, football match, office, classroom, hospital, supermarket, restaurant,
airport, factory, farm, garden, swimming pool, volcano, waterfall, cave, island, lighthouse, windmill, satellite,
rocket, dinosaur, dragon, ghost, skeleton
"""
THINGS = tuple(" ".join(thing.split()) for thing in _THINGS.split(","))
