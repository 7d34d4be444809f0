"""What is measured, and how: `python -m benchmarks.retrieval --data DIR`, `python -m benchmarks.speed`."""
