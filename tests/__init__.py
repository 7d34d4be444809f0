"""The tests. A package, so that one folder's servers and models can be used by another: `from tests.mllms import …`."""
