"""The detectors that judge several points together: names, meaning in three languages, parameters.

Their ids begin at 100, above those of the detectors of one point: stored scores name them by these.
Reading this needs neither numba nor scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from minewatch.contracts import Text
from minewatch.detect.catalogue import Detector, Parameter

FIRST = 100

_WINDOW = Parameter("window", "rows", 30, "Rows of the causal rolling mean that is judged.")
_SLOW = Parameter(
    "slow_share", "1", 0.5, "A sensor whose rolling mean keeps more of its variance than this is left out."
)
_HALF = Parameter("half", "1", 1.3, "The score is 0.5 at so many times the largest statistic of the fit.")
_TREES = (
    Parameter("trees", "trees", 100, "How many trees the forest has."),
    Parameter("sample", "rows", 256, "How many rows each tree is grown from."),
    Parameter("seed", "1", 0, "The seed of the forest: the same rows give the same trees."),
)

COMPANY: tuple[Detector, ...] = (
    Detector(
        100,
        "mahalanobis",
        Text(kk="Датчиктердің келісімі", ru="Согласие датчиков", en="Sensors in company"),
        Text(
            kk="Құрылғы датчиктерінің орташалары бірге қарағанда әдеттегіден қаншалықты алыс (Махаланобис).",
            ru="Насколько средние показания датчиков устройства вместе далеки от обычных (Махаланобис).",
            en="How far the means of a device's sensors, taken together, lie from usual (Mahalanobis).",
        ),
        "1",
        (_WINDOW, _SLOW, _HALF),
    ),
    Detector(
        101,
        "pca",
        Text(kk="Басты құрауыштар", ru="Главные компоненты", en="Principal components"),
        Text(
            kk="Датчиктер ортақ қозғалысы бойынша (T²) не одан тыс (Q) әдеттегіден қаншалықты алыс.",
            ru="Насколько датчики далеки от обычного вдоль общих движений (T²) или в стороне от них (Q).",
            en="How far sensors lie from usual along their shared movements (T²) or aside of them (Q).",
        ),
        "1",
        (_WINDOW, _SLOW, _HALF, Parameter("explained", "1", 0.85, "Variance that the components explain.")),
    ),
    Detector(
        102,
        "isolation-forest",
        Text(kk="Оқшаулау орманы", ru="Изолирующий лес", en="Isolation forest"),
        Text(
            kk="Датчиктер көрсеткіштерінің жиынтығы кездейсоқ бөлулермен қаншалықты тез оқшауланады.",
            ru="Насколько быстро случайные разбиения отделяют показания датчиков от обычных.",
            en="How soon random splits set the sensors' readings apart from usual ones.",
        ),
        "1",
        (_WINDOW, _SLOW, *_TREES),
    ),
)

IDS: Mapping[str, int] = MappingProxyType({d.name: d.id for d in COMPANY})


def score_names(single: Sequence[str]) -> tuple[str, ...]:
    """Return the names of all detectors by id, "" where there is none; ``single`` are those of one point."""
    names = [""] * (FIRST + len(COMPANY))
    names[: len(single)] = single
    for detector in COMPANY:
        names[detector.id] = detector.name
    return tuple(names)
