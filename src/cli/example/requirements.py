"""What the demo's models are served with, one requirement a line: as installed beside this Python."""

from importlib.metadata import version

PACKAGES = ("mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops")
REQUIREMENTS = [f"{name}=={version(name)}" for name in PACKAGES]

if __name__ == "__main__":
    print("\n".join(REQUIREMENTS))
