"""The shop's voice beyond a single kind: invented brands and names, care by material, warranty, small extras.
It knows words only; `catalog` decides which sentences a product gets."""

from __future__ import annotations

__all__ = ["BRANDS", "EXTRAS", "MATERIAL_CARE", "MODELS", "WARRANTY_YEARS"]

# Invented names, by department.
BRANDS: dict[str, tuple[str, ...]] = {
    "kitchen": ("Norvale", "Tillow Kitchen", "Hollenau"),
    "home": ("Osterby House", "Norvale", "Marrowby"),
    "furniture": ("Kestrelwood", "Marrowby", "Sundby & Lark"),
    "lighting": ("Lumeno", "Sundby & Lark"),
    "clothing": ("Wendlebrook", "Pomarino", "Sundby & Lark"),
    "shoes": ("Wendlebrook", "Trekfell"),
    "bags and accessories": ("Quillon", "Trekfell", "Pomarino"),
    "outdoor": ("Trekfell", "Greenhythe"),
    "toys": ("Brambly", "Tumblewick"),
    "stationery": ("Quillon", "Inkwold"),
}
MODELS = (
    "Alma",
    "Birk",
    "Cleo",
    "Dorn",
    "Elin",
    "Fara",
    "Gale",
    "Hedda",
    "Iben",
    "Juno",
    "Kaja",
    "Linde",
    "Moro",
    "Nell",
    "Odda",
    "Pilo",
    "Quay",
    "Runa",
    "Saga",
    "Tove",
    "Umbra",
    "Vale",
    "Wren",
    "Ylva",
    "Zora",
    "Ash",
    "Bree",
    "Cato",
    "Dune",
    "Esk",
)

# Said the same way in the care documents of the sample.
MATERIAL_CARE: dict[str, tuple[str, ...]] = {
    "ceramic": ("Safe for dishwasher and microwave.", "It may go into the dishwasher."),
    "stoneware": ("Dishwasher safe; the glaze is lead-free.", "The stoneware is fired at 1,220 degrees."),
    "terracotta": ("Wash it by hand with warm water.", "The terracotta breathes; expect a natural patina."),
    "glass": ("Wash it by hand or at no more than 55 degrees in the dishwasher.",),
    "steel": ("The stainless steel does not rust.", "Wipe it dry to avoid water marks."),
    "metal": ("The powder-coated metal wipes clean with a damp cloth.",),
    "enamel": ("Wash the enamel by hand and avoid hard knocks.", "Not suitable for the microwave."),
    "cast iron": ("Wash cast iron by hand without soap and oil it lightly.",),
    "wood": ("Wipe with a damp cloth and never soak the wood.", "The wood comes from certified forests."),
    "plastic": ("The plastic is free of BPA.", "It wipes clean with mild soap."),
    "rubber": ("The natural rubber stays supple in the cold.",),
    "cotton": ("Machine wash at 40 degrees.", "Made of organic cotton; wash at 40 degrees."),
    "linen": ("Wash linen at 40 degrees and iron it damp.", "The linen is woven in Europe."),
    "wool": ("Wash at 30 degrees on the wool cycle and dry flat.", "Pure new wool; do not tumble dry."),
    "denim": ("Wash inside out at 30 degrees.",),
    "felt": ("Brush felt clean when it is dry.",),
    "plush": ("Machine wash at 30 degrees in a laundry bag.",),
    "velvet": ("Vacuum the velvet with a soft brush.",),
    "canvas": ("Clean canvas with a sponge and cold water.",),
    "nylon": ("Wash at 30 degrees without softener.", "The recycled nylon dries quickly."),
    "leather": ("Treat the leather with balm twice a year.", "The leather is vegetable-tanned."),
    "wicker": ("Dust the wicker and keep it dry.",),
    "paper": ("The paper is 100 % recycled.",),
    "wax": ("Trim the wick to 5 mm before each burn.",),
}
EXTRAS = (
    "Made in small batches.",
    "It arrives in plastic-free packaging.",
    "Ships from our own warehouse.",
    "A customer favourite.",
    "New this season.",
)
# Beyond the two years that every product has; the warranty document of the sample says the same.
WARRANTY_YEARS: dict[str, int] = {"furniture": 5, "lighting": 3}
