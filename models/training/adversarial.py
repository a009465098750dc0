"""Adversarial embeddings: what a text says must not hang on a small move of its word embeddings.

The fast gradient method of Miyato et al. 2017, "Adversarial Training Methods for Semi-Supervised
Text Classification".
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from wanglou.models.network import OpinionNetwork

TINY = 1e-12
"""Keeps a text without gradient where it is."""


def adversarial_backward(network: OpinionNetwork, loss: Callable[[], Tensor], size: float) -> float:
    """Backward passes of a loss, and of the same where it is worse; their sum.

    ``loss`` does one forward of the network, and is called twice. The second time the word
    embeddings of each text, pieces × width, are moved by a step of the length ``size`` up the
    gradient of the first.
    """
    words = network.bert.embeddings.word_embeddings
    embedded: list[Tensor] = []

    def keep(_: object, __: object, output: Tensor) -> None:
        output.requires_grad_()  # where the embeddings themselves do not learn
        output.retain_grad()
        embedded.append(output)

    with words.register_forward_hook(keep):
        plain = loss()
    plain.backward()
    gradient = embedded[0].grad
    if gradient is None:
        raise RuntimeError("the loss does not come of the network")
    norms = gradient.flatten(1).norm(dim=1)[:, None, None]
    move = size * gradient / (norms + TINY)
    with words.register_forward_hook(lambda _, __, output: output + move):
        worse = loss()
    worse.backward()
    return float(plain.detach() + worse.detach())
