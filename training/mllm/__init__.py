"""How the starter vision-language model is made: drawn swaps, its eye, questions with known answers, training.
It knows the starter encoder's caches and towers and stock `transformers` models; the product never imports it."""
