"""Pickles and torch files, read without running them."""
