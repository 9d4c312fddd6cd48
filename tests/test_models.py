from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from mien.datasets import PreparedSet
from mien.errors import CheckpointError
from mien.evaluation.metrics import top_accuracies
from mien.faces.identity import IDENTITY_NETWORK
from mien.models.config import NetworkConfig
from mien.models.convolution import GroupedConv, StridedConv
from mien.models.dropout import BatchDropout
from mien.models.export import export_linear, export_network
from mien.models.identity_layers import FirstLayers
from mien.models.linear import LINEAR_FITS, fit_svm
from mien.models.losses import LOSSES, Criterion, cross_entropy, hinge
from mien.models.network import (
    Network,
    build_network,
    join_scores,
    load_network,
    save_network,
    subject_means,
)
from mien.models.normalisation import LocalResponseNorm, ProcessorSyncBatchNorm, share_batch_norm
from mien.models.visual import alexnet, compact
from mien.training.optimisation import build_optimiser
from mien.training.recipe import TrainingConfig

CONFIGS = [
    NetworkConfig(visual="alexnet"),
    NetworkConfig(visual="compact", head="direct"),
    NetworkConfig(visual="compact", geometric=False),
    NetworkConfig(visual="identity", relative_visual=True),
    NetworkConfig(visual="none"),
    NetworkConfig(visual="none", outputs="two-heads"),
    NetworkConfig(visual="compact", outputs="two-networks"),
    NetworkConfig(visual="none", outputs="joint-and-factors"),
]


def _inputs(count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    crops = torch.randint(0, 256, (count, 224, 224, 3), dtype=torch.uint8, generator=rng)
    return crops, torch.randn(count, 136, generator=rng)


def _one_hot(labels: list[int], classes: int = 50) -> torch.Tensor:
    return torch.eye(classes)[labels]


def test_the_paper_network_has_the_published_parameters() -> None:
    network = build_network(NetworkConfig())
    counts = {name: p.numel() for name, p in network.named_parameters() if p.dim() > 1}
    assert list(counts.values()) == [
        96 * 3 * 11 * 11,
        256 * 48 * 5 * 5,
        384 * 256 * 3 * 3,
        384 * 192 * 3 * 3,
        256 * 192 * 3 * 3,
        256 * 256 * 6 * 6,
        256 * 392,
        50 * 256,
    ]
    biases = {name: p for name, p in network.named_parameters() if name.endswith("bias")}
    assert [len(p) for p in biases.values()] == [96, 256, 384, 384, 256, 256, 256, 50]
    assert all((bias == 0.1).all() for bias in biases.values())
    slopes = [p for name, p in network.named_parameters() if p.dim() == 1 and name not in biases]
    assert [len(p) for p in slopes] == [96, 256, 384, 384, 256, 256]
    assert all((slope == 0.25).all() for slope in slopes)
    assert sum(p.numel() for p in network.parameters()) == 4_808_722


def test_the_paper_network_has_the_published_shapes_and_fills() -> None:
    torch.manual_seed(0)
    branch = alexnet()
    maps, sizes = branch.pixels(torch.zeros(1, 3, 224, 224)), []
    for layer in branch.layers:
        maps = layer(maps)
        kinds = [kind.__name__ for kind in (nn.Conv2d, nn.MaxPool2d, nn.Linear) if isinstance(layer, kind)]
        sizes += [(kind, *maps.shape[1:]) for kind in kinds]
    assert sizes == [
        ("Conv2d", 96, 54, 54),
        ("MaxPool2d", 96, 27, 27),
        ("Conv2d", 256, 27, 27),
        ("MaxPool2d", 256, 13, 13),
        ("Conv2d", 384, 13, 13),
        ("Conv2d", 384, 13, 13),
        ("Conv2d", 256, 13, 13),
        ("MaxPool2d", 256, 6, 6),
        ("Linear", 256),
    ]
    spreads = [p.std().item() for p in build_network(NetworkConfig()).parameters() if p.dim() > 1]
    assert spreads == pytest.approx([0.01] * 5 + [0.005] * 2 + [0.01], rel=0.03)


def test_local_response_norm_is_caffes_in_value_and_gradient() -> None:
    torch.manual_seed(0)
    maps = (100 * torch.randn(2, 9, 3, 4, dtype=torch.float32)).requires_grad_()
    given = torch.randn(2, 9, 3, 4)
    (slope,) = torch.autograd.grad((LocalResponseNorm()(maps) * given).sum(), maps)
    expected = torch.empty_like(maps)
    for channel in range(9):
        around = maps[:, max(0, channel - 2) : channel + 3]
        expected[:, channel] = maps[:, channel] / (1 + 1e-4 / 5 * around.square().sum(dim=1)) ** 0.75
    (expected_slope,) = torch.autograd.grad((expected * given).sum(), maps)
    torch.testing.assert_close(LocalResponseNorm()(maps), expected)
    torch.testing.assert_close(slope, expected_slope, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        LocalResponseNorm()(maps), torch.nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)(maps), rtol=1e-5, atol=1e-4
    )


