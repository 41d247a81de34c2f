"""The residual trunk of translators and degraders, zero at the start."""

from __future__ import annotations

from torch import Tensor, nn

from wildsr.argument import check_counts


class _Block(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 3, 1, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(features, features, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class ResidualTrunk(nn.Module):
    """Residual blocks between two convolutions, without normalisation; its output starts at 0.

    ``tail(body(head(x)) + head(x))``.

    A fresh network thus returns the image that the result is added to, and adversarial training
    starts from images instead of noise.

    Args:
        channels: of the input.
        features: channels of the hidden layers.
        blocks: residual blocks.
        outputs: channels of the result.

    Shapes:
        x (B, channels, H, W) -> (B, outputs, H, W).

    Raises:
        UserError: a count below 1.
    """

    def __init__(self, channels: int, features: int, blocks: int, outputs: int = 3) -> None:
        super().__init__()
        check_counts(channels=channels, features=features, blocks=blocks)
        self.head = nn.Conv2d(channels, features, 3, 1, 1)
        self.body = nn.Sequential(
            *[_Block(features) for _ in range(blocks)], nn.Conv2d(features, features, 3, 1, 1)
        )
        self.tail = nn.Conv2d(features, outputs, 3, 1, 1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """The residual (B, outputs, H, W), for the caller to add."""
        head = self.head(x)
        added: Tensor = self.tail(head + self.body(head))
        return added
