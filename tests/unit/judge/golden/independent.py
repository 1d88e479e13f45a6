"""Golden values of the judge by packages that others wrote: savvi 0.3.1, confseq 0.0.11 and scipy 1.17.1, from PyPI.

usage: python3 -m venv venv; venv/bin/pip install savvi==0.3.1 scipy==1.17.1 matplotlib multiprocess
       venv/bin/pip download --no-deps --only-binary :all: --python-version 3.9 confseq==0.0.11; unzip confseq-*.whl -d confseq
       PYTHONPATH=confseq venv/bin/python independent.py > independent.json

Draws: the ratio of Fisher's noncentral hypergeometric probability to the central one, both scipy's. Signs: savvi's
anytime-valid multinomial test with a uniform prior. Excluded: the likelihood ratio of a bet to the point of "the candidate
fails so much of what the baseline gets right" that is nearest to it, which scipy's minimizer finds. Tilted draws: the mean over
all draws, one by one. Differences and windows: confseq's betting martingales, of differences against "the mean is so much or
more", and of signs against "either is as likely".
"""

import itertools
import json
import math

import numpy as np

np.float_ = np.float64  # which confseq still names, and numpy 2 no more
from confseq.betting import betting_mart
from savvi.multinomial import Multinomial
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, rel_entr
from scipy.stats import binom, hypergeom, nchypergeom_fisher


def draw(answers: int, all_marked: int, drawn: int, marked: int, odds: float) -> float:
    given = (marked, answers, all_marked, drawn)
    return float(nchypergeom_fisher.logpmf(*given, odds) - hypergeom.logpmf(*given))


def signs(higher: int, lower: int) -> float:
    test = Multinomial(0.01, np.array([0.5, 0.5]), k=2)
    test.update(np.array([higher, lower]))
    return math.log(test.odds)


def excluded(candidate: list[int], baseline: list[int], bets: list[float], worse: float) -> float:
    (i, n), (j, m) = candidate, baseline
    a, b = bets

    def failing(rate: float) -> float:
        return rate + (1 - rate) * worse

    def distance(rate: float) -> float:
        c = failing(rate)
        ours = rel_entr(a, c) + rel_entr(1 - a, 1 - c)
        return n * ours + m * (rel_entr(b, rate) + rel_entr(1 - b, 1 - rate))

    nearest = minimize_scalar(distance, bounds=(1e-9, 1 - 1e-9), method="bounded", options={"xatol": 1e-13}).x
    bet = binom.logpmf(i, n, a) + binom.logpmf(j, m, b)
    return float(bet - binom.logpmf(i, n, failing(nearest)) - binom.logpmf(j, m, nearest))


def tilted(losses: list[float], drawn: list[int], tilt: float) -> float:
    each = [tilt * sum(losses[i] for i in draw) for draw in itertools.combinations(range(len(losses)), len(drawn))]
    return float(tilt * sum(losses[i] for i in drawn) - (logsumexp(each) - math.log(len(each))))


def differences(values: list[float], least: float, most: float, worse: float, part: float) -> float:
    """The capital that is bet on a mean below `worse`, with the values brought to [0, 1] as confseq has them."""
    size = most - least
    x, m = (np.array(values) - least) / size, (worse - least) / size
    bets = lambda x, m: np.repeat(part / (1 - m), len(x))
    return float(np.log(betting_mart(x, m, lambdas_fn_negative=bets, theta=0, trunc_scale=1)[-1]))


def windows(worse: int, better: int, part: float) -> float:
    x = np.array([1.0] * worse + [0.0] * better)
    bets = lambda x, m: np.repeat(2 * part, len(x))
    return float(np.log(betting_mart(x, 0.5, lambdas_fn_positive=bets, theta=1, trunc_scale=1)[-1]))


TILTED = [
    {"losses": [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0], "drawn": [0, 1, 3], "tilt": 1.5},
    {"losses": [0.3, -1.2, 4.0, 0.7, -0.4, 2.2, 0.0], "drawn": [2, 5], "tilt": 0.5},
]
DIFFERENCES = [
    {"values": [0.2, -0.4, 0.0, 0.9, -1.0], "least": -1.0, "most": 1.0, "worse": 0.05, "part": 0.3},
    {"values": [4.75, -1.1875, -0.0625, -0.25], "least": -1.1875, "most": 4.75, "worse": 0.5, "part": 0.1},
    {"values": [0.0] * 50, "least": -1.0, "most": 1.0, "worse": 0.1, "part": 0.7},
]
WINDOWS = [[12, 0, 0.95], [7, 3, 0.6], [40, 38, 0.25]]
DRAWS = [[100, 5, 10, 4, 60.0], [100, 60, 10, 3, 2.8], [1000, 40, 100, 12, 8.0], [250, 200, 200, 170, 30.0]]
SIGNS = [[7, 3], [60, 40], [0, 12], [500, 430]]
EXCLUDED = [
    {"candidate": [0, 100], "baseline": [1, 900], "bets": [0.01, 0.01], "worse": 0.02},
    {"candidate": [2, 40], "baseline": [9, 60], "bets": [0.03, 0.2], "worse": 0.05},
    {"candidate": [5, 80], "baseline": [2, 20], "bets": [0.1, 0.08], "worse": 0.3},
]

print(
    json.dumps(
        {
            "draws": [
                {"all": a, "all_marked": k, "drawn": n, "marked": m, "odds": o, "log_e": draw(a, k, n, m, o)}
                for a, k, n, m, o in DRAWS
            ],
            "signs": [{"higher": h, "lower": low, "log_e": signs(h, low)} for h, low in SIGNS],
            "tilted": [{**case, "log_e": tilted(**case)} for case in TILTED],
            "differences": [{**case, "log_e": differences(**case)} for case in DIFFERENCES],
            "windows": [{"worse": w, "better": b, "part": p, "log_e": windows(w, b, p)} for w, b, p in WINDOWS],
            "excluded": [{**case, "log_e": excluded(**case)} for case in EXCLUDED],
        }
    )
)
