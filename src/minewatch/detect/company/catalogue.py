"""The detectors that judge several points together: names, meaning in three languages, parameters.

Their ids begin at 100, above those of the detectors of one point: stored scores name them by these.
Reading this needs neither numba nor scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from minewatch.contracts import Text
from minewatch.detect.catalogue import IDS as POINTS
from minewatch.detect.catalogue import NAMES, Detector, Parameter

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

_LEARN = (
    Parameter("memory", "rows", 600, "Rows over which usual values are learned."),
    Parameter("warm_up", "rows", 60, "Rows learned before a sensor is judged."),
)

_STEP = Parameter("step_s", "s", 3600, "Seconds over which readings are averaged.")

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
    Detector(
        103,
        "neighbours",
        Text(kk="Көршілермен келіспеу", ru="Расхождение с соседями", en="Disagreement with neighbours"),
        Text(
            kk="Аспап аймақтағы сол шаманың басқа аспаптары айтқаннан неше сигмаға алшақ.",
            ru="На сколько сигм прибор расходится с тем, что говорят другие приборы той же величины.",
            en="How many sigmas a meter lies from what the others of its quantity say.",
        ),
        "σ",
        (
            *_LEARN,
            Parameter("half", "σ", 8, "The score is 0.5 at so many sigmas."),
            Parameter("clip", "σ", 4, "One row teaches at most so many sigmas."),
            Parameter("floor", "unit of the column", 0, "The least sigma assumed: the instrument's step."),
        ),
    ),
    Detector(
        104,
        "airflow-gas",
        Text(kk="Ауа мен газ", ru="Воздух и газ", en="Airflow against gas"),
        Text(
            kk="Ауа ағыны азайып, сонымен бірге метан өседі: желдетудің бұзылуы.",
            ru="Поток воздуха падает, и одновременно растёт метан: нарушение проветривания.",
            en="Airflow falls while methane rises: a loss of ventilation.",
        ),
        "1",
        (
            *_LEARN,
            Parameter(
                "fall", "1", 0.3, "The share by which air must fall below its usual for a score of 0.5."
            ),
            Parameter(
                "rise", "unit of the column", 0.3, "By how much gas must rise above its usual for 0.5."
            ),
            Parameter(
                "least", "unit of the column", 0.2, "Air that is usually slower than this says nothing."
            ),
            Parameter(
                "air", "columns", 0, "How many of the first columns are air velocities, the rest is gas."
            ),
        ),
    ),
    Detector(
        109,
        "mixture",
        Text(kk="Газдар қоспасы", ru="Смесь газов", en="Mixture of gases"),
        Text(
            kk="Бірге әсер ететін газдардың өз шектеріне қатынастарының қосындысы; 1 — қоспаның шегі.",
            ru="Сумма отношений газов совместного действия к их пределам; 1 — предел смеси.",
            en="The sum of the shares that gases acting together take of their limits; 1 is the limit.",
        ),
        "1",
        (Parameter("limits", "unit of the column", (), "The limit of each column, with commas."),),
    ),
)

# of single sensors, over days
TRUST: tuple[Detector, ...] = (
    Detector(
        110,
        "drift",
        Text(kk="Датчиктің ауытқуы", ru="Уход датчика", en="Drift of a sensor"),
        Text(
            kk="Датчик көршілері айтқаннан, үйренген кездегіге қарағанда, қаншалықты алыстап кетті.",
            ru="Насколько датчик ушёл от того, что говорят соседи, с тех пор как их разница была изучена.",
            en="How far a sensor has moved away from what its neighbours say since that was learned.",
        ),
        "1",
        (
            _STEP,
            Parameter(
                "drift_warm_up", "steps", 168, "Steps that teach the usual difference from the others."
            ),
            Parameter("drift_half", "σ", 3, "A sensor drifts from so many sigmas of one step on."),
            Parameter("least", "unit of the column", 0, "A drift below this is never told."),
            Parameter("floor", "unit of the column", 0, "The least sigma assumed: the instrument's step."),
        ),
    ),
    Detector(
        111,
        "response",
        Text(kk="Датчиктің жоғалған жауабы", ru="Утраченный отклик датчика", en="Lost response of a sensor"),
        Text(
            kk="Датчик оны қозғайтын нәрсеге (көршілер, барометр, газ) жауабының қандай бөлігін жоғалтты.",
            ru="Какую часть отклика на то, что всегда двигало датчик (соседи, барометр, газ), он утратил.",
            en="How much of its answer to what always moved it (neighbours, barometer, gas) a sensor lost.",
        ),
        "1",
        (
            _STEP,
            Parameter("least", "unit of the first column", 2, "So large a change of it is to be answered."),
            Parameter("event_steps", "steps", 24, "A change that takes longer is no event."),
            Parameter("response_warm_up", "events", 20, "Events that teach the usual answer."),
            Parameter("response_tie", "1", 0.5, "The least correlation for a sensor to be judged."),
            Parameter("response_memory", "events", 200, "Events over which the usual answer is learned."),
            Parameter("response_recent", "events", 8, "The newest events, that the present answer is of."),
            Parameter("response_sure", "σ", 4, "By so many sigmas an answer must fall short to be lost."),
        ),
    ),
)

# of the models that settings put in force; it gives alerts and no scores
DRIFT = Detector(
    105,
    "model-drift",
    Text(kk="Модельдің ескіруі", ru="Устаревание модели", en="Drift of a model"),
    Text(
        kk="Құрылғының бекітілген моделі оның қазіргі жұмысына әлі сай ма.",
        ru="Подходит ли ещё утверждённая модель устройства к тому, как оно работает теперь.",
        en="Whether the fitted model of a device still fits how it runs now.",
    ),
    "1",
    (
        Parameter("drift_rows", "rows", 3600, "Rows over which the drift of a model itself is watched."),
        Parameter("drift_share", "1", 0.2, "The statistic is 1 at such a share of rows beyond the fit."),
    ),
)

# of a gateway as a whole; they give alerts and no scores
GATEWAY: tuple[Detector, ...] = (
    Detector(
        106,
        "gateway-silent",
        Text(kk="Шлюз нүктелерінің үнсіздігі", ru="Молчание точек шлюза", en="Silence of a gateway's points"),
        Text(
            kk="Байланыстағы шлюз нүктелерінің қандай үлесі бірге үндемейді.",
            ru="Какая доля точек шлюза, который на связи, молчит вместе.",
            en="Which share of the points of a gateway that is online is silent together.",
        ),
        "1",
    ),
    Detector(
        107,
        "gateway-frozen",
        Text(
            kk="Шлюз нүктелерінің қатып қалуы", ru="Застывшие точки шлюза", en="Freeze of a gateway's points"
        ),
        Text(
            kk="Шлюздің жанды нүктелерінің қандай үлесі бір сәтте қатып қалған.",
            ru="Какая доля живых точек шлюза застыла в один момент.",
            en="Which share of a gateway's lively points froze at one moment.",
        ),
        "1",
    ),
    Detector(
        108,
        "gateway-clock",
        Text(kk="Шлюз сағаты", ru="Часы шлюза", en="Clock of a gateway"),
        Text(
            kk="Шлюздің жаңа көрсетімдерінің уақыты қызмет сағатынан қанша секунд алшақ.",
            ru="На сколько секунд время новых показаний шлюза расходится с часами службы.",
            en="By how many seconds the times of a gateway's new readings differ from the service's clock.",
        ),
        "s",
    ),
)

# of them what a file can show: it has no other clock that its own could be held against
OUTAGES = ("gateway-silent", "gateway-frozen")

IDS: Mapping[str, int] = MappingProxyType({d.name: d.id for d in (*COMPANY, *TRUST)})
# what a rule may name
BY_NAME: Mapping[str, int] = MappingProxyType({**POINTS, **IDS, **{d.name: d.id for d in (DRIFT, *GATEWAY)}})


def score_names() -> tuple[str, ...]:
    """Return the names of all detectors by id, "" where there is none."""
    names = [""] * (max(IDS.values()) + 1)
    names[: len(NAMES)] = NAMES
    for name, number in IDS.items():
        names[number] = name
    return tuple(names)
