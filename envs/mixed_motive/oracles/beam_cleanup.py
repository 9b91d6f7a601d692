"""Cleanup with beams in plain Python; the rules stand in `mixed_motive.games.beam_cleanup`."""

from mixed_motive.games.beam_cleanup import BeamCleanupGame, BeamCleanupParams
from mixed_motive.games.beams import DRAW_START_OBJECT, DRAW_WASTE, DRAW_WASTE_CELL
from mixed_motive.kernels.rng import Draws
from mixed_motive.oracles.beams import BeamOracle

__all__ = ["BeamCleanupOracle"]


class BeamCleanupOracle(BeamOracle):
    """One copy of Cleanup with beams."""

    def __init__(self, params: BeamCleanupParams, seed: int, env_index: int) -> None:
        kinds = ["waste", "apple", "clean_beam", *(["fire_beam"] if params.fire_length > 0 else [])]
        super().__init__(params, BeamCleanupGame.make_layout(params), kinds, seed, env_index)
        self.params = params

    def start(self, draws: Draws) -> None:
        """Waste in the river; a cell gets some with the chance that leaves the right number for the rest."""
        self.place(draws)
        river, missing = self.layout.river, self.params.initial_waste
        self.objects = {}
        for k, cell in enumerate(river):
            if draws.below(DRAW_START_OBJECT + k, len(river) - k) < missing:
                self.objects[cell] = "waste"
                missing -= 1

    def play(self, actions: list[int], draws: Draws) -> tuple[list[float], list[list[int]]]:
        """Turns, then new waste, then new apples."""
        p = self.params
        fires = p.fire_length > 0
        clean = 7 if p.turning else 5
        self.take_turns(actions, draws, clean, p.clean_length, fire=clean + 1 if fires else -1)

        waste = list(self.objects.values()).count("waste")
        num_clean = p.river_cells - waste
        chance = p.waste_spawn_probability
        if p.try_every_cell:
            chance = 1.0 - (1.0 - chance) ** num_clean
        if waste < p.max_waste and self.time > p.waste_delay and draws.uniform(DRAW_WASTE) < chance:
            tries = 0
            while True:
                cell = self.layout.river[draws.below(DRAW_WASTE_CELL + tries, p.river_cells)]
                if cell not in self.objects:
                    break
                tries += 1
            self.objects[cell] = "waste"
        density = waste / (p.river_cells + p.stream_cells)
        grown = (p.threshold_depletion - density) / (p.threshold_depletion - p.threshold_restoration)
        apple_chance = p.apple_respawn_probability * min(max(grown, 0.0), 1.0)
        self.grow(lambda _: apple_chance, p.apple_respawn_probability, draws)

        counts = [self.ate, self.cleaned, *([self.shots, self.given, self.taken] if fires else [])]
        return self.payoffs(), [list(row) for row in zip(*counts, strict=True)]
