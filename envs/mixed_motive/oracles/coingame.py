"""Coingame in plain Python; the rules stand in `mixed_motive.games.coingame`."""

from mixed_motive.games.coingame import DRAW_CELL, DRAW_COLOUR, DRAW_TIE, CoinGameParams
from mixed_motive.games.moves import DOWN, LEFT, RIGHT, UP
from mixed_motive.kernels.rng import Draws
from mixed_motive.oracles.base import EMPTY, Cell, GridOracle, moved

__all__ = ["CoinGameOracle"]

STEPS = {UP: (-1, 0), DOWN: (1, 0), LEFT: (0, -1), RIGHT: (0, 1)}


class CoinGameOracle(GridOracle):
    """One copy of Coingame. The coin of agent i has code i + 1."""

    params: CoinGameParams

    def __init__(self, params: CoinGameParams, seed: int, env_index: int) -> None:
        super().__init__(params, seed, env_index)
        self.num_objects = params.num_agents

    def start(self, draws: Draws) -> None:
        """Agents anywhere, then the first coin."""
        p = self.params
        self.map = [[EMPTY] * p.width for _ in range(p.height)]
        self.positions = self.start_cells(range(p.height), draws)
        self.put_coin(draws.below(p.num_agents + DRAW_COLOUR, p.num_agents), draws, p.num_agents + DRAW_CELL)

    def play(self, actions: list[int], draws: Draws) -> tuple[list[float], list[list[int]]]:
        """Moves, then who picks the coin."""
        p = self.params
        self.positions = [self.target(cell, a) for cell, a in zip(self.positions, actions, strict=True)]
        rewards = [0.0] * p.num_agents
        counts = [[0, 0] for _ in actions]
        pickers = [i for i, (row, col) in enumerate(self.positions) if self.map[row][col] != EMPTY]
        if pickers:
            winner = pickers[draws.below(DRAW_TIE, len(pickers))]
            row, col = self.positions[winner]
            owner = self.map[row][col] - 1
            rewards[winner] = p.coin_reward
            counts[winner] = [int(owner == winner), int(owner != winner)]
            if owner != winner:
                rewards[owner] = -p.owner_penalty
            self.map[row][col] = EMPTY
            following = (owner + 1) % p.num_agents
            colour = following if p.alternate_colours else draws.below(DRAW_COLOUR, p.num_agents)
            self.put_coin(colour, draws, DRAW_CELL)
        return rewards, counts

    def put_coin(self, owner: int, draws: Draws, number: int) -> None:
        """A coin on a random cell."""
        p = self.params
        cells = [(row, col) for row in range(p.height) for col in range(p.width)]
        if p.coin_avoids_agents:
            cells = [cell for cell in cells if cell not in self.positions] or cells
        row, col = cells[draws.below(number, len(cells))]
        self.map[row][col] = owner + 1

    def target(self, cell: Cell, action: int) -> Cell:
        """Where a move leads."""
        p = self.params
        if not p.torus:
            return moved(cell, action, p.height, p.width)
        down, right = STEPS[action]
        return self.wrapped((cell[0] + down, cell[1] + right))

    def wrapped(self, cell: Cell) -> Cell:
        """The cell of the map that is meant by one beyond its edge; without a torus none is."""
        p = self.params
        return (cell[0] % p.height, cell[1] % p.width) if p.torus else cell

    def object_at(self, cell: Cell) -> int:
        """Seen across the edge, too."""
        return super().object_at(self.wrapped(cell))

    def agents_at(self, cell: Cell) -> list[int]:
        """Seen across the edge, too."""
        return super().agents_at(self.wrapped(cell))

    def reach(self) -> tuple[int, int]:
        """On a torus half the map shows all of it."""
        p = self.params
        return (p.height // 2, p.width // 2) if p.torus and p.view_radius is None else super().reach()
