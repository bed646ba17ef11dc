"""Collects the tests twice, at different times, with other hash seeds, locales and time zones: are the ids the same?

The workers of pytest-xdist refuse to start where they are not, and a test cannot be named whose id changes. Exit status
1, with the ids that only one collection has or that stand elsewhere.
"""

import difflib
import os
import subprocess
import sys
import time

SURROUNDINGS = (
    {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "2", "TZ": "Pacific/Kiritimati", "LC_ALL": "C"},  # 14 hours ahead: often another day
)


def collected(surroundings: dict[str, str]) -> list[str]:
    """The ids of all tests, slow ones included, in order."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-m", ""]
    done = subprocess.run(command, env=os.environ | surroundings, stdout=subprocess.PIPE, encoding="utf-8")
    if done.returncode:
        sys.exit(f"{done.stdout}\npytest ended with status {done.returncode}")
    return [line for line in done.stdout.splitlines() if "::" in line]


def main() -> None:
    """Compare two collections."""
    first = collected(SURROUNDINGS[0])
    time.sleep(1.1)  # whole seconds count, too
    second = collected(SURROUNDINGS[1])
    if first != second:
        print(*difflib.unified_diff(first, second, "first", "second", lineterm="", n=0), sep="\n")
        sys.exit("The ids of tests differ between two collections.")
    print(f"{len(first)} tests have the same ids in two collections.")


if __name__ == "__main__":
    main()
