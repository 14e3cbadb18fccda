"""Drawn scenes: pictures of objects with exact masks, made from a seed."""
