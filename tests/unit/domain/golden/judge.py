"""Golden values of the judge, from the formulas of the papers in exact rational arithmetic, answer by answer.

usage: python3 judge.py > judge.json

Nothing here is shared with the code under test: probabilities are multiplied one answer after the other as fractions, the
mixture is integrated term by term, and bounds are found by bisection over fractions. Only the last logarithm is rounded.
"""

import json
import math
from fractions import Fraction

PRIOR = Fraction(18, 100)
RECENT = 2000


def log(fraction):
    return math.log(fraction.numerator) - math.log(fraction.denominator)


def bet(errors, requests):
    return (errors + PRIOR) / (requests + 2 * PRIOR)


def block_e_variable(past, block):
    """prod p(y | bet of its side) / p(y | the bets' average by the block's sizes), over all answers of the block."""
    (ce0, c0), (be0, b0) = past
    (ce, c), (be, b) = block
    candidate, baseline = bet(ce0, c0), bet(be0, b0)
    if min(c0, b0, c, b) == 0 or candidate <= baseline:
        return Fraction(1)
    null = (c * candidate + b * baseline) / (c + b)
    product = Fraction(1)
    for own, errors, requests in ((candidate, ce, c), (baseline, be, b)):
        for answer in range(requests):
            product *= own / null if answer < errors else (1 - own) / (1 - null)
    return product


def newest(tally):
    errors, requests = tally
    return tally if requests <= RECENT else (Fraction(errors * RECENT, 1) / requests, RECENT)


def rollout(looks):
    """Cumulated (candidate, baseline) counts by look; the e-value's logarithm after each."""
    recent, before, product, found = [(0, 0), (0, 0)], [(0, 0), (0, 0)], Fraction(1), []
    for look in looks:
        block = [(now[0] - then[0], now[1] - then[1]) for now, then in zip(look, before)]
        product *= block_e_variable(recent, block)
        recent = [newest((r[0] + g[0], r[1] + g[1])) for r, g in zip(recent, block)]
        before = look
        found.append(log(product))
    return found


def mixture(successes, trials, rate):
    """integral of p^s (1-p)^(n-s) dp / (rate^s (1-rate)^(n-s)), the integral by expanding (1-p)^(n-s)."""
    failures = trials - successes
    integral = sum(
        Fraction((-1) ** k * math.comb(failures, k), successes + k + 1) for k in range(failures + 1)
    )
    return log(integral / (rate**successes * (1 - rate) ** failures))


def highest_rate(errors, requests, alpha):
    observed, low, high = errors / requests, errors / requests, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        own = 0 if errors == 0 else observed * math.log(observed / middle)
        other = 0 if errors == requests else (1 - observed) * math.log((1 - observed) / (1 - middle))
        low, high = (middle, high) if requests * (own + other) <= math.log(1 / alpha) else (low, middle)
    return high


def alone(baseline, past, block, alpha, floor):
    allowed = Fraction(highest_rate(*baseline, alpha)) + floor
    own = bet(*past)
    if own <= allowed:
        return 0.0
    errors, requests = block
    return log((own / allowed) ** errors * ((1 - own) / (1 - allowed)) ** (requests - errors))


BLOCKS = [
    [[[5, 100], [1, 900]], [[4, 50], [2, 450]]],
    [[[1, 10], [0, 90]], [[3, 10], [0, 90]]],
    [[[2, 20], [9, 900]], [[0, 20], [1, 80]]],
]
LOOKS = [[[0, 0], [1, 900]], [[5, 100], [2, 1800]], [[9, 150], [4, 2250]], [[15, 210], [5, 2790]]]
MIXTURES = [[0, 10, "1/2"], [7, 10, "1/2"], [3, 40, "1/100"], [40, 300, "1/100"], [0, 900, "1/100"], [60, 100, "1/2"]]
RATES = [[0, 50, 0.003], [9, 900, 0.003], [450, 900, 0.01]]
ALONE = [
    {"baseline": [9, 900], "past": [20, 100], "block": [3, 10], "alpha": 0.003, "floor": 0.01},
    {"baseline": [9, 900], "past": [2, 100], "block": [3, 10], "alpha": 0.003, "floor": 0.01},
]

print(
    json.dumps(
        {
            "blocks": [{"past": p, "block": b, "log_e": log(block_e_variable(p, b))} for p, b in BLOCKS],
            "rollout": {"looks": LOOKS, "log_e": rollout(LOOKS)},
            "mixtures": [
                {"successes": s, "trials": n, "rate": float(Fraction(r)), "log_e": mixture(s, n, Fraction(r))}
                for s, n, r in MIXTURES
            ],
            "rates": [{"errors": e, "requests": n, "alpha": a, "rate": highest_rate(e, n, a)} for e, n, a in RATES],
            "alone": [
                {**case, "log_e": alone(case["baseline"], case["past"], case["block"], case["alpha"], Fraction(1, 100))}
                for case in ALONE
            ],
        }
    )
)
