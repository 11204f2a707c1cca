"""Models of tables, trained on the spot, and the faults that public reports tell of: FILES by name, each with its format.

Imported by the converter's Python alone.
"""

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from catboost import CatBoostClassifier, CatBoostRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, SGDClassifier
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC

random = np.random.default_rng(7)
COUNT = 400
NUMBERS = random.normal(size=(COUNT, 6)).astype(np.float32)
NUMBERS[:, 4] = random.integers(0, 12, COUNT)
NUMBERS[:, 5] = random.choice([0, 0, 0, 1.5, -2], COUNT)
MISSING = np.where(random.random(NUMBERS.shape) < 0.08, np.nan, NUMBERS)
SCORE = NUMBERS[:, 0] - NUMBERS[:, 1] * NUMBERS[:, 2] + np.isin(NUMBERS[:, 4], [1, 4, 7]) + NUMBERS[:, 5]
TWO = (SCORE > 0).astype(int)
THREE = np.digitize(SCORE, [-1, 1])
NAMES = np.array(["low", "middle", "high"])[THREE]
PEOPLE = pd.DataFrame(
    {
        "age": np.where(random.random(COUNT) < 0.1, np.nan, NUMBERS[:, 0] * 20 + 40),
        "income": np.exp(NUMBERS[:, 1]),
        "city": random.choice(["Rome", "Oslo", "Bern", "Zug"], COUNT, p=[0.5, 0.3, 0.15, 0.05]),
        "job": random.choice(["a", "b", None], COUNT),
        "code": random.choice([1, 2, 7], COUNT),
    }
)
CATEGORIES = PEOPLE.assign(city=PEOPLE.city.astype("category"), job=PEOPLE.job.astype("category"))


def boosted(objective, labels, rounds=12, **options):
    """Return a Booster of XGBoost on columns of which one has categories."""
    kinds = [*["float"] * 4, "c" if options.keys().isdisjoint({"booster", "multi_strategy"}) else "float", "float"]
    table = xgboost.DMatrix(MISSING, labels, feature_types=kinds, enable_categorical=True)
    return xgboost.train({"objective": objective, "max_depth": 4, "nthread": 1, **options}, table, rounds)


def light(objective, labels, **options):
    """Return a Booster of LightGBM on columns of which one has categories."""
    table = lightgbm.Dataset(
        MISSING.astype(np.float64),
        labels,
        categorical_feature=[4],
        params={"verbose": -1, "zero_as_missing": options.get("zero_as_missing", False)},
    )
    options = {"min_data_in_leaf": 5, "num_leaves": 12, "max_cat_to_onehot": 2, "min_data_per_group": 5, **options}
    return lightgbm.train({"objective": objective, "verbose": -1, "num_threads": 1, **options}, table, 12)


def columns(encoder):
    """Return what scales numbers, fills gaps, and encodes texts and codes."""
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return ColumnTransformer(
        [
            ("numbers", numbers, ["age", "income"]),
            ("texts", texts, ["city", "job"]),
            ("codes", OneHotEncoder(), ["code"]),
        ]
    )


FRACTIONS = pd.DataFrame(
    {"share": random.choice([0.1, 0.2, 0.7], COUNT), "id": random.choice([1, 16777216, 16777217], COUNT)}
)
"""Numbers that are others in float32, where a model knows these alone."""
DAYS = pd.DataFrame({"day": pd.Timestamp("2024-02-28") + pd.to_timedelta(random.integers(0, 3, COUNT), unit="D")})


def moved(share):
    """Return a classifier of CatBoost's whose label is the second class from this probability on."""
    trained = CatBoostClassifier(iterations=9, verbose=0).fit(MISSING, TWO)
    trained.set_probability_threshold(share)
    return trained


def ordered():
    """Return an estimator of LightGBM whose file does not tell which columns pandas numbered."""
    table = CATEGORIES.assign(
        city=PEOPLE.city.astype(pd.CategoricalDtype(["Zug", "Bern", "Oslo", "Rome"], ordered=True))
    )
    return lightgbm.LGBMRegressor(n_estimators=9, verbose=-1).fit(table, SCORE)


WORDS = ["Rome", "Oslo", "Bern", "Zug", "a", "b", "elsewhere"]
"""What is asked of columns whose texts no model tells."""


def of_texts(**options):
    """Return a regressor of CatBoost, some of whose columns are texts."""
    table = PEOPLE[["age", "city", "job"]].fillna({"job": "a"})
    trained = CatBoostRegressor(iterations=9, verbose=0, one_hot_max_size=9, **options)
    return trained.fit(table, SCORE, cat_features=["city", "job"])


def aged(estimator):
    """Return an estimator of LightGBM with what versions 2 and 3 pickled of it."""
    estimator._n_classes = None
    for name in ("fitted_", "_n_features_in"):
        vars(estimator).pop(name, None)
    return estimator


