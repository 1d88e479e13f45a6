"""LightGBM and XGBoost trained on pandas' categories want them again, which no signature can tell; the models keep them.

Told to the boosters themselves, however deep in a pipeline or in a model of one's own they are.
"""

import functools
import inspect
import sys

MARK = "_is_told_categories"
# By numpy's kind of a column: the types of the categories that it may hold, one of them at a time.
TYPES = {"O": ({str}, {bool}), "b": ({bool},), "i": ({int},), "u": ({int},), "f": ({float}, {int})}


def tell_categories():
    """From now on a table without categories gets those of the booster that it is given to. For libraries imported by now."""
    lightgbm, xgboost = _booster_of("lightgbm"), _booster_of("xgboost")
    if lightgbm is not None:
        _tell(lightgbm, "predict", _as_lightgbm_was_trained)
    # An older XGBoost keeps none: it would take any table's categories by their places.
    if hasattr(xgboost, "get_categories"):
        _tell(xgboost, "inplace_predict", _as_xgboost_was_trained)


def with_categories(predict, native):
    """`predict` itself, but for a bare booster of XGBoost, of whose tables MLflow makes matrices without categories."""
    booster = _booster_of("xgboost")
    if booster is None or not isinstance(native, booster) or not hasattr(native, "get_categories"):
        return predict
    from xgboost import DMatrix

    known = inspect.signature(native.predict).parameters

    def predict_told(data, params=None):
        table = _as_xgboost_was_trained(native, data)
        if table is data:
            return predict(data, params=params)
        more = {name: value for name, value in (params or {}).items() if name in known}
        return native.predict(DMatrix(table, enable_categorical=True), **more)

    return predict_told


def _booster_of(library):
    """Its class, where the library is imported."""
    return getattr(sys.modules.get(library), "Booster", None)


def _tell(kind, method, as_trained):
    predict = getattr(kind, method)
    if hasattr(predict, MARK):
        return

    @functools.wraps(predict)
    def told(self, data, *args, **kwargs):
        return predict(self, as_trained(self, data), *args, **kwargs)

    setattr(told, MARK, True)
    setattr(kind, method, told)


def _as_lightgbm_was_trained(booster, data):
    """LightGBM keeps the lists in the columns' order, and not of which columns they are. An unknown category is a gap."""
    kept = getattr(booster, "pandas_categorical", None)
    if not kept or not _is_table(data) or any(_is_categorical(data[name]) for name in data.columns):
        return data
    # Those of texts can be nothing else; LightGBM names the rest, unless they are ordered.
    texts = [place for place, name in enumerate(data.columns) if data[name].dtype.kind == "O"]
    named = [getattr(booster, "params", {}).get(key) for key in ("categorical_column", "categorical_feature")]
    numbers = [place for places in named if isinstance(places, list) for place in places if isinstance(place, int)]
    for places in (sorted({*texts, *numbers}), texts):
        names = [data.columns[place] for place in places if place < len(data.columns)]
        if len(names) == len(kept) and all(_may_hold(data[name], known) for name, known in zip(names, kept)):
            return _with(data, dict(zip(names, kept)))
    return data


def _as_xgboost_was_trained(booster, data):
    """XGBoost refuses an unknown category by its name, and goes on to do so."""
    if not _is_table(data):
        return data
    types = dict(zip(booster.feature_names or [], booster.feature_types or []))
    if not any(kind == "c" and name in data.columns and not _is_categorical(data[name]) for name, kind in types.items()):
        return data
    told = {}
    for name, kept in booster.get_categories(export_to_arrow=True).to_arrow():
        if kept is not None and name in data.columns and not _is_categorical(data[name]):
            known = kept.to_pylist()
            told[name] = known + [cell for cell in data[name].dropna().unique() if cell not in known]
    return _with(data, told) if told else data


def _with(data, told):
    import pandas

    return data.assign(**{name: pandas.Categorical(data[name], categories=categories) for name, categories in told.items()})


def _may_hold(column, categories):
    return {type(one) for one in categories} in TYPES.get(column.dtype.kind, ())


def _is_table(data):
    """Of pandas; other libraries' tables have their own categories."""
    is_pandas = type(data).__module__.partition(".")[0] == "pandas"
    return is_pandas and hasattr(data, "columns") and data.columns.is_unique


def _is_categorical(column):
    return hasattr(column, "cat")
