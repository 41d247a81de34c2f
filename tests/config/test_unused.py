"""Choices that the chosen method does not refer to are named."""

import pytest

from wildsr.config.compose import unused_choices


@pytest.mark.parametrize(
    ("typed", "unused"),
    [
        (["degradation=realesrgan"], ["degradation=realesrgan"]),
        (["method=supervised", "degradation=realesrgan"], []),
        (["method=pooled", "degradation=realesrgan"], []),
        (
            ["method=supervised", "network/critic=unet", "network/degrader=pdm"],
            ["network/critic=unet", "network/degrader=pdm"],
        ),
        (["finish=gan", "network/critic=frozen"], ["network/critic=frozen"]),
        (["network/front=[haar]"], ["network/front=[haar]"]),
        (["method=adversarial_camera", "network/front=[haar]"], []),
        (["network/upscaler=compact_small", "network/degrader=camera"], []),
        (["method.networks.degrade=${degradation}", "degradation=realesrgan"], []),
        (["experiment=oracle", "scale=2"], []),
    ],
)
def test_what_has_no_effect(typed, unused):
    assert unused_choices(typed) == unused
