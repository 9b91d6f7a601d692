"""Commons Harvest in plain Python; the rules stand in `mixed_motive.games.harvest`."""

from mixed_motive.games.beams import Cell
from mixed_motive.games.harvest import HarvestGame, HarvestParams
from mixed_motive.kernels.rng import Draws
from mixed_motive.oracles.beams import BeamOracle

__all__ = ["HarvestOracle"]


class HarvestOracle(BeamOracle):
    """One copy of Commons Harvest."""

    def __init__(self, params: HarvestParams, seed: int, env_index: int) -> None:
        kinds = ["apple", *(["fire_beam"] if params.fire_length > 0 else [])]
        super().__init__(params, HarvestGame.make_layout(params), kinds, seed, env_index)
        self.params = params

    def start(self, draws: Draws) -> None:
        """An apple on every cell of a patch."""
        self.place(draws)
        self.objects = dict.fromkeys(self.layout.orchard, "apple")

    def play(self, actions: list[int], draws: Draws) -> tuple[list[float], list[list[int]]]:
        """Turns, then new apples."""
        p = self.params
        fires = p.fire_length > 0
        num_moves = 7 if p.turning else 5
        self.take_turns(actions, draws, clean=-1, clean_length=0, fire=num_moves if fires else -1)
        chances = (
            p.respawn_probability_0,
            p.respawn_probability_1,
            p.respawn_probability_2,
            p.apple_respawn_probability,
        )
        self.grow(lambda cell: chances[min(self.apples_near(cell), 3)], max(chances), draws)
        counts = [self.ate, *([self.shots, self.given, self.taken] if fires else [])]
        return self.payoffs(), [list(row) for row in zip(*counts, strict=True)]

    def apples_near(self, cell: Cell) -> int:
        """Apples within the distance that counts, the cell itself aside."""
        limit = self.params.near_squared_distance
        return sum(0 < (row - cell[0]) ** 2 + (col - cell[1]) ** 2 <= limit for row, col in self.objects)
