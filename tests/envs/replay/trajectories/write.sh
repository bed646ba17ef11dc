#!/usr/bin/env bash
# Writes the trajectories that test_replay.py replays; to be run where a rule is meant to change.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-../../../../.venv/bin/python}

record() {
  "$python" -m ermas_envs.economy.replay.record --out "$1.json.gz" "${@:2}"
}

map='"layout": ["..WW....S.", ".W....@..S", ".....@@...", "W.........", "..........", ".S..@@....", "SS....W..."]'
grows='"wood": {"regen_weight": 0.1}, "stone": {"regen_weight": 0.1}'
rich='"starting_agent_coin": 20, "fixed_four_skill_and_loc": false'
build='{"Build": {"skill_dist": "pareto", "payment_max_skill_multiplier": 3}}'
gather='{"Gather": {"skill_dist": "pareto"}}'
market='{"ContinuousDoubleAuction": {"max_num_orders": 5}}'

record trade_and_learned_taxes --seed 1 --episodes 2 --observe-every 20 --settings "{
  \"horizon\": 70, $map, $grows, $rich, \"energy_warmup_constant\": 30, \"energy_warmup_method\": \"auto\",
  \"components\": [$build, $market, $gather, {\"PeriodicBracketTax\": {\"period\": 10, \"tax_annealing_schedule\": [-1, 0.3]}}]}"

record saez --planner saez --seed 2 --observe-every 30 --settings "{
  \"horizon\": 60, \"num_agents\": 10, $map, $grows, $rich, \"isoelastic_eta\": 0,
  \"planner_reward_type\": \"inv_income_weighted_utility\",
  \"components\": [$build, $gather, {\"PeriodicBracketTax\": {\"period\": 1}}]}"

record several_actions --planner us_federal --seed 3 --observe-every 20 --settings "{
  \"horizon\": 60, $map, $grows, $rich, \"multi_action_mode_agents\": true, \"multi_action_mode_planner\": false,
  \"components\": [{\"ContinuousDoubleAuction\": {\"max_num_orders\": 2, \"order_duration\": 5}}, $gather, $build,
    {\"PeriodicBracketTax\": {\"period\": 7, \"usd_scaling\": 500}}]}"

record uniform_layout --seed 4 --episodes 2 --observe-every 20 --settings "{
  \"horizon\": 90, $rich, \"layout\": {}, \"world_size\": [12, 15], \"mixing_weight_gini_vs_coin\": 0.3,
  \"wood\": {\"regen_weight\": 0.3, \"regen_halfwidth\": 1, \"max_health\": 2},
  \"stone\": {\"regen_weight\": 0.2, \"max_health\": 3}, \"mobile_agent_observation_range\": 3,
  \"components\": [$build, $gather]}"

record full_observability --seed 5 --observe-every 20 --settings "{
  \"horizon\": 80, \"num_agents\": 3, $map, $grows, $rich, \"full_observability\": true, \"planner_gets_spatial_info\": true,
  \"allow_observation_scaling\": false, \"isoelastic_eta\": [0, 0.23, 1], \"multi_action_mode_planner\": false,
  \"planner_reward_type\": \"inv_income_weighted_coin_endowments\",
  \"components\": [$build, $market, $gather, {\"PeriodicBracketTax\": {\"period\": 4, \"rate_disc\": 0.25}}, \"WealthRedistribution\"]}"

record one_step --environment one_step_economy_v0 --seed 6 --episodes 8 --observe-every 1 --settings '{"num_agents": 6}'

record one_step_saez --environment one_step_economy_v0 --planner saez --seed 7 --observe-every 16 --settings '{
  "num_agents": 36, "horizon": 16, "agent_reward_type": "isoelastic_coin_minus_labor", "labor_cost": 0.01,
  "planner_reward_type": "coin_eq_times_productivity",
  "components": [{"SimpleLabor": {"mask_first_step": false}}, {"PeriodicBracketTax": {
    "period": 1, "n_brackets": 4, "bracket_spacing": "log"}}]}'
