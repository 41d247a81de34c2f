"""From names to numbers: every name is checked, every term reaches what it trains."""

import copy

import pytest
import torch
from torch import nn

from wildsr.error import UserError
from wildsr.method.part import Method, given, network, tensor
from wildsr.training import explain as dry_run
from wildsr.training.objective import Objective

LOSSES = {
    "l1": {"_target_": "wildsr.loss.pixel.L1"},
    "charbonnier": {"_target_": "wildsr.loss.pixel.Charbonnier", "eps": 0.5},
    "noise_mean": {"_target_": "wildsr.loss.pixel.NoiseMean"},
    "fool": {"_target_": "wildsr.loss.adversarial.Fool", "kind": "least_squares"},
    "judge": {"_target_": "wildsr.loss.adversarial.Judge", "kind": "least_squares"},
    "r1": {"_target_": "wildsr.loss.adversarial.R1"},
}


class Pair(Method):
    """A degrader and an upscaler of single numbers."""

    hr, real_lr = given(), given()
    degrade, upscale, critic = network(), network(), network()

    @tensor
    def fake_lr(self):
        return self.degrade(self.hr)

    @tensor
    def sr(self):
        return self.upscale(self.fake_lr)

    @tensor
    def restored(self):
        return self.upscale(self.real_lr)


def spec():
    return {
        "degrade": {
            "trains": ["degrade"],
            "terms": {"fool": {"loss": "fool", "critic": "critic", "fake": "fake_lr"}},
        },
        "judge": {
            "trains": ["critic"],
            "terms": {
                "real": {"loss": "judge", "critic": "critic", "real": "real_lr", "fake": "fake_lr"}
            },
        },
        "upscale": {
            "trains": ["upscale"],
            "terms": {"pixel": {"loss": "l1", "prediction": "sr", "target": "hr"}},
        },
    }


def changed(*path_and_value):
    """``spec()`` with the value at the end of the path replaced."""
    *path, last, value = path_and_value
    made = node = spec()
    for key in path:
        node = node[key]
    node[last] = value
    return made


def networks(**others):
    torch.manual_seed(0)
    made = {name: nn.Conv2d(3, 3, 1) for name in ("degrade", "upscale", "critic")}
    return made | others


def batch():
    return {name: torch.rand(2, 3, 4, 4) for name in ("hr", "real_lr")}


def build(updates, method=Pair, frozen=()):
    return Objective(method, updates, LOSSES, frozen)


def explain(updates, method=Pair, frozen=(), made=None):
    return dry_run.explain(build(updates, method, frozen), made or networks(), batch(), 1)


TERM = ("upscale", "terms", "pixel")
FOOL = ("degrade", "terms", "fool")


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        (
            changed(*TERM, "loss", "l11"),
            r"Term `upscale/pixel`: loss must be one of .*'l11'.* 'l1'\?",
        ),
        (changed(*TERM, "loss", None), r"Term `upscale/pixel`: loss must be one of .*None"),
        (changed(*TERM, "loss", ["l1"]), r"Term `upscale/pixel`: loss must be one of"),
        (changed(*TERM, "predictoin", "sr"), r"upscale/pixel`.*'predictoin'.* 'prediction'\?"),
        (changed(*TERM, "epz", 1), r"Term `upscale/pixel` must be one of .*'epz'"),
        (changed(*TERM, "prediction", "srr"), r"pixel`: prediction must.*'srr'.* 'sr'\?"),
        (changed(*TERM, "target", "upscale"), r"target must be one of .*'upscale'"),
        (changed(*TERM, "target", ["hr"]), r"target must be one of .*\['hr'\]"),
        (changed(*TERM, "target", None), r"upscale/pixel`: loss 'l1' needs `target`"),
        (changed(*TERM, "weight", "1"), r"upscale/pixel`: weight must be a finite number.*'1'"),
        (changed(*TERM, "pool", 4), r"upscale/pixel`: pool is for losses of a `fake`.*'l1'"),
        (changed(*FOOL, "critic", "critick"), r"fool`: critic must.*'critick'.* 'critic'\?"),
        (changed(*FOOL, "critic", "sr"), r"degrade/fool`: critic must be one of .*'sr'"),
        (changed(*FOOL, "fake", "critic"), r"degrade/fool`: fake must be one of .*'critic'"),
        (changed(*FOOL, "kind", "hing"), r"degrade/fool`.*'hing'.* 'hinge'\?"),
        (changed(*FOOL, "pool", -1), r"degrade/fool`: pool must be .*-1"),
        (changed(*FOOL, "pool", "many"), r"degrade/fool`: pool must be .*'many'"),
        (changed(*TERM[:2], {"pixel": "l1"}), r"Term `upscale/pixel` must .*'l1'"),
        (changed("upscale", "l1"), r"`method.updates.upscale` .*'l1'"),
        (
            changed("upscale", "trains", ["upscael"]),
            r"upscale`.trains must.*'upscael'.* 'upscale'\?",
        ),
        (changed("upscale", "trains", []), r"upscale` needs `trains` .* and `terms`"),
        (changed("upscale", "terms", {}), r"upscale` needs `trains` .* and `terms`"),
        (changed("upscale", "evry", 2), r"`method.updates.upscale` must.*'evry'.* 'every'\?"),
        (changed("upscale", "every", 0), r"upscale`.every must be an integer of at least 1.* 0"),
        (changed("upscale", "every", 1.5), r"upscale`.every must be an integer.* 1.5"),
        (changed("upscale", "clip", 0), r"upscale`.clip must be a positive number or null.* 0"),
        (changed("upscale", "clip", "big"), r"upscale`.clip must be a positive number.*'big'"),
        ({}, r"`method.updates` must hold at least one update"),
    ],
)
def test_names_and_values_are_checked(updates, message):
    with pytest.raises(UserError, match=message):
        build(updates)