def test_convolutions_in_the_form_for_a_gpu_give_what_the_plain_ones_do() -> None:
    torch.manual_seed(0)
    strided, grouped = StridedConv(3, 8, 11, stride=4), GroupedConv(8, 12, 5, padding=2, groups=2)
    crops, maps = torch.randn(2, 3, 224, 224), torch.randn(2, 8, 13, 13)
    torch.testing.assert_close(strided.over_blocks(crops), strided(crops), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(grouped.over_all(maps), grouped(maps), rtol=1e-4, atol=1e-5)


def test_what_dropout_drew_ahead_serves_until_it_draws_again() -> None:
    torch.manual_seed(0)
    dropout, features = BatchDropout(0.4, 30), torch.ones(20, 30)
    dropout.draw(20, features.device)
    first, again = dropout(features), dropout(features)
    dropout.draw(20, features.device)
    assert torch.equal(first, again)
    assert not torch.equal(first, dropout(features))
    assert torch.equal(dropout.eval()(features), features)


@pytest.mark.parametrize("probability", [0.0, 0.4])
def test_dropout_keeps_the_mean_in_training_and_everything_else(probability: float) -> None:
    torch.manual_seed(0)
    dropout, features = BatchDropout(probability, 300), torch.ones(200, 300)
    dropped = dropout(features)
    assert (dropped == 0).float().mean().item() == pytest.approx(probability, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
    assert torch.equal(dropout.eval()(features), features)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_shared_batch_norm_keeps_weights_and_what_one_process_computes(device: str) -> None:
    network, shared = compact(), compact()
    shared.load_state_dict(network.state_dict())
    share_batch_norm(shared, torch.device(device))  # changes layers, and moves nothing there
    expected = nn.SyncBatchNorm if device == "cuda" else ProcessorSyncBatchNorm
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert sum(isinstance(module, expected) for module in shared.modules()) == len(norms) > 0
    assert not any(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in shared.modules())
    crops, _ = _inputs()
    for training in (True, False):
        torch.testing.assert_close(shared.train(training)(crops), network.train(training)(crops), rtol=0, atol=0)
    assert shared.state_dict().keys() == network.state_dict().keys()
    for name, tensor in shared.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name])


def test_the_head_of_the_papers_text_is_one_layer() -> None:
    network = build_network(NetworkConfig(head="direct"))
    assert [tuple(p.shape) for p in network.head.parameters()] == [(50, 392), (50,)]


@pytest.mark.parametrize(
    ("outputs", "sizes"),
    [
        ("joint", {"scores": 50}),
        ("two-heads", {"dominant": 8, "complementary": 8}),
        ("two-networks", {"dominant": 8, "complementary": 8}),
        ("joint-and-factors", {"scores": 50, "dominant": 8, "complementary": 8}),
    ],
)
def test_a_network_gives_the_outputs_of_its_kind(outputs: str, sizes: dict[str, int]) -> None:
    network = build_network(NetworkConfig(visual="none", outputs=outputs))  # type: ignore[arg-type]
    assert {name: output.shape[1] for name, output in network.outputs(*_inputs()).items()} == sizes
    assert network(*_inputs()).shape == (3, 50)


def test_two_emotions_join_to_the_class_that_has_both() -> None:
    dominant, complementary = torch.zeros(2, 8), torch.zeros(2, 8)
    complementary[0, 3], dominant[0, 6] = 2.0, 1.0  # 3_6
    complementary[1, 0], dominant[1, 0] = 2.0, 1.0  # neutral
    scores = join_scores({"dominant": dominant, "complementary": complementary})
    assert scores.argmax(dim=1).tolist() == [20, 0]
    assert scores.max(dim=1).values.tolist() == [3.0, 3.0]


def test_two_networks_share_nothing() -> None:
    network = build_network(NetworkConfig(visual="none", outputs="two-networks"))
    Criterion(hinge)({"dominant": network.outputs(*_inputs())["dominant"]}, torch.tensor([1, 2, 3])).backward()
    assert all((p.grad is not None) == name.startswith("dominant") for name, p in network.named_parameters())


def test_the_mean_of_a_subject_counts_one_photo_of_zeros_and_strangers_not_at_all() -> None:
    features = torch.tensor([[3.0], [5.0], [8.0], [1.0]])
    means = subject_means(features, torch.tensor([3, 3, -1, 0]))
    assert means.flatten().tolist() == [pytest.approx(8 / 3), pytest.approx(8 / 3), 0.0, 0.5]


