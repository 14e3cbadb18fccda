"""Benchmarks: each runs the naive way and ours in the same process, checks that they agree, and gives the ratio."""
