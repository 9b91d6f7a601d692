import json

from benchmarks.gpu import main


def test_the_devices_speed_is_measured_for_both_precisions_and_bf16_learns_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.gpu.MIN_SECONDS", 0.01)
    path = tmp_path / "gpu.json"
    main(["--json", str(path), "--device", "cpu", "--agents", "2", "--batches", "8", "--steps", "100"])
    results = json.loads(path.read_text())
    assert results["device"] == "cpu"
    assert [row["precision"] for row in results["rates"]] == ["fp32", "bf16"]
    for row in results["rates"]:
        assert row["sampling_agent_steps_per_second"] > row["training_agent_steps_per_second"] > 0
        assert "training_gpu_share" not in row, "a CPU is no GPU"
    learnt = results["accuracy"]
    assert learnt["fp32"] > 0.3, "chance is about 0.14"
    assert abs(learnt["bf16"] - learnt["fp32"]) < 0.1