def test_a_relative_network_does_not_see_what_is_the_same_in_many_photos_of_a_subject() -> None:
    network = build_network(NetworkConfig(visual="compact", relative_visual=True)).eval()
    assert isinstance(network, Network)
    features, displacement = torch.randn(200, 256), torch.randn(200, 136)
    subjects = torch.zeros(200, dtype=torch.long)
    changes = [
        network.classify(features + 0.5, displacement, known)["scores"]
        - network.classify(features, displacement, known)["scores"]
        for known in (subjects, None)
    ]
    assert changes[0].abs().max() < 0.02 * changes[1].abs().max()


@pytest.mark.parametrize("geometric", [True, False])
def test_the_head_computes_in_float32_whatever_comes_in(geometric: bool) -> None:
    network = build_network(NetworkConfig(visual="compact", geometric=geometric)).eval()
    assert isinstance(network, Network)
    features, displacement = torch.randn(4, 256).bfloat16(), torch.randn(4, 136).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = network.classify(features, displacement)["scores"]
    expected = network.classify(features.float(), displacement.float())["scores"]
    torch.testing.assert_close(scores, expected, rtol=0, atol=0)


def test_the_first_layers_are_those_of_the_network_that_tells_who_it_is() -> None:
    network = onnx.load(IDENTITY_NETWORK)
    last = [node.output[0] for node in network.graph.node if node.op_type == "Relu"][4]  # after two blocks of two
    network.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(network.SerializeToString())
    faces, layers = _inputs()[0][:, :150, :150].contiguous(), FirstLayers()
    layers.shares = torch.eye(150)  # faces of that size stay as they are
    expected = session.run([last], {"faces": faces.numpy()})[0]
    np.testing.assert_allclose(layers(faces.permute(0, 3, 1, 2).float()), expected, atol=1e-4)


def test_a_crop_is_made_smaller_by_means_over_areas() -> None:
    crops = _inputs()[0].numpy()
    shares = FirstLayers().shares.numpy()
    for crop in crops:
        small = np.einsum("ij,jkc,lk->ilc", shares, crop.astype(np.float32), shares)
        np.testing.assert_allclose(small, cv2.resize(crop, (150, 150), interpolation=cv2.INTER_AREA), atol=1)


def test_training_leaves_the_first_layers_of_the_identity_branch_as_they_are() -> None:
    network = build_network(NetworkConfig(visual="identity", geometric=False))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    config = TrainingConfig(optimiser="adamw", learning_rate=0.1, weight_decay=0.5)
    optimiser = build_optimiser(network, config)
    network.outputs(*_inputs())["scores"].square().sum().backward()
    optimiser.step()
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert "visual.layers.5.weight" in changed
    assert not any(name.startswith("visual.layers.0.") for name in changed)


def test_hinge_agrees_with_a_hand_computation() -> None:
    scores = torch.zeros(2, 50)
    scores[0, 3] = 0.5  # true class: (1 - 0.5)^2; the 49 others: 1 each
    scores[1, 7] = 2.0  # a wrong class: (1 + 2)^2; 48 others: 1 each; the true one: 1
    assert hinge(scores, _one_hot([3, 1])).tolist() == pytest.approx([0.25 + 49, 9 + 48 + 1])
    assert hinge(torch.zeros(4, 50), torch.eye(50)[:4]).tolist() == [50] * 4


def test_the_criterion_adds_up_what_a_network_gives() -> None:
    labels = torch.tensor([20, 0])  # 3_6 and neutral
    outputs = {"scores": torch.zeros(2, 50), "dominant": torch.zeros(2, 8), "complementary": torch.zeros(2, 8)}
    outputs["dominant"][0, 6] = outputs["complementary"][0, 3] = outputs["dominant"][1, 0] = 1.0
    assert Criterion(hinge)(outputs, labels).item() == pytest.approx(50 + 7 + (7 + 8) / 2)
    assert Criterion(hinge, auxiliary_weight=0.5)(outputs, labels).item() == pytest.approx(50 + (7 + 7.5) / 2)
    del outputs["scores"]
    assert Criterion(hinge, auxiliary_weight=0.5)(outputs, labels).item() == pytest.approx(7 + 7.5)


def test_soft_targets_sum_to_one_and_favour_related_classes() -> None:
    criterion = Criterion(cross_entropy, smoothing=0.1, related=0.2)
    for name in ("scores", "dominant", "complementary"):
        targets = criterion.targets(name, torch.arange(50))
        torch.testing.assert_close(targets.sum(dim=1), torch.ones(50))
    target = criterion.targets("scores", torch.tensor([20]))[0]  # 3_6
    swapped, shares_one, unrelated = target[7 * 5 + 3], target[7 * 2 + 1], target[1]
    assert target[20] > swapped > shares_one > unrelated > 0


