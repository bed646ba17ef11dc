"""Evaluation: certificates, exploiters, transfer of frozen planners to fresh agents in changed games (paper 4.3)."""

from ermas_algos.evaluation.certificate import certify_checkpoint, load_planner, load_trainer
from ermas_algos.evaluation.exploiters import ExploiterConfig, RegretStatement, exploit, exploit_trainer, visitors_gain
from ermas_algos.evaluation.fresh_agents import FRESH_AGENT_PPO, FreshAgentsConfig
from ermas_algos.evaluation.tax_certificate import TaxCertificate, certify_given_schedule, certify_taxes
from ermas_algos.evaluation.toll_certificate import TollsFound, certify_given_tolls, certify_toll_run
from ermas_algos.evaluation.transfer import TransferRow, read_rows, transfer_evaluation, write_rows

__all__ = [
    "FRESH_AGENT_PPO",
    "ExploiterConfig",
    "FreshAgentsConfig",
    "RegretStatement",
    "TaxCertificate",
    "TollsFound",
    "TransferRow",
    "certify_checkpoint",
    "certify_given_schedule",
    "certify_given_tolls",
    "certify_taxes",
    "certify_toll_run",
    "exploit",
    "exploit_trainer",
    "load_planner",
    "load_trainer",
    "read_rows",
    "transfer_evaluation",
    "visitors_gain",
    "write_rows",
]
