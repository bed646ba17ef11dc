"""What is in `dist/`: every wheel and sdist has all modules, the licence and the marker of types, and nothing else.

Exit status 1 with the names that are missing or too many.
"""

import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("ermas_envs", "ermas_algos")


def sources(package: str) -> set[str]:
    """Files of the package as they lie in the checkout, by their names in a wheel."""
    folder = ROOT / package / "src"
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in found}


def in_wheel(package: str) -> set[str]:
    """Names in the wheel, without its metadata."""
    (wheel,) = (ROOT / "dist").glob(f"{package}-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert any(name.endswith("licenses/LICENSE") for name in names), f"{wheel.name} has no licence"
    return {name for name in names if ".dist-info/" not in name}


def in_sdist(package: str) -> set[str]:
    """Names in the sdist, without the folder that all are in."""
    (sdist,) = (ROOT / "dist").glob(f"{package}-*.tar.gz")
    return {name.partition("/")[2] for name in tarfile.open(sdist).getnames()}


def main() -> None:
    """Compare both with the checkout."""
    wrong = []
    for package in PACKAGES:
        wanted = sources(package)
        assert f"{package}/py.typed" in wanted, f"{package} has no py.typed"
        around = {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO", ".gitignore"}
        wrong += [f"wheel of {package}: {name}" for name in sorted(wanted ^ in_wheel(package))]
        given = {name for name in in_sdist(package) if name not in around}
        wrong += [f"sdist of {package}: {name}" for name in sorted({f"src/{name}" for name in wanted} ^ given)]
        print(f"{package}: {len(wanted)} files in wheel and sdist")
    if wrong:
        sys.exit("missing or too many:\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