def test_a_frozen_network_must_exist():
    with pytest.raises(UserError, match=r"`method.frozen` must be .*'critik'.* 'critic'\?"):
        build(spec(), frozen=["critik"])


@pytest.mark.parametrize("given", [None, "critic", 3])
def test_frozen_networks_are_a_list(given):
    with pytest.raises(UserError, match=r"`method.frozen` must be a list of networks, but got"):
        build(spec(), frozen=given)


def test_a_frozen_network_is_not_trained_all_the_same():
    with pytest.raises(UserError, match=r"`method.frozen` has critic, which update `judge` trains"):
        build(spec(), frozen=["critic"])


def test_the_unchanged_specification_passes():
    rows = explain(spec())
    assert [row.update for row in rows] == ["degrade", "judge", "upscale"]


def test_options_of_a_term_win_over_the_catalogue():
    def charbonnier(**options):
        term = {"loss": "charbonnier", "prediction": "sr", "target": "hr", **options}
        return build(changed(*TERM[:2], {"pixel": term})).terms[-1].loss.eps

    assert charbonnier() == 0.5
    assert charbonnier(eps=0.25) == 0.25


def test_what_a_loss_refuses_names_the_term():
    term = {"loss": "charbonnier", "prediction": "sr", "target": "hr", "eps": "tiny"}
    with pytest.raises(UserError, match="Term `upscale/pixel`"):
        build(changed(*TERM[:2], {"pixel": term}))


def test_null_removes_a_term():
    updates = changed(
        "upscale", "terms", "other", {"loss": "l1", "prediction": "sr", "target": "hr"}
    )
    updates["upscale"]["terms"]["pixel"] = None
    assert [term.name for term in build(updates).terms][-1] == "upscale/other"


@pytest.mark.parametrize(
    "updates", [changed("judge", None), changed("judge", "terms", "real", None)]
)
def test_null_removes_an_update_and_its_network_is_then_untrained(updates):
    with pytest.raises(UserError, match=r"judge` needs `trains`|Network `critic` is trained by no"):
        explain(updates)


def test_a_network_that_nothing_trains_is_an_error_unless_it_is_meant():
    updates = spec()
    del updates["judge"]
    with pytest.raises(UserError, match=r"`critic` is trained by no update.*`method.frozen`"):
        explain(updates)
    rows = explain(updates, frozen=["critic"])
    assert [row.update for row in rows] == ["degrade", "upscale"]


def test_networks_without_parameters_cannot_be_trained_and_need_not_be():
    with pytest.raises(UserError, match="`degrade` is to be trained, but has no parameters"):
        explain(spec(), made=networks(degrade=nn.Identity()))
    updates = spec()
    del updates["degrade"]
    explain(updates, made=networks(degrade=nn.Identity()))


def test_the_networks_are_those_that_the_method_declares():
    made = networks()
    del made["critic"]
    with pytest.raises(UserError, match=r"`method.networks` lacks \['critic'\] of Pair"):
        explain(spec(), made=made)
    with pytest.raises(UserError, match=r"`method.networks` must be .*'upscaler'.* 'upscale'\?"):
        explain(spec(), made=networks(upscaler=nn.Identity()))


def test_a_term_that_reaches_nothing_it_trains_is_an_error():
    with pytest.raises(UserError, match=r"`judge/off` reaches none of .*\['critic'\]"):
        explain(changed("judge", "terms", "off", {"loss": "noise_mean", "noise": "fake_lr"}))


