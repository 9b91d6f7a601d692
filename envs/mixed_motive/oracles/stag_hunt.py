"""Sequential Stag Hunt in plain Python; the rules stand in `mixed_motive.games.stag_hunt`."""

from mixed_motive.games.moves import STAY
from mixed_motive.games.stag_hunt import HARE, HUNT_HARE, HUNT_STAG, NUM_OBJECTS, STAG, StagHuntParams
from mixed_motive.kernels.rng import Draws
from mixed_motive.oracles.base import EMPTY, GridOracle, moved

__all__ = ["StagHuntOracle"]


class StagHuntOracle(GridOracle):
    """One copy of Sequential Stag Hunt."""

    num_objects = NUM_OBJECTS
    params: StagHuntParams

    def start(self, draws: Draws) -> None:
        """Stags, hares and agents anywhere."""
        p = self.params
        self.map = [[EMPTY] * p.width for _ in range(p.height)]
        for k, code in enumerate([STAG] * p.num_stags + [HARE] * p.num_hares):
            self.fill_random_cell(range(p.height), code, draws, p.num_agents + k)
        self.positions = self.start_cells(range(p.height), draws)

    def play(self, actions: list[int], draws: Draws) -> tuple[list[float], list[list[int]]]:
        """Hunts, then moves of those that stay in the game."""
        p = self.params
        rewards = [0.0] * p.num_agents
        counts = [[0, 0] for _ in actions]
        hunt_stag = HUNT_STAG if p.stag_action else STAY
        playing = [i for i in range(p.num_agents) if self.present[i]]
        for row, col in {self.positions[i] for i in playing}:
            here = [i for i in playing if self.positions[i] == (row, col)]
            if self.map[row][col] == HARE:
                hunters, needed, worth = [i for i in here if actions[i] == HUNT_HARE], 1, p.hare_reward
            elif self.map[row][col] == STAG:
                hunters = [i for i in here if actions[i] == hunt_stag]
                needed, worth = p.hunters_needed, p.stag_reward
            else:
                continue
            if len(hunters) < needed:
                continue
            for i in hunters:
                rewards[i] = worth / len(hunters)
                counts[i] = [int(self.map[row][col] == HARE), int(self.map[row][col] == STAG)]
                self.present[i] = False
            self.map[row][col] = EMPTY
        for i in playing:
            if self.present[i]:
                self.positions[i] = moved(self.positions[i], actions[i], p.height, p.width)
        return rewards, counts