XGBOOST = {
    "squares": lambda: boosted("reg:squarederror", SCORE, base_score=3.0),
    "sets": lambda: boosted("reg:squarederror", SCORE, max_cat_to_onehot=1),
    "base-of-probability": lambda: boosted("binary:logistic", TWO, base_score=0.9),
    "raw": lambda: boosted("binary:logitraw", TWO),
    "hinge": lambda: boosted("binary:hinge", TWO),
    "counts": lambda: boosted("count:poisson", np.abs(np.round(SCORE))),
    "base-by-class": lambda: boosted("multi:softprob", THREE, num_class=3, num_parallel_tree=2),
    "argmax": lambda: boosted("multi:softmax", THREE, num_class=3),
    "dart": lambda: boosted("reg:squarederror", SCORE, booster="dart", rate_drop=0.3),
    "linear": lambda: boosted("multi:softprob", THREE, num_class=3, booster="gblinear"),
    "vectors": lambda: boosted("reg:squarederror", np.stack([SCORE, 1 - SCORE], 1), multi_strategy="multi_output_tree"),
    "sure-base": lambda: boosted("binary:logistic", TWO * 0),
    "two-targets": lambda: boosted("reg:squarederror", np.stack([SCORE, 1 - SCORE], 1)),
    "texts": lambda: xgboost.XGBRegressor(n_estimators=9, enable_categorical=True).fit(CATEGORIES, SCORE),
    "best-round": lambda: xgboost.XGBClassifier(n_estimators=40, early_stopping_rounds=2, learning_rate=0.9).fit(
        MISSING[:300], TWO[:300], eval_set=[(MISSING[300:], TWO[300:])], verbose=0
    ),
}
LIGHTGBM = {
    "sets": lambda: light("regression", SCORE),
    "zero-is-missing": lambda: light("regression", SCORE, zero_as_missing=True),
    "nothing-is-missing": lambda: light("regression", SCORE, use_missing=False),
    "steep": lambda: light("binary", TWO, sigmoid=1.7),
    "one-class": lambda: light("binary", TWO * 0),
    "classes": lambda: light("multiclass", THREE, num_class=3),
    "apart": lambda: light("multiclassova", THREE, num_class=3),
    "roots": lambda: light("regression", SCORE, reg_sqrt=True),
    "entropy": lambda: light("cross_entropy_lambda", TWO * 0.7 + 0.1),
    "mean": lambda: light("regression", SCORE, boosting="rf", bagging_freq=1, bagging_fraction=0.6),
    "texts": lambda: lightgbm.LGBMRegressor(n_estimators=9, verbose=-1).fit(CATEGORIES, SCORE).booster_,
    "fractions": lambda: (
        lightgbm.LGBMRegressor(n_estimators=9, verbose=-1)
        .fit(FRACTIONS.astype("category"), FRACTIONS.share + FRACTIONS.id % 2)
        .booster_
    ),
}
CATBOOST = {
    "missing-is-large": lambda: CatBoostRegressor(iterations=9, verbose=0, nan_mode="Max").fit(MISSING, SCORE),
    "classes": lambda: CatBoostClassifier(iterations=9, verbose=0).fit(MISSING, NAMES),
    "uneven": lambda: CatBoostClassifier(iterations=9, verbose=0, grow_policy="Lossguide").fit(MISSING, TWO),
    "counts": lambda: CatBoostRegressor(iterations=9, verbose=0, loss_function="Poisson").fit(MISSING, np.abs(SCORE)),
    "moved-limit": lambda: moved(0.3),
    "uncertain": lambda: CatBoostRegressor(iterations=9, verbose=0, loss_function="RMSEWithUncertainty").fit(
        MISSING, SCORE
    ),
    "texts": of_texts,
    "uneven-texts": lambda: of_texts(grow_policy="Depthwise"),
    "labels": lambda: CatBoostClassifier(iterations=9, verbose=0, loss_function="MultiLogloss").fit(
        MISSING, np.stack([TWO, THREE > 0], 1).astype(int)
    ),
}
SKLEARN = {
    "texts": lambda: make_pipeline(columns(OneHotEncoder(handle_unknown="ignore")), LogisticRegression()).fit(
        PEOPLE, NAMES
    ),
    "rare-texts": lambda: make_pipeline(
        columns(OneHotEncoder(min_frequency=0.1, handle_unknown="infrequent_if_exist", drop="first")),
        RandomForestClassifier(20),
    ).fit(PEOPLE, TWO),
    "numbered-texts": lambda: make_pipeline(
        columns(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
        GradientBoostingClassifier(n_estimators=9),
    ).fit(PEOPLE, NAMES),
    "targets": lambda: make_pipeline(
        ColumnTransformer([("texts", TargetEncoder(), ["city", "job"])], remainder="drop"), Ridge()
    ).fit(PEOPLE, SCORE),
    "boosted-texts": lambda: make_pipeline(columns(OneHotEncoder()), xgboost.XGBClassifier(n_estimators=9)).fit(
        PEOPLE, TWO
    ),
    "histograms": lambda: HistGradientBoostingClassifier(max_iter=9, categorical_features="from_dtype").fit(
        CATEGORIES, NAMES
    ),
    "histogram-counts": lambda: HistGradientBoostingRegressor(loss="poisson", max_iter=9).fit(MISSING, np.abs(SCORE)),
    "thresholds": lambda: RandomForestRegressor(20).fit(NUMBERS.astype(np.float64), SCORE),
    "missing-in-trees": lambda: RandomForestClassifier(9).fit(MISSING, NAMES),
    "tied-votes": lambda: RandomForestClassifier(30, max_features=1).fit(NUMBERS[:60], random.integers(0, 2, 60)),
    "isolation": lambda: IsolationForest(n_estimators=9).fit(NUMBERS),
    "adaboost": lambda: AdaBoostClassifier(n_estimators=9).fit(NUMBERS, NAMES),
    "kernels": lambda: SVC().fit(NUMBERS, NAMES),
    "kernel-regression": lambda: make_pipeline(StandardScaler(), SVR()).fit(NUMBERS, SCORE),
    "perceptron": lambda: MLPClassifier(hidden_layer_sizes=(8, 6), max_iter=40).fit(NUMBERS, NAMES),
    "perceptron-regression": lambda: MLPRegressor(hidden_layer_sizes=(8,), max_iter=40, activation="tanh").fit(
        NUMBERS, SCORE
    ),
    "link": lambda: PoissonRegressor().fit(NUMBERS, np.abs(SCORE)),
    "powers": lambda: make_pipeline(PowerTransformer(), LogisticRegression()).fit(NUMBERS, TWO),
    "ties-of-rest": lambda: OneVsRestClassifier(LogisticRegression(C=1e6)).fit(NUMBERS, NAMES),
    "stack": lambda: StackingClassifier([("a", RandomForestClassifier(5)), ("b", LinearSVC())]).fit(NUMBERS, NAMES),
    "small-rows": lambda: make_pipeline(Normalizer(), LogisticRegression()).fit(NUMBERS[:, :1], TWO),
    "sparse-zeros": lambda: make_pipeline(columns(OneHotEncoder()), xgboost.XGBRegressor(n_estimators=9)).fit(
        PEOPLE, SCORE
    ),
    "best-round": lambda: xgboost.XGBClassifier(n_estimators=40, early_stopping_rounds=2, learning_rate=0.9).fit(
        MISSING[:300], THREE[:300], eval_set=[(MISSING[300:], THREE[300:])], verbose=0
    ),
    "votes": lambda: VotingClassifier(
        [("a", LogisticRegression()), ("b", RandomForestClassifier(5)), ("c", LinearSVC())]
    ).fit(NUMBERS, NAMES),
    "threshold": lambda: FixedThresholdClassifier(LogisticRegression(), threshold=0.3).fit(NUMBERS, TWO),
    "isotonic": lambda: CalibratedClassifierCV(LinearSVC(), method="isotonic").fit(NUMBERS, NAMES),
    "pairs": lambda: OneVsOneClassifier(LogisticRegression()).fit(NUMBERS, NAMES),
    "median-of-trees": lambda: AdaBoostRegressor(n_estimators=9).fit(NUMBERS, SCORE),
    "bins": lambda: make_pipeline(KBinsDiscretizer(4), LogisticRegression()).fit(NUMBERS[:, :4], TWO),
    "mixture": lambda: GaussianMixture(3).fit(NUMBERS),
    "old-boosting": lambda: aged(lightgbm.LGBMRegressor(n_estimators=9, verbose=-1).fit(MISSING, SCORE)),
    "far-scores": lambda: SGDClassifier(loss="log_loss").fit(NUMBERS, NAMES),
    "fractions": lambda: make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(
        FRACTIONS, (FRACTIONS.share + FRACTIONS.id % 2) > 0.5
    ),
    "far-columns": lambda: make_pipeline(StandardScaler(), RandomForestClassifier(9)).fit(NUMBERS * 9 + 1e5, NAMES),
    "mark-for-missing": lambda: make_pipeline(SimpleImputer(missing_values=-999), LogisticRegression()).fit(
        np.where(np.isnan(MISSING), -999, MISSING), TWO
    ),
    "value-for-missing": lambda: xgboost.XGBRegressor(n_estimators=9, missing=0).fit(NUMBERS, SCORE),
}
REFUSED = {
    "chosen-words": lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
        [f"{city} {job}" for city, job in zip(PEOPLE.city, PEOPLE.job, strict=True)], NAMES
    ),
    "linear-leaves": lambda: light("regression", SCORE, linear_tree=True),
    "ordered-texts": ordered,
    "near-ones": lambda: KNeighborsClassifier(3, weights="distance").fit(NUMBERS, NAMES),
    "days": lambda: make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(DAYS, TWO),
    "nameless": lambda: make_pipeline(columns(OneHotEncoder(handle_unknown="ignore")), LogisticRegression()).fit(
        PEOPLE.assign(**{"": 1.0}), TWO
    ),
}