@pytest.mark.parametrize("name", LOSSES)
def test_without_softening_the_criterion_is_the_plain_loss(name: str) -> None:
    scores, labels = torch.randn(6, 50), torch.arange(6)
    assert Criterion(LOSSES[name])({"scores": scores}, labels).item() == pytest.approx(
        LOSSES[name](scores, torch.eye(50)[:6]).mean().item()
    )


@pytest.mark.parametrize("name", LOSSES)
def test_a_neutral_photo_weighs_as_several_others_do(name: str) -> None:
    scores = torch.randn(3, 50)
    weighted = Criterion(LOSSES[name], neutral_weight=4)({"scores": scores}, torch.tensor([0, 5, 9]))
    repeated = Criterion(LOSSES[name])({"scores": scores[[0, 0, 0, 0, 1, 2]]}, torch.tensor([0, 0, 0, 0, 5, 9]))
    torch.testing.assert_close(weighted, repeated)


def test_cross_entropy_of_equal_scores_is_log_50() -> None:
    assert cross_entropy(torch.zeros(4, 50), _one_hot([0, 1, 2, 3])).tolist() == pytest.approx([np.log(50)] * 4)


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_batch_scores_as_its_photos_do_one_by_one(config: NetworkConfig) -> None:
    torch.manual_seed(0)
    network = build_network(config).eval()
    crops, moved = _inputs()
    with torch.no_grad():
        together = network(crops, moved)
        alone = torch.cat([network(crops[i : i + 1], moved[i : i + 1]) for i in range(3)])
    assert together.shape == (3, 50)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def _quick_to_export(config: NetworkConfig) -> bool:
    return config.visual == "none" or config.head == "direct"


@pytest.mark.parametrize(
    "config",
    [pytest.param(config, marks=() if _quick_to_export(config) else pytest.mark.slow) for config in CONFIGS],
    ids=str,
)
def test_encoder_and_head_score_as_torch_does_for_any_batch_size(config: NetworkConfig, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network(config).eval()
    export_network(network, tmp_path)
    assert (tmp_path / "encoder.onnx").is_file() == (config.visual != "none")
    sessions = {}
    for path in tmp_path.glob("*.onnx"):
        assert b"network.py" not in path.read_bytes()  # nothing of this machine's paths
        sessions[path.stem] = onnxruntime.InferenceSession(path)
    for count in (1, 5):
        crops, moved = _inputs(count)
        known = {"displacement": moved.numpy()}
        if "encoder" in sessions:
            known["feature"] = sessions["encoder"].run(["feature"], {"crops": crops.numpy()})[0]
        wanted = {node.name for node in sessions["head"].get_inputs()}
        scores = sessions["head"].run(["scores"], {name: known[name] for name in wanted})[0]
        with torch.no_grad():
            np.testing.assert_allclose(scores, network(crops, moved).numpy(), atol=1e-4)


def test_a_network_without_branches_is_refused() -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        build_network(NetworkConfig(visual="none", geometric=False))


def test_weights_survive_the_disk_and_damage_is_noticed(tmp_path: Path) -> None:
    config = NetworkConfig(visual="none")
    network = build_network(config)
    save_network(tmp_path, network.state_dict())
    for name, tensor in load_network(tmp_path, config).state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name])
    with pytest.raises(CheckpointError):
        load_network(tmp_path, NetworkConfig(visual="compact"))
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError):
        load_network(tmp_path, config)


@pytest.mark.parametrize("method", LINEAR_FITS)
def test_linear_models_learn_displacement_and_survive_the_disk(
    prepared: PreparedSet, method: str, tmp_path: Path
) -> None:
    training, test = prepared.select("train"), prepared.select("test")
    model = LINEAR_FITS[method](training.displacement, training.labels)
    export_linear(model, "displacement", tmp_path)
    head = onnxruntime.InferenceSession(tmp_path / "head.onnx")
    scores = head.run(["scores"], {"displacement": test.displacement})[0]
    np.testing.assert_allclose(scores, model.scores(test.displacement), rtol=1e-4, atol=1e-3)
    assert top_accuracies(scores, test.labels)[0] > 0.9


def test_two_classes_are_enough_and_others_never_win(prepared: PreparedSet) -> None:
    training = prepared.select("train")
    two = np.isin(training.labels, [4, 9])
    model = fit_svm(training.displacement[two], training.labels[two])
    predicted = model.scores(training.displacement).argmax(axis=1)
    assert set(predicted) == {4, 9}
    assert (predicted[two] == training.labels[two]).all()
