# Run: pip install scikit-learn && python tests/reference/classifier.py > tests/reference/classifier.json
#
# The AUC that scikit-learn's linear models reach on hashed runs of words, for chapters/02-corpus/tests/classifier.rs.
# The pages are made by a linear congruential generator, in the same way there: 20 words each, of which one in five
# says something about the class (12 % words of the own class, 8 % words of the other).
import json
from importlib.metadata import version

from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import brier_score_loss, roc_auc_score

state = 42


def draw(n):
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return (state >> 33) % n


def page(label):
    def word():
        kind = draw(100)
        if kind < 12:
            return f"w{100 * label + draw(20)}"
        if kind < 20:
            return f"w{100 * (1 - label) + draw(20)}"
        return f"w{200 + draw(400)}"

    return " ".join(word() for _ in range(20))


train_y = [i % 2 for i in range(4000)]
train_x = [page(label) for label in train_y]
test_y = [i % 2 for i in range(2000)]
test_x = [page(label) for label in test_y]


def runs(max_run):
    vectorizer = HashingVectorizer(ngram_range=(1, max_run), n_features=2**18, alternate_sign=False, norm="l2")
    return vectorizer.transform(train_x), vectorizer.transform(test_x)


def scores(max_run):
    x, x_test = runs(max_run)
    models = {
        "logistic": LogisticRegression(C=1.0, max_iter=1000),
        "sgd": SGDClassifier(loss="log_loss", alpha=1e-4, random_state=0),
    }
    said = {}
    for name, model in models.items():
        p = model.fit(x, train_y).predict_proba(x_test)[:, 1]
        said[name] = {"auc": round(roc_auc_score(test_y, p), 6), "brier": round(brier_score_loss(test_y, p), 6)}
    return said


print(json.dumps({
    "made_with": f"scikit-learn {version('scikit-learn')}",
    "first_page": train_x[0],
    "one_word": scores(1),
    "two_words": scores(2),
}, indent=1))
