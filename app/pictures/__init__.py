"""Photographs and maps as pixels to show."""
