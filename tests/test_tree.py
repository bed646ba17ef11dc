"""The page on the architecture lists the modules as they are, with their first lines."""

import tree


def test_the_page_has_the_tree_of_today() -> None:
    (found,) = tree.TREE.findall(tree.PAGE.read_text(encoding="utf-8"))
    assert found == tree.tree(), "make tree"


def test_every_module_has_a_first_line() -> None:
    for line in tree.tree().splitlines():
        if line.startswith("  "):
            assert line[tree.WIDTH :].strip(), line
