"""Every shipped configuration: it composes, mirrors the code, explains itself and trains."""

import re
import shlex
from pathlib import Path

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from PIL import Image
from support.tiers import only
from torch.utils.data import DataLoader

import wildsr
from wildsr.config.choice import CONF
from wildsr.config.compose import configure
from wildsr.config.help import bases
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.network.trunk.encoder import STAND_IN
from wildsr.network.trunk.files import MissingWeights, missing_trunk
from wildsr.network.upscaler.compact import Compact
from wildsr.run.profile import of_camera, write_profile
from wildsr.training.build import build_trainer, build_training
from wildsr.training.session import explained

PACKAGE = Path(wildsr.__file__).parent
ELSEWHERE = {  # they know what a run leaves
    "degradation/learned.yaml": "wildsr.run.",
    "degradation/profile.yaml": "wildsr.run.",
}
FILES = sorted(path.relative_to(CONF) for path in CONF.rglob("*.yaml"))
TWO = ["data=folders", "iterations=2", "data.patch=8", "data.batch=2", "trainer.accelerator=cpu"]


def within(folder):
    """The choices of a config group."""
    found = sorted(path.stem for path in (CONF / folder).glob("*.yaml"))
    assert found, folder
    return found


def commands(path):
    """(verb, overrides) of each command in the comments at the top of a file."""
    found = []
    for line in (CONF / path).read_text().splitlines():
        if not line.startswith("#"):
            break
        command = re.match(r"#\s+python (\w+)\.py(.*?)(\s{3,}.*)?$", line)
        if command:
            verb, overrides = command.group(1), shlex.split(command.group(2))
            found.append((verb, [o for o in overrides if o != "..."]))
    return found


