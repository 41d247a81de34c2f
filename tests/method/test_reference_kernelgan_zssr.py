"""KernelGAN and ZSSR against their papers' equations, over all three stages."""

import torch
from support.step_by_hand import adam, descend, draw_again, freeze, l1, l2, move_average, quantise
from torch.nn import functional as F

SIDE = 13
# The biases before a normalisation get a gradient of rounding errors only, of which Adam with its
# default of 1e-8 makes steps.
EPS = 1e-4


def by_layers(network, image):
    """Each colour through the layers, one after the other; the last with stride 2."""
    x = image.flatten(0, 1)[:, None]
    *first, last = network.layers
    for weight in first:
        x = F.conv2d(x, weight)
    return F.conv2d(x, last, stride=2).view(
        *image.shape[:2], x.shape[-2] // 2 + x.shape[-2] % 2, -1
    )


def response(network):
    """The kernel, tap by tap: what a white pixel at (i, j) does to a single output pixel."""
    whites = torch.eye(SIDE * SIDE, dtype=torch.float64).view(-1, 1, SIDE, SIDE)
    for weight in network.layers:
        whites = F.conv2d(whites, weight)
    return whites.view(SIDE, SIDE)


def prior(kernel, *, late):
    """The regularisers with the weights of the paper."""
    taps = torch.arange(SIDE, dtype=torch.float64)
    gaussian = torch.exp(-((taps - 6).square()) / (2 * SIDE**2))
    mask = 30 * (1 - torch.outer(gaussian, gaussian))
    mask[2:11, 2:11] = 0  # all but a frame of two taps
    value = 0.5 * (1 - kernel.sum()).abs() + 0.5 * (kernel * mask).abs().mean()
    if late:
        row = (kernel.sum(1) * taps).sum() / kernel.sum()
        column = (kernel.sum(0) * taps).sum() / kernel.sum()
        value = value + 5 * (kernel.abs() ** 0.2).mean()
        value = value + ((row - 6.5) ** 2 + (column - 6.5) ** 2) / 2
    return value


def used(network):
    """The kernel for x4: cleared of low values, centred by a tilt, applied twice over."""
    kernel = response(network).flatten()
    low = 0.75 * kernel.sort(descending=True).values[39]
    kernel = (kernel - low).clamp(min=0)
    logits = torch.log(kernel / kernel.sum() + 1e-6)
    taps = torch.arange(SIDE, dtype=torch.float64) - 6.5
    place = torch.stack([taps.repeat_interleave(SIDE), taps.repeat(SIDE)])
    tilt = torch.zeros(2, dtype=torch.float64)
    for _ in range(100):  # Newton, halved where it would overshoot
        weight = torch.softmax(logits + tilt @ place, 0)
        mean = place @ weight
        covariance = (place * weight) @ place.T - torch.outer(mean, mean)
        step = torch.linalg.solve(covariance, mean)
        tilt = tilt - step * min(1, 0.3 / float(step.norm() + 1e-30))
    half = torch.softmax(logits + tilt @ place, 0).view(SIDE, SIDE)
    whole = torch.zeros(37, 37, dtype=torch.float64)
    for v in range(SIDE):
        for w in range(SIDE):
            whole[2 * v : 2 * v + SIDE, 2 * w : 2 * w + SIDE] += half[v, w] * half
    return whole


def shrunk(image, kernel):
    padded = F.pad(image, [18] * 4, mode="reflect").flatten(0, 1)[:, None]
    return F.conv2d(padded, kernel[None, None], stride=4).view(*image.shape[:2], 8, 8)


def test_kernelgan_zssr(compare, of):
    def reference(networks, batches, averages):
        degrade, critic, upscale = (networks[n] for n in ("degrade", "critic", "upscale"))
        rates = {"degrade": (2e-4, 0.5), "critic": (2e-4, 0.5), "upscale": (1e-3, 0.9)}
        optimizers = {n: adam(networks[n], r, (b, 0.999), EPS) for n, (r, b) in rates.items()}
        for iteration, batch in enumerate(batches):
            hr, real_lr = batch["hr"], batch["real_lr"]
            draw_again(iteration)
            if iteration < 4:
                freeze(critic)
                fake = by_layers(degrade, hr)
                loss = (torch.sigmoid(critic(fake)) - 1).abs().mean()
                loss = loss + prior(response(degrade), late=iteration >= 2)
                if iteration < 2:
                    bicubic = F.interpolate(hr, scale_factor=0.5, mode="bicubic", antialias=True)
                    loss = loss + 100 * l2(fake, bicubic[..., 3:-3, 3:-3])
                descend(optimizers["degrade"], loss)
                freeze(critic, False)

                real = real_lr + torch.randn_like(real_lr) / 255
                fake = fake.detach() + torch.randn_like(fake) / 255
                true = (torch.sigmoid(critic(real)) - 1).abs().mean()
                false = torch.sigmoid(critic(fake)).abs().mean()
                descend(optimizers["critic"], (true + false) / 2)
            else:
                with torch.no_grad():
                    noise = torch.randn(len(hr), 3, 8, 8, dtype=torch.float64)
                    son = quantise(shrunk(hr, used(degrade)) + 0.0125 * noise)
                descend(optimizers["upscale"], l1(upscale(son), hr))
                move_average(averages["upscale"], upscale, iteration - 4)

    thirds = "method.stages={align: 1, kernel: 1, upscale: 1}"
    eps = [f"+method.optimizers.{n}.eps={EPS}" for n in ("degrade", "critic", "upscale")]
    compare([*of("kernelgan_zssr"), thirds, *eps], reference)
