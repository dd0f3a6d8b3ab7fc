"""Several sensors as one, in plain Python: rolling means, distances, what each adds, an isolation forest."""

import math

NAN = float("nan")


def standing(rows, window, centre, scale):
    """Return, per row, how far each sensor's mean of the last rows lies off; NaN where unmeasured."""
    out = []
    for r in range(len(rows)):
        line = []
        for j in range(len(centre)):
            seen = [row[j] for row in rows[max(0, r - window + 1) : r + 1]]
            seen = [x for x in seen if abs(x) <= 1e15]
            if not seen:
                line.append(NAN)
                continue
            off = (sum(seen) / len(seen) - centre[j]) / scale[j] * math.sqrt(len(seen) / window)
            line.append(max(-1e6, min(1e6, off)))
        out.append(line)
    return out


def times(form, z):
    """Return form z."""
    return [sum(f * x for f, x in zip(row, z, strict=True)) for row in form]


def solve(matrix, right):
    """Return x with matrix x = right, by Gauss and Jordan with pivots."""
    n = len(right)
    a = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for p in range(n):
        best = max(range(p, n), key=lambda i: abs(a[i][p]))
        a[p], a[best] = a[best], a[p]
        a[p] = [x / a[p][p] for x in a[p]]
        for i in range(n):
            if i != p:
                a[i] = [x - a[i][p] * y for x, y in zip(a[i], a[p], strict=True)]
    return [row[n] for row in a]


def complete(z, form):
    """Fill missing sensors with what makes z' form z smallest: the gradient there is zero."""
    gone = [i for i, x in enumerate(z) if math.isnan(x)]
    if not gone:
        return list(z)
    known = [0.0 if math.isnan(x) else x for x in z]
    pull = times(form, known)
    found = solve([[form[i][j] for j in gone] for i in gone], [-pull[i] for i in gone])
    for i, x in zip(gone, found, strict=True):
        known[i] = x
    return known


def squared(z, form):
    """Return z' form z."""
    return max(0.0, sum(p * x for p, x in zip(times(form, z), z, strict=True)))


def judge(z, fill, forms, top):
    """Return (statistic, what each sensor adds, how far each lies from what the others let expect)."""
    n = len(z)
    if all(math.isnan(x) for x in z):
        return NAN, [0.0] * n, [0.0] * n
    whole = complete(z, fill)
    ratios = [math.sqrt(squared(whole, form)) / t for form, t in zip(forms, top, strict=True)]
    form = fill
    share, off = [0.0] * n, [0.0] * n
    for i in range(n):
        if math.isnan(z[i]):
            continue
        # the value of sensor i that makes the square smallest, and how much smaller it is then
        rest = sum(form[i][j] * whole[j] for j in range(n) if j != i)
        expected = -rest / form[i][i]
        off[i] = whole[i] - expected
        instead = [*whole[:i], expected, *whole[i + 1 :]]
        plain = sum(p * x for p, x in zip(times(form, whole), whole, strict=True))
        better = sum(p * x for p, x in zip(times(form, instead), instead, strict=True))
        share[i] = math.copysign(plain - better, off[i])
    return max(ratios), share, off


def average_path(n):
    """Return the mean path of an unsuccessful search among n rows."""
    if n <= 1:
        return 0.0
    if n == 2:
        return 1.0
    return 2 * (math.log(n - 1) + 0.5772156649015329) - 2 * (n - 1) / n


def forest_score(trees, row, sample):
    """Score a row by trees: ("leaf", rows) or ("split", feature, threshold, left, right)."""
    total = 0.0
    for tree in trees:
        node, depth = tree, 0
        while node[0] == "split":
            node = node[3] if row[node[1]] <= node[2] else node[4]
            depth += 1
        total += depth + average_path(node[1])
    return 2 ** (-total / (len(trees) * average_path(sample)))
