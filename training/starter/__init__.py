"""The starter encoder's workshop: `python -m training.starter` takes every step, and each step runs alone as well.

It knows the training data and torch; the product knows only the four files that `export` writes.
"""
