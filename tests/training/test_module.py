"""The one loop: what each update moves, when, how far, and what a checkpoint of it holds."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wildsr.error import UserError
from wildsr.seed import mix_seeds
from wildsr.training.module import Training

SGD = "{_target_: torch.optim.SGD, lr: 1.0}"


def sgd(name):
    """Plain gradient descent: a network moves by its gradient."""
    return [f"~method.optimizers.{name}", f"+method.optimizers.{name}={SGD}"]


def weights(training):
    return copy.deepcopy({n: net.state_dict() for n, net in training.networks.items()})


def equal(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(v, other[k]) for k, v in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def test_the_loop_counts_iterations_not_optimiser_steps(fit, plain_batches):
    training = fit(["method=adversarial_camera"], plain_batches(3))
    assert training.iteration == 3
    assert training.global_step == 9
    assert set(training.values) == {"degrade/fool", "judge/real", "judge/smooth", "upscale/pixel"}
    assert training.seconds > 0
    assert all(parameter.requires_grad for parameter in training.networks.parameters())


def test_a_term_of_weight_0_is_logged_but_trains_nothing(fit, plain_batches):
    extra = "{loss: l2, prediction: sr, target: hr, weight: %s}"
    batches = plain_batches(2)
    plain, logged, trained = (
        fit(["method=supervised", *more], batches)
        for more in (
            [],
            [f"+method.updates.upscale.terms.other={extra % 0}"],
            [f"+method.updates.upscale.terms.other={extra % 1}"],
        )
    )
    assert equal(weights(plain), weights(logged))
    assert not equal(weights(plain), weights(trained))
    assert torch.isfinite(logged.values["upscale/other"])
    assert logged.values["upscale/other"] > 0


def test_an_update_of_weights_0_is_logged_but_trains_nothing(fit, plain_batches):
    start = []
    training = fit(
        ["method=adversarial_camera", "+method.updates.upscale.terms.pixel.weight=0"],
        plain_batches(2),
        lambda training: start.append(weights(training)),
    )
    assert equal(start[0]["upscale"], training.networks["upscale"].state_dict())
    assert not equal(start[0]["degrade"], training.networks["degrade"].state_dict())
    assert training.values["upscale/pixel"] > 0


def test_every(fit, plain_batches):
    seen = []

    def watch(training):
        before = training.on_train_batch_end = lambda *_: seen.append(
            (set(training.values), weights(training)["critic"])
        )
        assert before

    fit(["method=adversarial_camera", "+method.updates.judge.every=3"], plain_batches(5), watch)
    judged = ["judge/real" in values for values, _ in seen]
    assert judged == [True, False, False, True, False]
    still = [equal(seen[i][1], seen[i + 1][1]) for i in range(4)]
    assert still == [True, True, False, True]


def test_clip_bounds_the_norm_over_all_that_an_update_trains(fit, plain_batches):
    def norm_of_the_change(*overrides):
        start = []
        training = fit(
            ["method=supervised", *sgd("upscale"), *overrides],
            plain_batches(1),
            lambda training: start.append(weights(training)["upscale"]),
        )
        end = weights(training)["upscale"]
        return torch.cat([(end[k] - v).flatten() for k, v in start[0].items()]).norm().item()

    free = norm_of_the_change()
    assert norm_of_the_change("+method.updates.upscale.clip=0.01") == pytest.approx(0.01, rel=1e-3)
    assert free > 0.02
    assert norm_of_the_change(f"+method.updates.upscale.clip={2 * free}") == pytest.approx(free)


def test_clip_takes_the_networks_of_an_update_together(fit, plain_batches):
    together = [
        "method.updates.upscale.trains=[upscale,degrade]",
        "method.updates.upscale.clip=0.01",
    ]
    steps = [o for n in ("upscale", "degrade") for o in sgd(n)]
    start = []
    training = fit(
        ["method=adversarial_camera", "method.updates.degrade=null", *together, *steps],
        plain_batches(1),
        lambda training: start.append(weights(training)),
    )
    end = weights(training)
    squares = {
        name: sum((end[name][k] - v).square().sum().item() for k, v in start[0][name].items())
        for name in ("upscale", "degrade")
    }
    assert min(squares.values()) > 0
    assert sum(squares.values()) == pytest.approx(1e-4, rel=1e-3)


def test_schedules_scale_the_rate_of_the_optimiser_by_the_iteration(fit, plain_batches):
    schedule = "{_target_: wildsr.training.schedule.MultiStep, milestones: [1, 3], gamma: 0.1}"
    rates = []

    def watch(training):
        training.on_train_batch_end = lambda *_: rates.append(
            training.optimizers(use_pl_optimizer=False).param_groups[0]["lr"]
        )

    adam = "method.optimizers.upscale.lr=5e-4"
    overrides = ["method=supervised", adam, f"+method.schedules.upscale={schedule}"]
    fit(overrides, plain_batches(4), watch)
    assert rates == pytest.approx([5e-4, 5e-5, 5e-5, 5e-6])


def test_the_average_follows_the_weights_and_the_weights_do_not_follow_it(fit, plain_batches):
    start, batches = [], plain_batches(1)
    plain, averaged = (
        fit(["method=supervised", f"method.ema={ema}"], batches, lambda t: start.append(weights(t)))
        for ema in (0, 0.9)
    )
    assert equal(weights(plain), weights(averaged))
    raw = plain.networks["upscale"].state_dict()
    assert equal(plain.ema.networks["upscale"].state_dict(), raw)
    for key, value in averaged.ema.networks["upscale"].state_dict().items():
        expected = 0.1 * start[0]["upscale"][key] + 0.9 * raw[key]  # (1 + 0) / (10 + 0) < 0.9
        torch.testing.assert_close(value, expected)
    assert list(fit(["method=adversarial_camera"], batches).ema.networks) == ["upscale"]


@pytest.mark.heavy
@pytest.mark.parametrize("method", ["adversarial_camera", "pdm", "maeda", "dsgan", "dasr"])
def test_bf16_keeps_losses_and_weights_in_float32_and_finite(fit, of, plain_batches, method):
    overrides = ["trainer.precision=bf16-mixed", "iterations=3"]  # the last in the second stage
    training = fit([*of(method), *overrides], plain_batches(3))
    assert training.iteration == 3
    for name, value in training.values.items():
        assert value.dtype == torch.float32, name
        assert torch.isfinite(value), name
    for name, parameter in training.named_parameters():
        assert parameter.dtype == torch.float32, name
        assert torch.isfinite(parameter).all(), name


def test_bf16_really_computes_in_bf16(fit, plain_batches):
    seen = set()

    def hook(training):
        training.networks["upscale"].body[-1].register_forward_hook(
            lambda module, inputs, output: seen.add(output.dtype)
        )

    fit(["method=adversarial_camera", "trainer.precision=bf16-mixed"], plain_batches(1), hook)
    assert seen == {torch.bfloat16}


def test_bf16_sees_the_weights_of_after_a_step(fit, plain_batches):
    """Autocast keeps casts of weights for as long as it is entered, for all of an iteration."""
    again = "{trains: [upscale], terms: {pixel: {loss: l1, prediction: sr, target: hr}}}"
    precision = "trainer.precision=bf16-mixed"
    overrides = ["method=supervised", *sgd("upscale"), f"+method.updates.again={again}", precision]
    training = fit(overrides, plain_batches(1))
    assert training.values["again/pixel"] < training.values["upscale/pixel"] - 1e-4


def test_a_loss_that_is_not_finite_names_term_and_iteration(fit, plain_batches):
    def poison(training):
        def step(batch, index, own=training.training_step):
            if training.iteration == 2:
                with torch.no_grad():
                    next(training.networks["upscale"].parameters()).fill_(float("nan"))
            own(batch, index)

        training.training_step = step

    with pytest.raises(UserError, match=r"Term `upscale/pixel` became NaN .* at iteration 2;"):
        fit(["method=adversarial_camera"], plain_batches(3), poison)


def test_batches_are_floats_of_0_to_1(fit):
    seen = []
    batch = {
        "hr": torch.full((2, 3, 32, 32), 255, dtype=torch.uint8),
        "real_lr": torch.full((2, 3, 8, 8), 51, dtype=torch.uint8),
    }

    def hook(training):
        training.networks["critic"].register_forward_hook(
            lambda module, inputs, output: seen.append(inputs[0])
        )
        training.networks["degrade"].register_forward_hook(
            lambda module, inputs, output: seen.append(inputs[0])
        )

    fit(["method=adversarial_camera"], [batch], hook)
    assert seen[0].unique().tolist() == [1.0]
    assert any(image.unique().tolist() == pytest.approx([0.2]) for image in seen[1:])
    assert batch["real_lr"].unique().tolist() == [51], "the batch itself stays"


def test_draws_depend_on_seed_iteration_and_process_alone(fit, plain_batches, monkeypatch):
    def draws(*overrides, disturb=False):
        seen = []

        def hook(training):
            training.networks["degrade"].register_forward_hook(
                lambda module, inputs, output: seen.append(inputs[1].clone())
            )
            if disturb:  # validation, or anything else that draws between iterations
                training.on_train_batch_end = lambda *_: torch.rand(3)

        fit(["method=adversarial_camera", *overrides], plain_batches(3), hook)
        return seen

    plain = draws()
    assert len(plain) == 3
    assert not torch.equal(plain[0], plain[1])
    assert equal(plain, draws(disturb=True))
    assert not torch.equal(plain[0], draws("seed=1")[0])
    monkeypatch.setattr(Training, "global_rank", 1)
    assert not torch.equal(plain[0], draws()[0])


@settings(deadline=None, max_examples=25)
@given(st.sets(st.tuples(*[st.integers(-1, 2**40)] * 3), min_size=2, max_size=20))
def test_seeds_are_of_their_own(triples):
    seeds = {mix_seeds(*triple) for triple in triples}
    assert len(seeds) == len(triples)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_optimisers_and_schedules_are_for_networks_that_exist(fit):
    with pytest.raises(UserError, match=r"`method.optimizers` lacks 'upscale'"):
        fit(["method=supervised", "~method.optimizers.upscale"], [])
    for group, value in (
        ("optimizers", SGD),
        ("schedules", "{_target_: wildsr.training.schedule.Constant}"),
    ):
        with pytest.raises(UserError, match=rf"`method.{group}` must be .*'upscail'.* 'upscale'\?"):
            fit(["method=supervised", f"+method.{group}.upscail={value}"], [])


@pytest.mark.parametrize(
    "wrong",
    [
        "method.optimizers.upscale.lr=-1",
        "+method.optimizers.upscale.rate=1",
        "method.optimizers.upscale._target_=torch.optim.Adamm",
    ],
)
def test_what_an_optimiser_refuses_is_one_sentence(fit, plain_batches, wrong):
    with pytest.raises(UserError, match=r"`method.optimizers.upscale` cannot be made: .") as caught:
        fit(["method=supervised", wrong], plain_batches(1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("augment", "moved"),
    [("false", ""), ("true", "real_lr hr other_hr pair_lr"), ("hr", "hr other_hr")],
)
def test_augment_flips_both_photos_or_sharp_ones_alone(fit, plain_batches, augment, moved):
    """The first two HR crops are truths of aligned pairs here, which stay together."""
    training = fit(["method=supervised", f"augment={augment}"], plain_batches(1))
    generator = torch.Generator().manual_seed(0)
    draw = lambda size: torch.rand(8, 3, size, size, generator=generator)  # noqa: E731
    batch = {"real_lr": draw(6), "hr": draw(12), "other_hr": draw(12), "pair_lr": draw(6)[:2]}
    images = training._images(batch)
    changed = {
        n: [not torch.equal(a, b) for a, b in zip(batch[n], images[n], strict=True)] for n in batch
    }
    assert " ".join(n for n in batch if any(changed[n])) == moved
    assert (augment == "true") or not any(changed["hr"][:2])
    for name, value in batch.items():
        assert torch.equal(value.flatten(1).sort(1).values, images[name].flatten(1).sort(1).values)
