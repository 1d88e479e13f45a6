"""Golden values of the evidence from random draws, from the formulas in exact rational arithmetic.

usage: python3 draws.py > draws.json

Nothing here is shared with the code under test: probabilities are counted out with whole binomial coefficients, and
bounds are found by bisection. Only the last logarithm is rounded.
"""

import json
import math
from fractions import Fraction


def log(fraction):
    return math.log(fraction.numerator) - math.log(fraction.denominator)


def draw(all_answers, all_marked, drawn, marked, odds):
    """odds^marked / E[odds^M], M hypergeometric: how many of the drawn are marked when each draw is equally likely."""
    ways = {
        m: math.comb(all_marked, m) * math.comb(all_answers - all_marked, drawn - m)
        for m in range(min(drawn, all_marked) + 1)
        if drawn - m <= all_answers - all_marked
    }
    expected = sum(Fraction(count) * odds**m for m, count in ways.items()) / sum(ways.values())
    return log(odds**marked / expected)


def highest_rate(errors, requests, alpha):
    observed, low, high = errors / requests, errors / requests, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        own = 0 if errors == 0 else observed * math.log(observed / middle)
        other = 0 if errors == requests else (1 - observed) * math.log((1 - observed) / (1 - middle))
        low, high = (middle, high) if requests * (own + other) <= math.log(1 / alpha) else (low, middle)
    return high


def mixture(successes, trials, rate):
    """integral of p^s (1-p)^(n-s) dp / (rate^s (1-rate)^(n-s)), the integral by expanding (1-p)^(n-s)."""
    failures = trials - successes
    integral = sum(
        Fraction((-1) ** k * math.comb(failures, k), successes + k + 1) for k in range(failures + 1)
    )
    return log(integral / (rate**successes * (1 - rate) ** failures))


MIXTURES = [[0, 10, "1/2"], [7, 10, "1/2"], [3, 40, "1/100"], [40, 300, "1/100"], [0, 900, "1/100"], [60, 100, "1/2"]]
DRAWS = [
    [100, 5, 10, 5, 1000000],
    [100, 5, 10, 0, 3],
    [100, 60, 10, 10, 60],
    [900, 40, 450, 31, 3],
    [20, 20, 2, 2, 8],
    [20, 0, 2, 0, 8],
    [12, 11, 3, 2, 8],
]
RATES = [[0, 50, 0.003], [9, 900, 0.003], [450, 900, 0.01]]

print(
    json.dumps(
        {
            "draws": [
                {"all": a, "all_marked": k, "drawn": n, "marked": m, "odds": o, "log_e": draw(a, k, n, m, Fraction(o))}
                for a, k, n, m, o in DRAWS
            ],
            "mixtures": [
                {"successes": s, "trials": n, "rate": float(Fraction(r)), "log_e": mixture(s, n, Fraction(r))}
                for s, n, r in MIXTURES
            ],
            "rates": [{"errors": e, "requests": n, "alpha": a, "rate": highest_rate(e, n, a)} for e, n, a in RATES],
        }
    )
)
