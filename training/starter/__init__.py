"""The starter encoder's workshop: `prepare`, `train`, `export` and `evaluate`, each run with `python -m`.

It knows the training data and torch; the product knows only the four files that `export` writes.
"""
