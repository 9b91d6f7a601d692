"""The window of `render_mode="human"`, on SDL's dummy screen."""

import importlib.util

import pytest

import mixed_motive

if importlib.util.find_spec("pygame") is None:
    pytest.skip("pygame is not installed", allow_module_level=True)

STAY = dict.fromkeys(("agent_0", "agent_1", "agent_2", "agent_3"), 4)


@pytest.fixture
def pygame(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    import pygame

    yield pygame
    pygame.display.quit()


@pytest.fixture
def ticks(monkeypatch):
    """Frames that the window waited for."""
    from mixed_motive.rendering import window

    waited = []

    class Clock:
        def tick(self, frames_per_second):
            waited.append(frames_per_second)

    monkeypatch.setattr(window.pygame.time, "Clock", Clock)
    return waited


def make():
    return mixed_motive.snowdrift_v0.parallel_env(render_mode="human")


def test_each_step_is_shown_and_waited_for_once_with_or_without_render(pygame, ticks):
    env = make()
    env.reset(seed=0)
    assert len(ticks) == 1
    env.render()
    env.step(STAY)
    env.render()
    env.render()
    env.step(STAY)
    assert ticks == [env.metadata["render_fps"]] * 3


def test_a_state_that_was_set_is_shown_by_render(pygame, ticks):
    env = make()
    env.reset(seed=0)
    before, start = pygame.surfarray.array3d(pygame.display.get_surface()), env.get_state()
    env.step(dict.fromkeys(STAY, 1))
    assert (pygame.surfarray.array3d(pygame.display.get_surface()) != before).any()
    env.set_state(start)
    env.render()
    assert (pygame.surfarray.array3d(pygame.display.get_surface()) == before).all()
    assert len(ticks) == 3


@pytest.mark.parametrize("then", ["step", "render"])
def test_a_window_that_its_user_closes_stays_closed_and_the_game_goes_on(pygame, ticks, then):
    env = make()
    env.reset(seed=0)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    if then == "render":
        env.render()
        assert not pygame.display.get_init()
    for _ in range(3):
        env.step(STAY)
        assert not pygame.display.get_init()
        env.render()
    env.game.render = lambda: pytest.fail("a picture was drawn that nobody sees")
    env.reset()
    env.step(STAY)
    assert not pygame.display.get_init()
    assert env.agents == env.possible_agents
    assert len(ticks) == 1, "who does not look is not waited for"
    env.close()
    env.close()


def test_events_of_others_are_left_to_them(pygame, ticks):
    env = make()
    env.reset(seed=0)
    pygame.event.post(pygame.event.Event(pygame.USEREVENT, code=7))
    env.step(STAY)
    assert [event.code for event in pygame.event.get(pygame.USEREVENT)] == [7]
    assert pygame.display.get_init()


def test_an_environment_that_was_closed_opens_a_window_again(pygame, ticks):
    env = make()
    env.reset(seed=0)
    env.close()
    assert not pygame.display.get_init()
    env.render()
    assert pygame.display.get_init()
    assert len(ticks) == 2
