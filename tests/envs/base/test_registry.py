"""Registries: environments by name in ours and in PettingZoo's, and names that third parties add."""

import pettingzoo
import pytest

from ermas_envs import batched_env, parallel_env
from ermas_envs.base.registry import Registry
from ermas_envs.make import environment_registry
from ermas_envs.perturbations import perturbation_registry

NAMES = ("augmented_bimatrix_v0", "bimatrix_v0", "economy_v0", "one_step_economy_v0")


def test_every_environment_is_registered() -> None:
    assert environment_registry.names() == tuple(sorted((*NAMES, "contract_v0", "toll_v0")))


@pytest.mark.parametrize("name", NAMES)
def test_both_faces_by_name_with_arguments(name: str) -> None:
    batch = batched_env(name, 3, horizon=4)
    assert (batch.name, batch.num_envs, batch.horizon) == (name, 3, 4)
    env = parallel_env(name, horizon=4)
    assert env.metadata["name"] == name
    assert env.batch.horizon == 4


@pytest.mark.skipif(not hasattr(pettingzoo, "make"), reason="PettingZoo before 1.27 has no registry")
@pytest.mark.parametrize("name", ["ermas/bimatrix-v0", "ermas/augmented_bimatrix-v0"])
def test_pettingzoo_makes_our_environments(name: str) -> None:
    env = pettingzoo.make("parallel", name, horizon=2)
    env.reset(seed=0)
    for _ in range(2):
        assert list(env.agents) == ["agent_0", "agent_1", "planner"]
        env.step(dict.fromkeys(env.agents, 0))
    assert not env.agents


def test_third_parties_register_by_name() -> None:
    registry: Registry[str] = Registry("greeting")
    registry.register("hello", lambda name, mark="!": f"hello {name}{mark}")
    registry.register("bye", str)
    assert registry.names() == ("bye", "hello")
    assert registry.make("hello", "world", mark="?") == "hello world?"


def test_names_are_taken_once_and_not_empty() -> None:
    registry: Registry[str] = Registry("greeting")
    registry.register("hello", str)
    with pytest.raises(ValueError, match="greeting: the name 'hello' is taken"):
        registry.register("hello", str)
    with pytest.raises(ValueError, match="greeting: the name '' is empty"):
        registry.register("", str)


def test_unknown_names_list_what_is_known() -> None:
    with pytest.raises(ValueError, match=r"Did you mean 'random_tables'\? Known: bounded, planner_adversity"):
        perturbation_registry.make("random_table")


def test_far_names_get_no_suggestion() -> None:
    with pytest.raises(ValueError, match=r"unknown name 'xyz'\. Known:"):
        perturbation_registry.make("xyz")


def test_errors_inside_a_factory_are_not_taken_for_unknown_names() -> None:
    with pytest.raises(TypeError, match="horizn"):
        batched_env("bimatrix_v0", 1, horizn=3)
