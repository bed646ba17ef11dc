"""What the module of an environment says of itself: the sections of its docstring, as Markdown."""

import importlib
import inspect


def of_environment(name: str) -> str:
    """The docstring of `ermas_envs.NAME`, one level of headings up, without its first line's title."""
    text = inspect.cleandoc(importlib.import_module(f"ermas_envs.{name}").__doc__)
    _, _, meaning = text.partition("`: ")
    return meaning[:1].upper() + meaning[1:].replace("\n### ", "\n## ")
