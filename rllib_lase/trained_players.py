"""The agents of a finished run, from one of its checkpoints, ready to be evaluated or drawn."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from rllib_lase.registry import STOCK
from rllib_lase.registry.seating import Switch
from rllib_lase.rllib.algorithm import SocialAlgorithm
from rllib_lase.rllib.evaluate import Players
from rllib_lase.rllib.population import Population
from rllib_lase.rllib.session import ray_session
from rllib_lase.rllib.stock import POLICIES_FOLDER, stock_config
from rllib_lase.rllib.stock_policies import StockPlayers
from rllib_lase.runs import RunFolder


@contextlib.contextmanager
def trained_players(run: RunFolder, checkpoint: Path, switches: Sequence[Switch] = ()) -> Iterator[Players]:
    """The agents of a run, from a checkpoint of it. No pickle is loaded.

    Args:
        run: The run.
        checkpoint: One of its checkpoints.
        switches: When players of a mixed population change, in steps of each episode.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    config = run.config
    spec = STOCK.get(config["algo"])
    if spec is not None:
        logging.getLogger("ray").setLevel(logging.ERROR)  # as a session does, of which there is no need here
        game = config["game"], config["game_params"]
        rllib = stock_config(spec, *game, config["seed"], config["settings"])
        yield StockPlayers.load(checkpoint / POLICIES_FOLDER, rllib, *game)
        return
    settings = config["settings"]
    actors = settings["num_env_runners"]
    actors += settings.get("decentralised_learners", 0) + settings.get("num_learners", 0)
    with ray_session(1 + actors), contextlib.ExitStack() as stack:
        algorithm = SocialAlgorithm.from_checkpoint(checkpoint)
        stack.callback(algorithm.stop)
        if isinstance(algorithm, Population):
            algorithm.evaluation_switches = switches
        yield algorithm
