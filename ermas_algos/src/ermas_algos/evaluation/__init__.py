"""Evaluation: certificates; transfer of frozen planners to fresh agents in changed environments (paper section 4.3)."""

from ermas_algos.evaluation.certificate import certify_checkpoint, load_planner, load_trainer
from ermas_algos.evaluation.fresh_agents import FRESH_AGENT_PPO, FreshAgentsConfig
from ermas_algos.evaluation.transfer import TransferRow, read_rows, transfer_evaluation, write_rows

__all__ = [
    "FRESH_AGENT_PPO",
    "FreshAgentsConfig",
    "TransferRow",
    "certify_checkpoint",
    "load_planner",
    "load_trainer",
    "read_rows",
    "transfer_evaluation",
    "write_rows",
]
