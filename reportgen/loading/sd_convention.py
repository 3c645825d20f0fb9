"""Conventions by which the numbers beside a posterior mean stand for the posterior's sd."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import torch
from torch import Tensor
from torch.nn import functional


class SdConvention(Enum):
    """A way in which numbers stand for a standard deviation (sd); the likeliest comes first.

    Attributes
    ----------
    words : what such numbers are called.
    to_sd : numbers → the sd.
    names : usual names, in small letters, of fields that hold such numbers.
    """

    LOG_VARIANCE = (
        "the log-variance",
        lambda value: torch.exp(0.5 * value),
        "logvar log_var log_variance log_covariance logvariance z_log_var logvar_z z_logvar "
        "log_sigma2 log_sigma_sq logsigma2 latent_logvar",
    )
    LOG_SD = (
        "the logarithm of the sd",
        torch.exp,
        "log_std logstd log_sigma logsigma log_scale log_sd",
    )
    SD = ("the sd", torch.clone, "std sd sigma scale stddev")
    VARIANCE = ("the variance", torch.sqrt, "var variance")
    BEFORE_SOFTPLUS = ("the sd before a softplus", functional.softplus, "pre_sigma raw_sigma")

    def __init__(self, words: str, to_sd: Callable[[Tensor], Tensor], names: str) -> None:
        self.words = words
        self.to_sd = to_sd
        self.names = frozenset(names.split())
