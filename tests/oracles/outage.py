"""Most points of a gateway at once, told plainly over lists of members."""


def silent(members, now, intervals):
    """Return (share, since, count) of silent ones among [(heard, hold)]; heard None was never heard."""
    known = [m for m in members if m[0] is not None]
    quiet = [heard for heard, hold in known if now - heard > intervals * hold]
    return (len(quiet) / len(known) if known else 0.0), (max(quiet) if quiet else None), len(quiet)


def frozen(members, now, least_s, lively, together_s):
    """Return (share, moment, count) of those frozen together among [(since, heard, mean_s, hold)]."""
    known = [m for m in members if m[0] is not None and now - m[1] <= m[3]]
    starts = [
        since
        for since, _, mean, _ in known
        if (now - since) / 1e9 >= least_s and (now - since) / 1e9 >= lively * mean
    ]
    if not starts:
        return 0.0, None, 0
    # the latest of the moments with most starts in the together_s before it
    count, moment = max((sum(0 <= (m - s) / 1e9 <= together_s for s in starts), m) for m in starts)
    able = sum((now - moment) / 1e9 >= lively * mean for _, _, mean, _ in known)
    return count / max(able, count), moment, count
