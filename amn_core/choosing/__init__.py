"""Choosing a threshold, with and without ground truth, and what the choice costs."""
