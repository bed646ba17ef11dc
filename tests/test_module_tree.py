"""The page on the architecture lists the modules as they are, with their first lines."""

import module_tree


def test_the_page_has_the_tree_of_today() -> None:
    (found,) = module_tree.TREE.findall(module_tree.PAGE.read_text(encoding="utf-8"))
    assert found == module_tree.tree(), "make tree"


def test_every_module_has_a_first_line() -> None:
    for line in module_tree.tree().splitlines():
        if line.startswith("  "):
            assert line[module_tree.WIDTH :].strip(), line
