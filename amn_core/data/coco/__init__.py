"""COCO: its annotations, an index of them, and masks drawn from them."""
