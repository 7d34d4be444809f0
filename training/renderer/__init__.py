"""Pictures of everyday products drawn from numbers, with true words about them, for training and for the sample.
It knows numpy and Pillow only: no model, no index, no network."""

from __future__ import annotations

from training.renderer.picture import render, scene, silhouette
from training.renderer.products import Product, sample_product
from training.renderer.scene import Scene
from training.renderer.wording import captions, name

__all__ = ["Product", "Scene", "captions", "name", "render", "sample_product", "scene", "silhouette"]