def targets(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "_target_":
                yield value
            yield from targets(value)


# The mirror -----------------------------------------------------------------------------------


def test_groups_mirror_packages():
    groups = {path.name for path in CONF.iterdir() if path.is_dir()}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert groups - packages == {"trainer", "logger", "experiment", "finish"}
    above = {
        "api",
        "app",
        "archive",
        "calibration",
        "cli",
        "config",
        "evaluation",
        "export",
        "forensics",
        "inference",
        "photo",
        "report",
        "run",
        "sweep",
    }
    assert packages - groups == {*above, "training"}  # rooms whose parts nobody chooses by name


@pytest.mark.parametrize("path", FILES, ids=str)
def test_targets_exist_in_the_package_of_their_group(path):
    group = path.parts[0]
    files = [CONF / path]
    for file in files:  # and what it takes over from others
        files += bases(file)
    named = [t for f in files for t in targets(OmegaConf.to_container(OmegaConf.load(f)))]
    for target in named:
        assert callable(get_class(target)), target
    if (PACKAGE / group).is_dir():
        own = [
            target
            for target in named
            if target.startswith(ELSEWHERE.get(str(path), f"wildsr.{group}."))
        ]
        assert own, f"{path} makes nothing of wildsr.{group}"


@pytest.mark.heavy
@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_opens_with_commands_that_compose(path):
    found = commands(path)
    assert found, f"{path} does not say which command runs it"
    for verb, overrides in found:
        configure(verb, overrides)
    group, typed = "/".join(path.parts[:-1]), [o for _, overrides in found for o in overrides]
    if group == "loss":
        names = OmegaConf.load(CONF / path)
        assert any(str(name) in override for name in names for override in typed)
    elif group not in ("", "trainer"):
        choices = {f"{group}={path.stem}", f"{group}=[{path.stem}]"}
        anywhere = {re.sub(r"@[^=]*", "", override) for override in typed}
        assert choices & anywhere, f"no command of {path} chooses it"


def test_a_command_is_found_whatever_stands_beside_it():
    assert commands("degradation/demo_camera.yaml") == [
        ("train", ["method=supervised", "degradation=demo_camera"])
    ]
    assert ("train", ["resume=auto"]) in commands("train.yaml")
    assert len(commands("evaluate.yaml")) == 8


# What each method computes --------------------------------------------------------------------

TABLES = {
    "adversarial_camera": """\
| update  | trains  | terms        | tensors computed | constants |
| ------- | ------- | ------------ | ---------------- | --------- |
| degrade | degrade | fool         | draws, fake_lr   |           |
| judge   | critic  | real, smooth |                  | fake_lr   |
| upscale | upscale | pixel        | sr_levels, sr    | fake_lr   |""",
    "bulat": """\
| update  | trains            | terms       | tensors computed          | constants   |
| ------- | ----------------- | ----------- | ------------------------- | ----------- |
| degrade | degrade           | pixel, fool | draws, fake_lr, pooled_hr |             |
| upscale | upscale           | pixel, fool | sr_levels, sr             | fake_lr     |
| judge   | critic, critic_hr | lr, hr      |                           | fake_lr, sr |""",
    "cincgan": """\
| stage | update    | trains                 | terms                         | tensors computed                         | constants         |
| ----- | --------- | ---------------------- | ----------------------------- | ---------------------------------------- | ----------------- |
| lr    | pretrain  | upscale                | pixel                         | clean_lr, same_hr                        |                   |
| lr    | translate | clean, degrade         | fool, cycle, identity, smooth | cleaned, cycled_lr, same_clean           | clean_lr          |
| lr    | judge     | critic                 | lr                            |                                          | clean_lr, cleaned |
| joint | translate | clean, degrade         | fool, cycle, identity, smooth | cleaned, cycled_lr, clean_lr, same_clean |                   |
| joint | judge     | critic                 | lr                            |                                          | clean_lr, cleaned |
| joint | joint     | clean, shrink, upscale | fool, cycle, identity, smooth | cleaned, restored, shrunk, same_hr       | clean_lr          |
| joint | judge_hr  | critic_hr              | hr                            |                                          | restored          |""",  # noqa: E501
    "cyclesr": """\
| stage     | update    | trains               | terms                                                                          | tensors computed                                                                  | constants |
| --------- | --------- | -------------------- | ------------------------------------------------------------------------------ | --------------------------------------------------------------------------------- | --------- |
| translate | judge     | critic, critic_clean | real, clean                                                                    | clean_lr, fake_lr, cleaned                                                        |           |
| translate | translate | clean, degrade       | fool, fool_clean, cycle_clean, cycle_real, identity_real, identity_clean       | fake_lr, cleaned, cycled_clean, cycled_real, same_real, same_clean                | clean_lr  |
| bicubic   | bicubic   | upscale              | pixel                                                                          | clean_lr, clean_sr                                                                |           |
| joint     | judge     | critic, critic_clean | real, clean                                                                    | clean_lr, fake_lr, cleaned                                                        |           |
| joint     | joint     | clean, degrade       | fool, fool_clean, cycle_clean, cycle_real, identity_real, identity_clean, task | fake_lr, cleaned, cycled_clean, cycled_real, same_real, same_clean, sr_levels, sr | clean_lr  |
| joint     | upscale   | upscale              | pixel                                                                          | sr_levels, sr                                                                     | fake_lr   |""",  # noqa: E501
    "impressionism": """\
| update  | trains  | terms | tensors computed              | constants |
| ------- | ------- | ----- | ----------------------------- | --------- |
| upscale | upscale | pixel | draws, fake_lr, sr_levels, sr |           |""",
    "kernelgan_zssr": """\
| stage   | update  | trains  | terms                                 | tensors computed                | constants |
| ------- | ------- | ------- | ------------------------------------- | ------------------------------- | --------- |
| align   | align   | degrade | fool, bicubic, sum, boundaries        | kernel, halved, bicubic_halved  |           |
| align   | judge   | critic  | real                                  | grain, judged_real, judged_fake | halved    |
| kernel  | kernel  | degrade | fool, sum, boundaries, sparse, centre | kernel, halved                  |           |
| kernel  | judge   | critic  | real                                  | grain, judged_real, judged_fake | halved    |
| upscale | upscale | upscale | pixel                                 | draws, fake_lr, sr_levels, sr   |           |""",  # noqa: E501
    "maeda": """\
| update   | trains                          | terms                                                   | tensors computed                                                                               | constants                                |
| -------- | ------------------------------- | ------------------------------------------------------- | ---------------------------------------------------------------------------------------------- | ---------------------------------------- |
| generate | clean, degrade, upscale         | fool, fool_clean, gap, cycle, identity, geometry, pixel | clean_lr, draws, fake_lr, cleaned, pseudo_clean, sr, restored, same_clean, way, cleaned_turned |                                          |
| judge    | critic, critic_clean, critic_hr | real, clean, hr                                         |                                                                                                | fake_lr, clean_lr, cleaned, restored, sr |""",  # noqa: E501
    "dasr": """\
| stage   | update   | trains    | terms                  | tensors computed                                                                                      | constants |
| ------- | -------- | --------- | ---------------------- | ----------------------------------------------------------------------------------------------------- | --------- |
| degrade | judge    | critic    | real                   | fake_lr                                                                                               |           |
| degrade | degrade  | degrade   | colour, fool           | fake_lr, clean_lr                                                                                     |           |
| upscale | upscale  | upscale   | pixel, low, seen, fool | fake_lr, sr_levels, sr, domain_distance, vgg16_shift_tolerant(sr), vgg16_shift_tolerant(hr), restored |           |
| upscale | judge_hr | critic_hr | real                   |                                                                                                       | restored  |""",  # noqa: E501
    "dsgan": """\
| stage   | update   | trains    | terms                     | tensors computed                                                                     | constants |
| ------- | -------- | --------- | ------------------------- | ------------------------------------------------------------------------------------ | --------- |
| degrade | judge    | critic    | real                      | clean_lr, fake_lr                                                                    |           |
| degrade | degrade  | degrade   | colour, fool              | fake_lr                                                                              | clean_lr  |
| degrade | prepare  | upscale   | pixel                     | sr_clean                                                                             | clean_lr  |
| upscale | upscale  | upscale   | pixel, content, low, fool | clean_lr, fake_lr, sr_levels, sr, vgg16_shift_tolerant(sr), vgg16_shift_tolerant(hr) |           |
| upscale | judge_hr | critic_hr | real                      |                                                                                      | sr        |""",  # noqa: E501
    "lud_vae": """\
| stage   | update  | trains  | terms           | tensors computed                              | constants |
| ------- | ------- | ------- | --------------- | --------------------------------------------- | --------- |
| degrade | degrade | degrade | clean, real, kl | clean_lr, draws, clean_again, grain, inferred |           |
| degrade | prepare | upscale | pixel           | sr_clean                                      | clean_lr  |
| upscale | upscale | upscale | pixel           | clean_lr, draws, fake_lr, sr_levels, sr       |           |""",  # noqa: E501
    "pdm": """\
| update  | trains  | terms       | tensors computed              | constants |
| ------- | ------- | ----------- | ----------------------------- | --------- |
| degrade | degrade | fool, noise | draws, formed, fake_lr, noise |           |
| judge   | critic  | real        |                               | fake_lr   |
| upscale | upscale | pixel       | sr_levels, sr                 | fake_lr   |""",
    "pooled": """\
| update  | trains  | terms | tensors computed                    | constants |
| ------- | ------- | ----- | ----------------------------------- | --------- |
| upscale | upscale | pixel | fake_lr, pair, sr_levels, sr, sharp |           |""",
    "supervised": """\
| update  | trains  | terms | tensors computed       | constants |
| ------- | ------- | ----- | ---------------------- | --------- |
| upscale | upscale | pixel | fake_lr, sr_levels, sr |           |""",
    "wild": """\
| stage  | update       | trains        | terms                                             | tensors computed                                                                                                                                                                                                               | constants      |
| ------ | ------------ | ------------- | ------------------------------------------------- | ------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------ | -------------- |
| learn  | upscale      | upscale       | pixel                                             | draws, fake_lr, sr_levels, sr                                                                                                                                                                                                  |                |
| finish | sharpen      | finished      | pixel, seen, fool, artifacts, turned, grid, again | draws, fake_lr, sr_levels, sr, finished_sr, finished_truth, vgg16_shift_tolerant(finished_sr), vgg16_shift_tolerant(finished_truth), finished_mixed, sr_average, finished_average, redrawn_lr, finished_turned, finished_again |                |
| finish | judge_finish | critic_finish | mixed                                             |                                                                                                                                                                                                                                | finished_mixed |""",  # noqa: E501
    "wild_residual": """\
| stage    | update       | trains        | terms                                             | tensors computed                                                                                                                                                                                                               | constants      |
| -------- | ------------ | ------------- | ------------------------------------------------- | ------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------------ | -------------- |
| residual | degrade      | degrade       | alike, little                                     | draws, fake_lr, plain_lr                                                                                                                                                                                                       |                |
| learn    | upscale      | upscale       | pixel                                             | draws, fake_lr, sr_levels, sr                                                                                                                                                                                                  |                |
| finish   | sharpen      | finished      | pixel, seen, fool, artifacts, turned, grid, again | draws, fake_lr, sr_levels, sr, finished_sr, finished_truth, vgg16_shift_tolerant(finished_sr), vgg16_shift_tolerant(finished_truth), finished_mixed, sr_average, finished_average, redrawn_lr, finished_turned, finished_again |                |
| finish   | judge_finish | critic_finish | mixed                                             |                                                                                                                                                                                                                                | finished_mixed |""",  # noqa: E501
}


def test_every_method_has_a_table():
    assert sorted(TABLES) == within("method")


@pytest.mark.parametrize("method", only(("dsgan", "wild"), sorted(TABLES)))
def test_explain(method, of, small):
    assert explained(configure("train", [*of(method), *small])) == TABLES[method]


# Two iterations -------------------------------------------------------------------------------


def finite(training):
    assert training.iteration == 2
    assert training.values
    assert all(torch.isfinite(value) for value in training.values.values())
    return training


def fitted(fit, plain_batches, *overrides):
    return finite(fit(list(overrides), plain_batches(2)))


@pytest.mark.heavy
@pytest.mark.parametrize("method", within("method"))
def test_method(method, of, tiny, tmp_path, carry_out):
    # One more where a method has three stages.
    overrides = [*tiny, *of(method), "iterations=3", f"runs_dir={tmp_path}", "name=it"]
    assert carry_out("train", overrides) == 0
    assert (tmp_path / "it" / "results.json").exists()
    assert list((tmp_path / "it" / "checkpoints").iterdir())
    curves = (tmp_path / "it" / "metrics.csv").read_text()
    assert all(f",{u}/" in curves for u in configure("train", overrides).method.updates)


FIXED = {"nearest", "bilinear", "bicubic", "lanczos"}  # upscalers without anything to train
# One whose layers are fixed, the default, a large one made small, one of spandrel's, a file's, and
# one that makes its own training.
ARCHITECTURES = ("bicubic", "compact_small", "edsr_small", "published", "span", "zssr")
SMALLER = {  # networks of the published size take minutes here; their shape stays what it is
    "dat_light": ["features=32", "blocks=2", "heads=2"],
    "fdat": ["features=16", "groups=1", "depth=1", "heads=2"],
    "omnisr": ["features=8", "groups=1"],
    "realplksr": ["features=8", "blocks=2"],
    "dbpn": ["features=8", "initial_features=8", "stages=2"],
    "edsr": ["blocks=2"],
    "edsr_large": ["features=8", "blocks=2"],
    "rrdb": ["blocks=1"],
    "rrdb_small": ["blocks=1"],
    "srresnet": ["blocks=2"],
    "swinir_light": ["groups=1", "blocks=2"],
    "vdsr": ["features=8"],
}


@pytest.fixture(scope="module")
def published_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("published") / "theirs.pth"
    torch.save({"params": Compact(4, features=4, convolutions=1).state_dict()}, path)
    return path


@pytest.mark.parametrize("name", only(ARCHITECTURES, within("network/upscaler")))
def test_upscaler(name, photos, plain_batches, published_file):
    folders = [f"data.lr={photos.lr}", f"data.hr={photos.hr}", *TWO]
    smaller = [f"network.upscaler.{o}" for o in SMALLER.get(name, [])]
    smaller += [f"weights={published_file}"] if name == "published" else []
    chosen = ["method=supervised", f"network/upscaler={name}", *smaller]
    config = configure("train", [*folders, *chosen])
    if name in FIXED:
        with pytest.raises(ValueError, match="`upscale` is to be trained, but has no parameters"):
            build_training(config)
        return
    training = build_training(config)
    build_trainer(config, []).fit(training, DataLoader(plain_batches(2), batch_size=None))
    finite(training)


@pytest.mark.parametrize(
    "name", only(("camera", "learned_camera", "lud_vae", "pdm"), within("network/degrader"))
)
def test_degrader(name, fit, plain_batches):
    # Those of a paper fit its method alone.
    method = name if name in within("method") else "adversarial_camera"
    if name == "camera":  # nothing of it is trained
        assert "upscale/pixel" in fitted(fit, plain_batches, "method=wild").values
        return
    if name == "cincgan":  # which has it in its second stage, as another network
        chosen = ["network/degrader@method.networks.shrink=cincgan", "iterations=2"]
        assert "joint/cycle" in fitted(fit, plain_batches, "method=cincgan", *chosen).values
        return
    if name == "lud_vae":  # which has no critic, and a stage of its own
        stages = "method.stages.upscale=0.1"
        training = fit([f"method={method}", stages, "iterations=2"], plain_batches(1))
        assert training.values["degrade/kl"] > 0
        return
    training = fitted(fit, plain_batches, f"method={method}", f"network/degrader={name}")
    assert "degrade/fool" in training.values


@pytest.mark.parametrize("name", within("network/translator"))
def test_translator(name, of, fit, plain_batches):
    place = f"network/translator@method.networks.degrade={name}"
    training = fitted(fit, plain_batches, *of("maeda"), place)
    draws = training.networks["degrade"].noise_channels
    assert draws == (1 if "noise" in name else 0)


@pytest.mark.parametrize("name", only(("multiscale", "patch", "unet"), within("network/critic")))
def test_critic(name, fit, plain_batches):
    narrow = "network.critic.features=8"
    training = fitted(
        fit, plain_batches, "method=adversarial_camera", f"network/critic={name}", narrow
    )
    assert "judge/smooth" in training.values


@pytest.mark.parametrize("name", only(("haar",), within("network/front")))
def test_front(name, fit, plain_batches):
    training = fitted(fit, plain_batches, "method=adversarial_camera", f"network/front=[{name}]")
    assert "judge/smooth" in training.values
    assert list(training.networks["critic"].front.members)


def test_fronts_follow_one_another(fit, plain_batches):
    training = fitted(
        fit, plain_batches, "method=adversarial_camera", "network/front=[diffaugment,haar]"
    )
    names = [type(front).__name__ for front in training.networks["critic"].front.members]
    assert names == ["DiffAugment", "Haar"]


@pytest.mark.parametrize(
    "name", only(("bicubic", "learned", "pools", "profile", "realesrgan"), within("degradation"))
)
def test_degradation(name, fit, plain_batches, finished, tmp_path):
    if name == "profile":
        given = [f"degradation.file={write_profile(tmp_path, of_camera(MeasuredCamera(4)))}"]
        chosen = ["method=supervised", "degradation=profile", *given]
        assert "upscale/pixel" in fitted(fit, plain_batches, *chosen).values
        return
    if name == "learned":
        learned = ["method=supervised", "degradation=learned", f"degradation.run={finished}"]
        assert "upscale/pixel" in fitted(fit, plain_batches, *learned).values
        return
    training = fitted(fit, plain_batches, "method=supervised", f"degradation={name}")
    assert "upscale/pixel" in training.values


@pytest.mark.heavy
@pytest.mark.parametrize("name", within("metric"))
def test_metric(name, tiny, tmp_path, carry_out):
    free = [o for o in tiny if not o.startswith("metric.")]
    overrides = [*free, f"metric={name}", "method=supervised", "iterations=2"]
    assert carry_out("train", [*overrides, f"runs_dir={tmp_path}", "name=it"]) == 0
    assert (
        f'"channel": "{"y" if name == "classical" else "rgb"}"'
        in (tmp_path / "it" / "results.json").read_text()
    )


@pytest.mark.parametrize(  # for wandb see test_logger.py
    "name", only(("tensorboard",), sorted({*within("logger")} - {"wandb"}))
)
def test_logger(name, tiny, tmp_path, carry_out):
    overrides = [*tiny, f"logger={name}", "method=supervised", "iterations=2", "name=it"]
    assert carry_out("train", [*overrides, f"runs_dir={tmp_path}"]) == 0
    assert (tmp_path / "it" / "metrics.csv").read_text().count("upscale/pixel") == 2
    assert (tmp_path / "it" / "tensorboard").exists() == (name == "tensorboard")


@pytest.mark.parametrize("name", within("trainer"))
def test_trainer(name):
    assert build_trainer(configure("train", [f"trainer={name}", "trainer.accelerator=cpu"]), [])


@pytest.mark.parametrize("name", only(("folders",), within("data")))
def test_data(name, photos, small, tmp_path, carry_out):
    for side, length in (("lr", 16), ("hr", 64)):  # aligned
        (tmp_path / side).mkdir()
        for path in sorted(photos.hr.iterdir()):
            Image.open(path).resize((length, length)).save(tmp_path / side / path.name)
    folders = {
        "pairs": [f"data.lr={tmp_path / 'lr'}", f"data.hr={tmp_path / 'hr'}", "data.patch=8"],
        "folders": [f"data.lr={photos.lr}", f"data.hr={photos.hr}", "data.patch=8"],
        "photo": [f"data.lr={photos.hr / 'photo0.png'}", "data.patch=8"],
    }
    overrides = [f"data={name}", *folders.get(name, []), *small, "iterations=2", "baseline=false"]
    overrides += ["metric.metrics=[psnr]", "data.batch=2", f"runs_dir={tmp_path}", "name=it"]
    assert carry_out("train", overrides) == 0
    assert (tmp_path / "it" / "contact.png").exists()


@pytest.mark.heavy
@pytest.mark.parametrize("name", within("experiment"))
def test_experiment(name, tiny, tmp_path, carry_out, refused, published_file):
    overrides = [*tiny, f"experiment={name}", "iterations=2", f"runs_dir={tmp_path}", "name=it"]
    if name == "fine_tune":
        overrides = [
            o for o in overrides if not o.startswith(("network/upscaler", "network.upscaler"))
        ]
        overrides += [f"weights={published_file}"]
    if name.endswith("_published"):  # but for the loss that needs weights, and its size
        overrides += [
            "network.critic.features=2",
            "network.critic.pairs=2",
            "network.critic.dense=4",
        ]
        if missing_trunk("vgg19") and missing_trunk(STAND_IN):
            assert "needs vgg19-" in refused("train", overrides)
            overrides += ["method.updates.upscale.terms.content=null"]
    assert carry_out("train", overrides) == 0
    assert (tmp_path / "it" / "results.json").exists()


def _catalogue():
    found = {}
    for name in within("loss"):
        found |= OmegaConf.to_container(OmegaConf.load(CONF / "loss" / f"{name}.yaml"))
    return found


LOSSES = _catalogue()
TERMS = {  # update, term: where each loss of the catalogue has its place
    "l1": ("upscale", "prediction: sr, target: hr"),
    "l2": ("upscale", "prediction: sr, target: hr"),
    "charbonnier": ("upscale", "prediction: sr, target: hr"),
    "huber": ("upscale", "prediction: sr, target: hr"),
    "moments": ("upscale", "real: hr, fake: sr"),
    "ssim": ("upscale", "prediction: sr, target: hr"),
    "ms_ssim": ("upscale", "prediction: sr, target: hr, scales: 2"),
    "content": ("upscale", "prediction: sr, target: hr"),
    "texture": ("upscale", "prediction: sr, target: hr"),
    "lpips": ("upscale", "prediction: sr, target: hr"),
    "st_lpips": ("upscale", "prediction: sr, target: hr, shift: 1"),
    "dists": ("upscale", "prediction: sr, target: hr"),
    "focal_frequency": ("upscale", "prediction: sr, target: hr"),
    "amplitude": ("upscale", "prediction: sr, target: hr"),
    "lr_consistency": ("upscale", "sr: sr, lr: fake_lr"),
    "lr_discrepancy": ("sharpen", "draws: finished_draws, lr: fake_lr"),
    "grid": ("upscale", "prediction: sr, target: hr"),
    "low_pass": ("upscale", "prediction: sr, target: hr"),
    "low_frequency": ("upscale", "prediction: sr, target: fake_lr"),
    "colour": ("upscale", "prediction: sr, target: hr"),
    "total_variation": ("upscale", "image: sr"),
    "gradient_difference": ("upscale", "prediction: sr, target: hr"),
    "ldl": ("upscale", "prediction: sr, target: hr, average: sr_average"),
    "kernel_sum": ("align", "kernel: kernel"),
    "kernel_boundaries": ("align", "kernel: kernel"),
    "kernel_sparsity": ("align", "kernel: kernel"),
    "kernel_centre": ("align", "kernel: kernel"),
    "noise_mean": ("degrade", "noise: fake_lr"),
    "kl": (
        "degrade",
        "mean: fake_lr, log_std: real_lr, prior_mean: real_lr, prior_log_std: real_lr",
    ),
    "fool": ("degrade", "critic: critic, fake: fake_lr"),
    "judge": ("judge", "critic: critic, real: real_lr, fake: fake_lr"),
    "r1": ("judge", "critic: critic, real: real_lr"),
    "r2": ("judge", "critic: critic, fake: fake_lr"),
    "gradient_penalty": ("judge", "critic: critic, real: real_lr, fake: fake_lr"),
    "feature_matching": ("degrade", "critic: critic, prediction: fake_lr, target: real_lr"),
    "mean_feature_matching": ("degrade", "critic: critic, fake: fake_lr, real: real_lr"),
}
# One of each update, and what needs weights, averages, critics.
QUICK_LOSSES = ("content", "feature_matching", "judge", "kernel_sum", "kl", "l1", "ldl", "lpips")
QUICK_LOSSES += ("lr_consistency", "lr_discrepancy", "r1")
NEEDS = {"content": "vgg19", "texture": "vgg19", "lpips": "vgg16", "dists": "vgg16"}
NEEDS |= {"st_lpips": STAND_IN}


def test_the_catalogue_is_complete():
    assert LOSSES.keys() == TERMS.keys()
    config = configure("train", [])
    resolved = OmegaConf.create({"scale": config.scale, "losses": LOSSES})
    expected = OmegaConf.to_container(resolved, resolve=True)["losses"]
    assert OmegaConf.to_container(config.loss, resolve=True) == expected


@pytest.mark.parametrize("name", only(QUICK_LOSSES, LOSSES))
def test_loss(name, fit, plain_batches):
    update, operands = TERMS[name]
    term = f"+method.updates.{update}.terms.more={{loss: {name}, {operands}}}"
    method = {"align": "kernelgan_zssr", "sharpen": "wild"}.get(update, "adversarial_camera")
    overrides = [f"method={method}", term, "data.patch=8"]
    if update == "sharpen":
        overrides[1:2] = [f"+method.finish.more={{loss: {name}, {operands}}}", "finish.share=0.5"]
        overrides.append("iterations=2")
    stands_in = name in ("content", "texture") and not missing_trunk(STAND_IN)
    if name in NEEDS and missing_trunk(NEEDS[name]) and not stands_in:
        with pytest.raises(
            (MissingWeights, ValueError), match=rf"needs {NEEDS[name].split('_')[0]}.*pth"
        ):
            fitted(fit, plain_batches, *overrides)
        return
    training = fitted(fit, plain_batches, *overrides)
    assert training.values[f"{update}/more"] != 0


def test_the_verbs_without_arguments():
    assert configure("train", []).method._target_ == "wildsr.method.wild.Wild"
    assert configure("evaluate", []).upscaler == "bicubic"
    assert configure("degrade", []).draws == 1
    assert {"degrade", "evaluate", "train"} <= set(within("."))
