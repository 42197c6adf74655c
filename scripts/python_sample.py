#!/usr/bin/env python3
"""Prints what CPython's random.Random(seed).sample gives, for tests/fixtures/python_sample.txt.

Each line: seed, n, k, and the SHA-256 of the drawn indices joined by commas.
"""
import hashlib
import random

SEEDS = [0, 1, 2, 42, 847291, 3035696319, 2**31, 2**32 - 1, 2**32, 2**40 + 7, 2**64 - 1]
# Small sizes, both sides of each threshold between sample's two algorithms, and sizes as in rounds.
SIZES = [(1, 0), (2, 1), (5, 4), (20, 5), (21, 5), (22, 5), (22, 6), (37, 6), (38, 6), (84, 6), (85, 6), (86, 6),
         (128, 32), (128, 7), (64, 7), (277, 22), (278, 22), (300, 85), (1045, 86), (1046, 86), (5000, 96), (9999, 128),
         (100000, 128), (1000, 999)]

for seed in SEEDS:
    for n, k in SIZES:
        drawn = random.Random(seed).sample(range(n), k)
        print(seed, n, k, hashlib.sha256(",".join(map(str, drawn)).encode()).hexdigest())
