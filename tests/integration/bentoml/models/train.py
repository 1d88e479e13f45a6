"""Trains the models of these tests and saves them with MLflow, one folder each under the folder named as argument."""

import os
import shutil
import sys
import types
import warnings

import breaking_out
import cloudpickle
import joblib
import mlflow.pyfunc
import mlflow.sklearn
import numpy
import pandas
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

warnings.filterwarnings("ignore")
target = sys.argv[1]
REQUIREMENTS = ["mlflow==3.17.2", "scikit-learn==1.9.1", "skops==0.16.0", "pandas", "cloudpickle"]


def save(model, name, serialization="skops", **more):
    path = os.path.join(target, name)
    mlflow.sklearn.save_model(model, path, serialization_format=serialization, pip_requirements=REQUIREMENTS, **more)
    return path


cancer = load_breast_cancer(as_frame=True)
features, malignant = cancer.data.iloc[:, :5], cancer.target
classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, malignant)
signature = infer_signature(features, classifier.predict(features))
save(classifier, "classifier", signature=signature, input_example=features.head(2))

diabetes = load_diabetes(as_frame=True)
regressor = LinearRegression().fit(diabetes.data, diabetes.target)
save(regressor, "regressor", "cloudpickle", signature=infer_signature(diabetes.data, regressor.predict(diabetes.data)))

# The model sees scaled values; the scaler is an artifact of its own, once as a file and once as a model.
scaler = StandardScaler().set_output(transform="pandas").fit(features)
scaled = LogisticRegression().fit(scaler.transform(features), malignant)
save(scaled, "scaled_classifier", signature=infer_signature(scaler.transform(features), malignant))
os.makedirs(os.path.join(target, "scaler_file"))
joblib.dump(scaler, os.path.join(target, "scaler_file", "preprocessor.joblib"))
save(scaler, "scaler_model", "cloudpickle", signature=infer_signature(features, scaler.transform(features)))

# Two outputs, each with classes of its own; an array without names; and more columns than anybody looks through.
outputs = pandas.DataFrame({"malignant": malignant, "large": features["mean radius"] > 15})
several = RandomForestClassifier(n_estimators=5, random_state=0).fit(features, outputs)
save(several, "several_outputs", "cloudpickle", signature=infer_signature(features, several.predict(features)))
nameless = LogisticRegression().fit(features.to_numpy(), malignant)
save(nameless, "nameless", signature=infer_signature(features.to_numpy(), malignant))
many = pandas.DataFrame(numpy.eye(20, 10_000), columns=[f"column_{number}" for number in range(10_000)])
wide = LinearRegression().fit(many, range(20))
save(wide, "ten_thousand_columns", "cloudpickle", signature=infer_signature(many, wide.predict(many)))

# Text columns, and no signature: what a row is stands in the training data only.
people = pandas.DataFrame({"region": ["north", "south"] * 20, "visits": range(40)})
encoder = ColumnTransformer([("region", OneHotEncoder(), ["region"])], remainder="passthrough")
mixed = make_pipeline(encoder, RandomForestClassifier(n_estimators=5, random_state=0))
save(mixed.fit(people, people.visits > 20), "mixed_columns", "cloudpickle")

# Pickled by reference to a module that the server will not have.
module = types.ModuleType("scorecard_rules")
exec("def passed(rows):\n    return rows\n", module.__dict__)
sys.modules["scorecard_rules"] = module
unloadable = make_pipeline(FunctionTransformer(module.passed), LogisticRegression()).fit(features, malignant)
save(unloadable, "unloadable", "cloudpickle")


def fail_on_large(rows):
    if (rows["mean radius"] > 20).any():
        raise ValueError("the score table has no such row")
    return rows


partly = make_pipeline(FunctionTransformer(fail_on_large), LogisticRegression()).fit(
    features[features["mean radius"] <= 20], malignant[features["mean radius"] <= 20]
)
save(partly, "failing_on_part", "cloudpickle", signature=signature)


