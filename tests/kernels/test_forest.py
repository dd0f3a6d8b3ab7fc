"""The walk of isolation forests against plain Python, and planted errors that it must catch."""

import math

import numpy as np
import pytest

from minewatch.detect.kernels import forest as kernel
from oracles import company as oracle

FEATURES = 3
SAMPLE = 50


def _tree(dice, depth, rows):
    if depth == 0 or rows < 2 or dice.random() < 0.15:
        return ("leaf", rows)
    left = int(dice.integers(1, rows))
    threshold = float(np.float32(round(dice.normal(), 1)))
    return (
        "split",
        int(dice.integers(FEATURES)),
        threshold,
        _tree(dice, depth - 1, left),
        _tree(dice, depth - 1, rows - left),
    )


def _flat(trees):
    """Return the arrays of trees, children side by side."""
    feature, threshold, child, path, root = [], [], [], [], []
    steps = 0

    def node():
        feature.append(0)
        threshold.append(math.inf)
        child.append(len(child))
        path.append(0.0)
        return len(child) - 1

    def lay(tree, at, depth):
        nonlocal steps
        steps = max(steps, depth)
        if tree[0] == "leaf":
            path[at] = depth + oracle.average_path(tree[1])
            return
        feature[at], threshold[at] = tree[1], tree[2]
        left, right = node(), node()
        child[at] = left
        lay(tree[3], left, depth + 1)
        lay(tree[4], right, depth + 1)

    for tree in trees:
        root.append(node())
        lay(tree, root[-1], 0)
    return {
        "root": np.array(root, np.int32),
        "feature": np.array(feature, np.int32),
        "threshold": np.array(threshold, np.float32),
        "child": np.array(child, np.int32),
        "path": np.array(path),
        "steps": steps,
    }


def _forest(seed, trees, depth=6):
    dice = np.random.default_rng(seed)
    return [_tree(dice, depth, SAMPLE) for _ in range(trees)]


def _run(rows, trees, walk=kernel.walk_forest):
    score = np.full(len(rows), -1.0)
    walk(
        np.array(rows, np.float32).reshape(-1, FEATURES),
        *_flat(trees).values(),
        oracle.average_path(SAMPLE),
        score,
    )
    return score


def _rows(seed, n):
    rows = np.random.default_rng(seed).normal(0, 1.5, (n, FEATURES))
    return np.round(rows, 1).astype(np.float32)  # many lie on a threshold


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 16, 23])
@pytest.mark.parametrize("trees", [1, 3, 4, 11])
def test_every_number_of_rows_and_trees(n, trees):
    """Eight rows at a time, the rest by fours of trees, the rest of trees: all as in plain Python."""
    forest = _forest(n + trees, trees)
    rows = _rows(n, n)
    for got, row in zip(_run(rows, forest), rows.tolist(), strict=True):
        assert math.isclose(got, oracle.forest_score(forest, row, SAMPLE), rel_tol=1e-12)


def test_more_rows_than_a_block():
    """What a row scores does not depend on the rows before it, over three blocks and a rest."""
    forest, rows = _forest(5, 6), _rows(5, 2 * kernel.BLOCK + 21)
    alone = np.concatenate([_run(rows[i : i + 1], forest) for i in range(0, len(rows), 101)])
    assert np.allclose(_run(rows, forest)[::101], alone, rtol=1e-14, atol=0)


def test_a_value_on_the_threshold_goes_left():
    """X <= threshold, as in scikit-learn; infinities go to the ends."""
    forest = [("split", 0, 1.5, ("leaf", 1), ("split", 1, 0.0, ("leaf", 9), ("leaf", 40)))]
    rows = [
        [1.5, 0, 0],
        [np.nextafter(np.float32(1.5), np.float32(2)), 0, 0],
        [math.inf, math.inf, 0],
        [-math.inf, 0, 0],
    ]
    rows *= 3  # eight at a time, and the rest
    got = _run(rows, forest)
    expected = [oracle.forest_score(forest, row, SAMPLE) for row in rows]
    assert np.allclose(got, expected, rtol=1e-14, atol=0)
    assert len({*expected}) == 3


def test_trees_that_are_leaves():
    """A forest that never split scores every row alike."""
    assert np.ptp(_run(_rows(1, 20), [("leaf", 50)] * 5)) == 0


STEP = """for _ in range(steps):
                    c0 = below[c0] + np.uint32(x0[of[c0]] > threshold[c0])
                    c1"""
MUTANTS = {
    "the third row of eight reads the second": ("x2[of[c2]]", "x1[of[c2]]"),
    "the wrong side in the eighth": (
        "x7[of[c7]] > threshold",
        "x7[of[c7]] < threshold",
    ),
    "the threshold itself goes right": (
        "x4[of[c4]] > threshold",
        "x4[of[c4]] >= threshold",
    ),
    "one path is counted twice": ("score[r + 5] += path[c5]", "score[r + 5] += path[c5] + path[c4]"),
    "the last of eight is not written": ("score[r + 7] +=", "score[r] +="),
    "a block stops too soon": ("range(first, last, 8)", "range(first, last - 8, 8)"),
    "the second block goes over the first again": ("range(first, last, 8)", "range(0, last, 8)"),
    "the rest begins too late": ("    r = whole\n", "    r = whole + 1\n"),
    "the third tree is the second": ("start[t + 2], start[t + 3]", "start[t + 1], start[t + 3]"),
    "the rest of the trees is left out": ("while t < trees:", "while t < trees - 1:"),
    "a step too few": (STEP, STEP.replace("steps", "steps - 1")),
    "the exponent has the wrong sign": ("2.0 ** (-total", "2.0 ** (total"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_error_is_caught(name, plant):
    """A wrong sign or index in the walk does not survive the comparison."""
    mutant = plant(kernel, *MUTANTS[name])
    forest, rows = _forest(2, 7), _rows(2, 23)
    mutant.BLOCK = 8
    got = _run(rows, forest, mutant.walk_forest)
    expected = _run(rows, forest)
    assert not np.allclose(got, expected, rtol=1e-12, atol=0)
