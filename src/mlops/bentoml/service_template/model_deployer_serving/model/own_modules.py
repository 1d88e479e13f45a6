"""Modules that a model and its preprocessing ship, each for itself, although they may have the same names."""

import contextlib
import os
import sys


@contextlib.contextmanager
def modules_apart(directory):
    """What is imported meanwhile finds none of the modules that lie in `directory`; afterwards these have their names again.

    A module keeps what it has imported. What one imports later, while it predicts, is found in `directory` first.
    """
    root = os.path.realpath(directory) + os.sep
    paths = [path for path in sys.path if _is_within(root, path)]
    modules = {name: module for name, module in sys.modules.items() if _is_within(root, *_places_of(module))}
    sys.path[:] = [path for path in sys.path if path not in paths]
    for name in modules:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(modules)
        sys.path[:] = [*paths, *sys.path]


def _places_of(module):
    # A package without an __init__.py has no file. Asked by getattr, a module may answer whatever name it is asked for.
    told = getattr(module, "__dict__", None) or {}
    return told.get("__file__"), *(told.get("__path__") or ())


def _is_within(root, *places):
    return any((os.path.realpath(place) + os.sep).startswith(root) for place in places if isinstance(place, str) and place)