def wait_on_large(rows):
    import os
    import tempfile
    import time

    # Says in the server's own folder that it has begun, and goes on when told there; a minute at most.
    folder = tempfile.gettempdir()
    if (rows["mean radius"] > 20).any():
        open(os.path.join(folder, "begun"), "w").close()
        deadline = time.monotonic() + 60
        while not os.path.exists(os.path.join(folder, "go_on")) and time.monotonic() < deadline:
            time.sleep(0.02)
    return rows


waiting = make_pipeline(FunctionTransformer(wait_on_large), LogisticRegression()).fit(
    features[features["mean radius"] <= 20], malignant[features["mean radius"] <= 20]
)
save(waiting, "waiting_when_told", "cloudpickle", signature=signature)


def note(rows):
    import os
    import tempfile

    with open(os.path.join(tempfile.gettempdir(), "asked"), "a", encoding="utf-8") as asked:
        asked.write("once\n")
    return rows


# Says in the server's own folder how often it was asked.
noting = make_pipeline(FunctionTransformer(note), LogisticRegression())
save(noting.fit(features, malignant), "noting", "cloudpickle", signature=signature)

# The server has no such module, so its function goes into the model.
cloudpickle.register_pickle_by_value(breaking_out)
hostile = make_pipeline(FunctionTransformer(breaking_out.break_out), LogisticRegression()).fit(features, malignant)
save(hostile, "breaking_out", "cloudpickle", signature=signature)

# Each ships a module of the same name with a function of the same name.
steps = pandas.DataFrame({"x": [float(number) for number in range(10)]})
for name, does in [("shipped_preprocessing", "rows + 1"), ("shipped_model", "rows * 10")]:
    shipped = os.path.join(target, f"{name}_code", "helpers.py")
    os.makedirs(os.path.dirname(shipped))
    with open(shipped, "w", encoding="utf-8") as file:
        file.write(f"def changed(rows):\n    return {does}\n")
    helpers = types.ModuleType("helpers")
    exec(f"def changed(rows):\n    return {does}\n", helpers.__dict__)
    sys.modules["helpers"] = helpers
    changing = FunctionTransformer(helpers.changed)
    if name == "shipped_model":
        changing = make_pipeline(changing, LinearRegression())
    changing.fit(steps, steps.x * 10)
    save(changing, name, "cloudpickle", signature=infer_signature(steps, steps), code_paths=[shipped])

numbers = pandas.DataFrame({"x": [0.0, 1.0]})
mlflow.pyfunc.save_model(
    os.path.join(target, "behaving"),
    python_model=os.path.join(os.path.dirname(os.path.abspath(__file__)), "behaving.py"),
    signature=infer_signature(numbers),
    input_example=numbers.head(1),
    pip_requirements=REQUIREMENTS,
)

# A value that is missing, and one that JSON cannot carry.
filled = make_pipeline(FunctionTransformer(lambda rows: rows.fillna(0.0)), LogisticRegression()).fit(features, malignant)
missing = features.head(2).copy()
missing.iloc[0, 0] = float("nan")
example = save(filled, "missing_in_example", "cloudpickle", signature=signature, input_example=missing)
shutil.copytree(example, os.path.join(target, "infinite_in_example"))
with open(os.path.join(target, "infinite_in_example", "serving_input_example.json"), "w", encoding="utf-8") as file:
    file.write('{"dataframe_split": {"columns": ["mean radius"], "data": [[Infinity], [-Infinity]]}}')

for name, content in [("no_mlmodel", None), ("unreadable_mlmodel", "flavors: [unclosed\n")]:
    path = os.path.join(target, name)
    os.makedirs(path)
    with open(os.path.join(path, "requirements.txt"), "w", encoding="utf-8") as file:
        file.write("\n".join(REQUIREMENTS))
    if content is not None:
        with open(os.path.join(path, "MLmodel"), "w", encoding="utf-8") as file:
            file.write(content)
