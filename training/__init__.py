"""How the starter models are made: pictures, words and training runs. Nothing here ships in the wheel."""