def test_a_stop_in_the_body_of_a_tensor_counts_as_not_reaching():
    class Stopped(Pair):
        @tensor
        def fake_lr(self):
            return self.degrade(self.hr).detach()

    with pytest.raises(UserError, match=r"`degrade/fool` reaches none of .*\['degrade'\]"):
        explain(spec(), method=Stopped)


def test_a_pool_before_fooling_is_an_error_for_it_stops_the_gradient():
    explain(changed("judge", "terms", "real", "pool", 4))
    with pytest.raises(UserError, match="`degrade/fool` reaches none"):
        explain(changed(*FOOL, "pool", 4))


def test_a_tensor_that_nothing_uses_is_an_error():
    class Wasteful(Pair):
        @tensor
        def spare(self):
            return self.hr

    with pytest.raises(UserError, match="Tensor `spare` of Wasteful is used by no term"):
        explain(spec(), method=Wasteful)


def test_explaining_leaves_networks_pools_and_generator_as_they_were():
    objective = build(changed("judge", "terms", "real", "pool", 4))
    made = networks(critic=nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Dropout()))
    before = copy.deepcopy({name: module.state_dict() for name, module in made.items()})
    torch.manual_seed(5)
    dry_run.explain(objective, made, {n: v * 0.5 for n, v in batch().items()}, 1)
    after_explaining = torch.rand(())
    torch.manual_seed(5)
    batch()
    assert torch.equal(after_explaining, torch.rand(()))
    for name, module in made.items():
        assert all(p.requires_grad and p.grad is None for p in module.parameters())
        for key, value in module.state_dict().items():
            assert torch.equal(value, before[name][key])
    assert [term.pool.size for term in objective.terms] == [0, 4, 0]
    assert all(not term.pool.images for term in objective.terms)


def test_explaining_tells_what_is_computed_and_what_is_constant():
    rows = explain(spec())
    assert [(r.trains, r.terms, r.computed, r.constants) for r in rows] == [
        (["degrade"], ["fool"], ["fake_lr"], []),
        (["critic"], ["real"], [], ["fake_lr"]),
        (["upscale"], ["pixel"], ["sr"], ["fake_lr"]),
    ]


def test_restored_names_its_networks_and_tensors_and_needs_only_the_real_photo():
    class Cleaned(Pair):
        @tensor
        def clean(self):
            return self.critic(self.real_lr)

        @tensor
        def restored(self):
            return self.upscale(self.clean)

    real = {"real_lr": torch.rand(1, 3, 4, 4)}
    sources, tensors = dry_run.restored_from(Cleaned, networks(), real, 1)
    assert sources == {"critic", "upscale"}
    assert tensors == {"clean", "restored"}


def test_a_term_is_its_loss_of_its_operands():
    objective, made = build(spec()), networks()
    step = Pair(made, batch(), 1)
    fool, judge, pixel = (term(step) for term in objective.terms)
    fake = made["degrade"](step.batch["hr"])
    logits, real = made["critic"](fake), made["critic"](step.batch["real_lr"])
    torch.testing.assert_close(fool, (logits - 1).square().mean())
    torch.testing.assert_close(judge, ((real - 1).square().mean() + logits.square().mean()) / 2)
    torch.testing.assert_close(pixel, (made["upscale"](fake) - step.batch["hr"]).abs().mean())


def test_a_pool_shows_the_critic_older_fakes():
    objective = build(changed("judge", "terms", "real", "pool", 2))
    made, judge = networks(), objective.terms[1]
    torch.manual_seed(3)
    batches = [batch() for _ in range(6)]
    first = [judge(Pair(made, b, 1)) for b in batches]
    plain = [build(spec()).terms[1](Pair(made, b, 1)) for b in batches]
    assert torch.equal(first[0], plain[0]), "the pool fills first"
    assert any(not torch.equal(a, b) for a, b in zip(first[1:], plain[1:], strict=True))


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ({"_target_": "wildsr.loss.pixel.Hubber"}, "'wildsr.loss.pixel.Hubber' is no class: "),
        (
            {"_target_": "torch.nn.functional.l1_loss"},
            "functional.l1_loss' is no class: ",
        ),
        ({"_target_": "collections.Counter"}, "'collections.Counter' is no torch.nn.Module"),
        ({"delta": 1}, "None is no class"),
    ],
)
def test_a_loss_that_is_no_class_is_one_sentence(loss, said):
    with pytest.raises(UserError, match=r"`loss\.l1`: `_target_` ") as caught:
        Objective(Pair, spec(), LOSSES | {"l1": loss}, ())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
