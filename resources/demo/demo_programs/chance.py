# SPDX-License-Identifier: Apache-2.0
"""Seeded choices that are the same on every Python version: only Random.random() is promised to be."""

from random import Random


def source(*seeds):
    """A generator that depends on every one of the given non-negative integers."""
    mixed = 0
    for seed in seeds:
        mixed = (mixed * 6364136223846793005 + seed + 1442695040888963407) % (1 << 64)
    return Random(mixed)


def below(random, bound):
    return int(random.random() * bound)


def pick(random, options):
    return options[int(random.random() * len(options))]


def between(random, low, high):
    """A whole number from low to high, both included."""
    return low + int(random.random() * (high - low + 1))
