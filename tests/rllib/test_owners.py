"""What several learners agree on."""

import multiprocessing

import torch

from rllib_lase.rllib.owners import all_learners

#: What two learners say, one question after the other.
SAID = ((True, True, False), (True, False, False))


def answer(rank, store, answers):
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    answers.put([all_learners(yes, torch.device("cpu")) for yes in SAID[rank]])
    torch.distributed.destroy_process_group()


def test_all_learners_get_the_same_answer_which_is_yes_if_all_say_so(tmp_path):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    learners = [context.Process(target=answer, args=(rank, tmp_path / "store", answers)) for rank in (0, 1)]
    for learner in learners:
        learner.start()
    found = [answers.get(timeout=90) for _ in learners]
    for learner in learners:
        learner.join(timeout=60)
    assert found == [[True, False, False]] * 2
