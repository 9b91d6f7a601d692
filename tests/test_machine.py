from rllib_lase.machine import usable_cores


def test_cores_are_counted() -> None:
    assert usable_cores() >= 1
