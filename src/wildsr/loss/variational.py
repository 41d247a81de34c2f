"""The Kullback-Leibler term of an evidence lower bound (ELBO)."""

from __future__ import annotations

from torch import Tensor, nn

from wildsr.argument import check_counts
from wildsr.loss.pixel import comparable


def kl(
    mean: Tensor, log_std: Tensor, prior_mean: Tensor, prior_log_std: Tensor, values: int = 3
) -> Tensor:
    """Kullback-Leibler divergence of independent normal variables; see :class:`KL`.

    Args:
        mean: (B, C, H, W).
        log_std: the same shape.
        prior_mean: the same shape.
        prior_log_std: the same shape.
        values: of one pixel of the image, 3 for RGB.

    Raises:
        UserError: shapes that differ.
    """
    mean, prior_mean = comparable(mean, prior_mean)
    log_std, prior_log_std = comparable(log_std, prior_log_std)
    gap, ratio = mean - prior_mean, log_std - prior_log_std
    # sigma / sigma_0 as one exponential, so that neither alone can overflow.
    divergence = ((2 * ratio).exp() + (gap * (-prior_log_std).exp()).square() - 1) / 2 - ratio
    return divergence.sum(1).mean() / values


class KL(nn.Module):
    r"""Kullback-Leibler divergence from a prior, in nats per pixel value of the image.

    .. math:: KL(N(\mu, \sigma^2) \,\|\, N(\mu_0, \sigma_0^2)) = \log \frac{\sigma_0}{\sigma}
        + \frac{\sigma^2 + (\mu - \mu_0)^2}{2 \sigma_0^2} - \frac{1}{2}

    for each variable of a latent map, summed over the map's channels, averaged over images and
    positions, and divided by ``values``; at least 0, and 0 if both distributions are equal.
    Together with the squared difference of the images it is an evidence lower bound (Kingma &
    Welling 2014, arXiv:1312.6114, appendix B); a weight of w corresponds to a decoder with a
    standard deviation of the square root of w / 2.

    Args:
        values: number of values of a pixel, 3 for RGB.

    Raises:
        UserError: a count below 1; in ``forward`` tensors of different shapes.
    """

    def __init__(self, values: int = 3) -> None:
        super().__init__()
        check_counts(values=values)
        self.values = values

    def forward(
        self, mean: Tensor, log_std: Tensor, prior_mean: Tensor, prior_log_std: Tensor
    ) -> Tensor:
        """A scalar from means and log standard deviations, (B, C, H, W) each."""
        return kl(mean, log_std, prior_mean, prior_log_std, self.values)
