"""The caller's process as it was: random numbers, threads and torch's modes."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

# Random generators and torch's defaults are the process's own: two builds at once would each see,
# and leave behind, what the other has set.
_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def untouched(seed: int) -> Iterator[None]:
    """A block that draws the same random numbers each time and leaves the process as it was.

    Within it torch is in its usual state: float32, gradients allowed, neither inference mode nor
    autocast. Afterwards the generators of Python, NumPy and torch, torch's threads and its default
    type are what they were. One thread at a time is in it.
    """
    import numpy as np
    import torch

    with _ONE_AT_A_TIME, ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002
        stack.callback(torch.set_rng_state, torch.get_rng_state())
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            stack.callback(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.default_generator.manual_seed(seed)
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if device == "cpu" or torch.cuda.is_available():
                stack.enter_context(torch.autocast(device, enabled=False))
        yield
