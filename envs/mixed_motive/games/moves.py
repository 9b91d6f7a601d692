"""Actions that all games on a map share, by number."""

__all__ = ["DOWN", "LEFT", "MOVES", "RIGHT", "STAY", "UP"]

UP, DOWN, LEFT, RIGHT, STAY = range(5)
MOVES = ("up", "down", "left", "right", "stay")
