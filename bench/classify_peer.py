"""One contestant of bench/classify.py: scikit-learn's tf-idf and cross-validated L1 regression."""

from __future__ import annotations

import csv
import json
import sys
import time
import warnings
from typing import Any

import numpy as np

WORDS: dict[str, Any] = {}  # scikit-learn's defaults: single words of at least two letters
CHARACTERS = {"analyzer": "char_wb", "ngram_range": (2, 5), "min_df": 2, "sublinear_tf": True}
LIBLINEAR = {"solver": "liblinear"}
PEERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "scikit-learn, words, liblinear": (WORDS, LIBLINEAR),
    "scikit-learn, words, saga": (WORDS, {"solver": "saga", "max_iter": 1000}),
    "scikit-learn, characters 2-5, liblinear": (CHARACTERS, LIBLINEAR),
}


def read(path: str) -> tuple[list[str], list[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    return [text for _, text in rows], [label for label, _ in rows]


def main(name: str, train: str, test: str) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.metrics import f1_score, log_loss
    from sklearn.pipeline import make_pipeline

    warnings.simplefilter("ignore")  # of settings that later versions rename
    features, solver = PEERS[name]
    began = time.perf_counter()
    regression = LogisticRegressionCV(
        Cs=np.logspace(-1, 4, 10), cv=5, scoring="neg_log_loss", penalty="l1", n_jobs=2, **solver
    )
    model = make_pipeline(TfidfVectorizer(**features), regression)
    texts, labels = read(train)
    model.fit(texts, labels)
    seconds = time.perf_counter() - began
    texts, labels = read(test)
    found = model.predict(texts)
    coefficients = model[-1].coef_
    answer = {
        "accuracy": float(np.mean(found == np.array(labels))),
        "f1": float(f1_score(labels, found, pos_label="spam")),
        "loss": float(log_loss(labels, model.predict_proba(texts))),
        "nonzeros": int(np.count_nonzero(coefficients)),
        "features": coefficients.size,
        "fit_seconds": seconds,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
