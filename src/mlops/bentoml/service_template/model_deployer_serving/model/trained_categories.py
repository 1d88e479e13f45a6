"""LightGBM trained on pandas' categories wants them again, which no signature can tell; the model itself has kept them."""


def with_categories(predict, native):
    """`predict` for tables whose texts become the categories of the training data; as it is for any other model."""
    booster = getattr(native, "booster_", native)
    known = getattr(booster, "pandas_categorical", None)
    if not type(booster).__module__.startswith("lightgbm") or not known:
        return predict

    def predict_categories(data, **more):
        import pandas

        texts = [name for name in getattr(data, "columns", []) if data[name].dtype.kind == "O"]
        if len(texts) == len(known):
            # In the order of the columns, as LightGBM keeps them; an unknown one is a gap.
            told = {name: pandas.Categorical(data[name], categories=kept) for name, kept in zip(texts, known)}
            data = data.assign(**told)
        return predict(data, **more)

    return predict_categories
