"""Autoencoders in the styles found in public repositories, each with its own halves as the oracle.

A `Member` says how an architecture is made and what its encoder and decoder compute by its own
code; what `load_autoencoder` finds must agree with that, whatever file the model comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Member:
    """One architecture.

    Attributes
    ----------
    name : as in test ids.
    make : the module, untrained, in evaluation mode.
    shape : of its images.
    code : (module, images) → code, by the module's own parts.
    image : (module, code) → reconstruction, likewise.
    sd : (module, images) → posterior sd; None where there is none.
    scripts : whether torch.jit.script takes it.
    """

    name: str
    make: Callable[[], nn.Module]
    shape: Shape
    code: Callable[[nn.Module, Tensor], Tensor]
    image: Callable[[nn.Module, Tensor], Tensor]
    sd: Callable[[nn.Module, Tensor], Tensor] | None = None
    scripts: bool = True


class Dense(nn.Sequential):
    """A plain Sequential of linear layers on flattened images, nothing named."""

    def __init__(self) -> None:
        super().__init__(
            nn.Flatten(),
            nn.Linear(144, 32),
            nn.ReLU(),
            nn.Linear(32, 5),
            nn.Linear(5, 32),
            nn.ReLU(),
            nn.Linear(32, 144),
            nn.Unflatten(1, (1, 12, 12)),
        )


class FlatDense(nn.Module):
    """Takes (n, P), as tutorials on MNIST do, and returns (n, P)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(144, 24), nn.Tanh(), nn.Linear(24, 3))
        self.decoder = nn.Sequential(nn.Linear(3, 24), nn.Tanh(), nn.Linear(24, 144), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class SigmoidCode(nn.Module):
    """A code squashed by a sigmoid; layers called fc1 … fc4; view in forward."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(144, 20)
        self.fc2 = nn.Linear(20, 4)
        self.fc3 = nn.Linear(4, 20)
        self.fc4 = nn.Linear(20, 144)

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.relu(self.fc1(x.view(x.size(0), -1)))
        code = torch.sigmoid(self.fc2(hidden))
        return torch.sigmoid(self.fc4(functional.relu(self.fc3(code)))).view(-1, 1, 12, 12)


class ConvChildren(nn.Module):
    """Children encoder and decoder with a spatial code."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 2, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(2, 8, 2, stride=2),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(8, 3, 2, stride=2),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class ConvMethods(nn.Module):
    """Methods encode and decode with batch norm and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.drop = nn.Dropout(0.3)
        self.to_code = nn.Linear(6 * 6 * 6, 7)
        self.from_code = nn.Linear(7, 6 * 6 * 6)
        self.deconv = nn.ConvTranspose2d(6, 1, 4, stride=2, padding=1)

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        return self.to_code(
            self.drop(functional.leaky_relu(self.norm(self.conv(x)), 0.2)).flatten(1)
        )

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return self.deconv(functional.relu(self.from_code(z)).view(-1, 6, 6, 6))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class BatchNormCode(nn.Module):
    """Batch norm on the code itself; nothing named."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(144, 6)
        self.norm = nn.BatchNorm1d(6)
        self.up = nn.Linear(6, 144)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.norm(self.down(x.flatten(1)))).reshape(x.shape)


class TupleVAE(nn.Module):
    """encode → (mu, logvar); samples while training alone; returns (recon, mu, logvar)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(144, 30)
        self.fc21 = nn.Linear(30, 4)
        self.fc22 = nn.Linear(30, 4)
        self.fc3 = nn.Linear(4, 30)
        self.fc4 = nn.Linear(30, 144)

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = functional.relu(self.fc1(x))
        return self.fc21(hidden), self.fc22(hidden)

    def reparameterize(self, mu: Tensor, logvar: Tensor) -> Tensor:
        if not self.training:
            return mu
        return mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.fc4(functional.relu(self.fc3(z))))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x.view(-1, 144))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


class SamplingListVAE(nn.Module):
    """encode → [mu, log_var]; samples in evaluation mode; returns [recon, input, mu, log_var]."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.LeakyReLU(), nn.Flatten()
        )
        self.fc_mu = nn.Linear(8 * 36, 5)
        self.fc_var = nn.Linear(8 * 36, 5)
        self.decoder_input = nn.Linear(5, 8 * 36)
        self.decoder = nn.Sequential(nn.ConvTranspose2d(8, 8, 3, 2, 1, 1), nn.LeakyReLU())
        self.final_layer = nn.Sequential(nn.Conv2d(8, 3, 3, padding=1), nn.Tanh())

    def encode(self, input: Tensor) -> list[Tensor]:
        result = self.encoder(input)
        return [self.fc_mu(result), self.fc_var(result)]

    def decode(self, z: Tensor) -> Tensor:
        result = self.decoder_input(z).view(-1, 8, 6, 6)
        return self.final_layer(self.decoder(result))

    def forward(self, input: Tensor) -> list[Tensor]:
        mu, log_var = self.encode(input)
        std = torch.exp(0.5 * log_var)
        eps = torch.randn_like(std)
        return [self.decode(eps * std + mu), input, mu, log_var]


class ChunkVAE(nn.Module):
    """One head chunked in two; old-style noise by normal_(); nothing named encode."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(144, 40), nn.ELU(), nn.Linear(40, 2 * 3))
        self.back = nn.Sequential(nn.Linear(3, 40), nn.ELU(), nn.Linear(40, 144), nn.Sigmoid())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.body(x).chunk(2, dim=1)
        std = logvar.mul(0.5).exp_()
        eps = torch.empty_like(std).normal_()
        z = eps.mul(std).add_(mu)
        return self.back(z).view(-1, 1, 12, 12), mu, logvar


class RsampleVAE(nn.Module):
    """torch.distributions with rsample."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(144, 40), nn.GELU())
        self.mean = nn.Linear(40, 4)
        self.scale = nn.Linear(40, 4)
        self.generator = nn.Sequential(nn.Linear(4, 40), nn.GELU(), nn.Linear(40, 144))

    def posterior(self, x: Tensor) -> torch.distributions.Normal:
        hidden = self.features(x)
        return torch.distributions.Normal(
            self.mean(hidden), functional.softplus(self.scale(hidden)) + 1e-3
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.generator(self.posterior(x).rsample())).reshape(x.shape)


class DistributionVAE(nn.Module):
    """encode returns a distribution."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(144, 8)
        self.up = nn.Linear(4, 144)

    def encode(self, x: Tensor) -> torch.distributions.Normal:
        mu, logvar = self.down(x.flatten(1)).chunk(2, -1)
        return torch.distributions.Normal(mu, (0.5 * logvar).exp())

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.up(z)).unflatten(1, (1, 12, 12))

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x).rsample())


class NamedOutput(dict):
    """A ModelOutput: fields as attributes and keys, as in pythae and transformers."""

    def __init__(self, **fields: Tensor) -> None:
        super().__init__(**fields)
        self.__dict__.update(fields)


class NamedEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(144, 16), nn.ReLU())
        self.log_var = nn.Linear(16, 3)
        self.embedding = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> NamedOutput:
        hidden = self.layers(x)
        # The log-covariance comes first, so that only names tell which is the mean.
        return NamedOutput(log_covariance=self.log_var(hidden), embedding=self.embedding(hidden))


class NamedDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 144), nn.Sigmoid())

    def forward(self, z: Tensor) -> NamedOutput:
        return NamedOutput(reconstruction=self.layers(z).reshape(-1, 1, 12, 12))


class PythaeStyle(nn.Module):
    """encoder and decoder return model outputs with named fields."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = NamedEncoder()
        self.decoder = NamedDecoder()

    def forward(self, x: Tensor) -> NamedOutput:
        encoded = self.encoder(x)
        std = torch.exp(0.5 * encoded.log_covariance)
        z = encoded.embedding + std * torch.randn_like(std)
        return NamedOutput(recon_x=self.decoder(z).reconstruction, z=z)


class TrippleVAE(nn.Module):
    """encode returns (z, mu, logvar) with z sampled."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(144, 10)
        self.up = nn.Linear(5, 144)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.down(x.flatten(1)).split(5, dim=1)
        return mu + torch.randn_like(mu) * (0.5 * logvar).exp(), mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        return self.up(z).view(-1, 1, 12, 12)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, mu, logvar = self.encode(x)
        return self.decode(z), mu, logvar


class ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels // 4, 1), nn.ReLU(), nn.Conv2d(channels // 4, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


class ResNetAE(nn.Module):
    """Residual blocks, with narrow insides, on both sides of the code."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1), ResidualBlock(16), nn.ReLU(), ResidualBlock(16)
        )
        self.squeeze = nn.Linear(16 * 36, 8)
        self.expand = nn.Linear(8, 16 * 36)
        self.tail = nn.Sequential(
            ResidualBlock(16), nn.Upsample(scale_factor=2), nn.Conv2d(16, 3, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        code = self.squeeze(self.stem(x).flatten(1))
        return self.tail(functional.relu(self.expand(code)).view(-1, 16, 6, 6))


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // 8, 1),
            nn.ReLU(),
            nn.Conv2d(channels // 8, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class SqueezeExciteAE(nn.Module):
    """Gates far narrower than the code, which carry no image past it."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1), SqueezeExcite(16), nn.ReLU(), nn.Conv2d(16, 4, 4, 2, 1)
        )
        self.back = nn.Sequential(
            nn.ConvTranspose2d(4, 16, 2, 2),
            SqueezeExcite(16),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 2, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.back(self.front(x))


class VectorQuantizer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(16, 4)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        moved = z.permute(0, 2, 3, 1).contiguous()
        flat = moved.view(-1, 4)
        distances = (
            flat.pow(2).sum(1, keepdim=True)
            + self.embedding.weight.pow(2).sum(1)
            - 2 * flat @ self.embedding.weight.t()
        )
        indices = torch.argmin(distances, dim=1)
        quantized = self.embedding(indices).view(moved.shape)
        loss = functional.mse_loss(quantized, moved)
        quantized = moved + (quantized - moved).detach()
        return quantized.permute(0, 3, 1, 2).contiguous(), loss, indices


class VQVAE(nn.Module):
    """A code book with the straight-through estimator; the code is what the decoder gets."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 4, 4, 2, 1))
        self.quantizer = VectorQuantizer()
        self.up = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, 2, 1)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        quantized, loss, _ = self.quantizer(self.down(x))
        return self.up(quantized), loss


class HypersphereAE(nn.Module):
    """A code normalised to length one: its norm is narrower than the code and bypassed."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(144, 9)
        self.up = nn.Linear(9, 144)

    def forward(self, x: Tensor) -> Tensor:
        code = functional.normalize(self.down(x.flatten(1)), dim=1)
        return self.up(code).view(x.shape)


class CroppedAE(nn.Module):
    """Odd sizes: pads the image to a multiple of 8 and crops the output again."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(1, 4, 4, 2, 1), nn.ReLU(), nn.Conv2d(4, 2, 4, 4), nn.ReLU()
        )
        self.up = nn.Sequential(
            nn.ConvTranspose2d(2, 4, 4, 4), nn.ReLU(), nn.ConvTranspose2d(4, 1, 4, 2, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        padded = functional.pad(x, (0, 3, 0, 5))
        return self.up(self.down(padded))[:, :, :11, :13]


class AttentionAE(nn.Module):
    """Self-attention over the sites of a feature map."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.to_code = nn.Linear(72, 6)
        self.from_code = nn.Linear(6, 72)
        self.tail = nn.ConvTranspose2d(8, 3, 4, 4)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        mixed, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        code = self.to_code((tokens + mixed).flatten(1))
        return self.tail(self.from_code(code).view(-1, 8, 3, 3))


class DictOutput(nn.Module):
    """forward returns a dictionary; the input is among its values."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(144, 6)
        self.second = nn.Linear(6, 144)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        code = torch.tanh(self.first(x.flatten(1)))
        return {"input": x, "code": code, "recon": self.second(code).view(x.shape)}


class LogitsVAE(nn.Module):
    """enc returns mean and log sd, not log-variance; dec returns logits; torch.normal."""

    def __init__(self) -> None:
        super().__init__()
        self.enc = nn.Sequential(nn.Flatten(), nn.Linear(144, 8))
        self.dec = nn.Linear(4, 144)

    def forward(self, x: Tensor) -> Tensor:
        mean, log_sd = self.enc(x).chunk(2, dim=1)
        z = torch.normal(mean, log_sd.exp())
        return self.dec(z).view(-1, 1, 12, 12)


class GreyHW(nn.Module):
    """Takes (n, H, W) without a channel dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Linear(12, 4)
        self.code = nn.Linear(48, 5)
        self.back = nn.Linear(5, 144)

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width = x.shape
        code = self.code(torch.relu(self.rows(x)).reshape(batch, -1))
        return self.back(code).reshape(batch, height, width)


class FourChannels(nn.Module):
    """RGBA images, weight-normed layers, PReLU, pixel shuffle."""

    def __init__(self) -> None:
        super().__init__()
        conv = nn.Conv2d(4, 8, 4, 4)
        self.down = nn.Sequential(nn.utils.parametrizations.weight_norm(conv), nn.PReLU())
        self.squeeze = nn.Conv2d(8, 2, 1)
        self.up = nn.Sequential(nn.Conv2d(2, 4 * 16, 1), nn.PixelShuffle(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.squeeze(self.down(x)))


class NoGradEncoder(nn.Module):
    """A frozen encoder under torch.no_grad, and an encoder child whose output needs a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(144, 20), nn.ReLU())
        self.head = nn.Linear(20, 5)
        self.decoder = nn.Sequential(nn.Linear(5, 144), nn.Unflatten(1, (1, 12, 12)))

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.encoder(x)
        return self.decoder(self.head(features))


class TiedWeights(nn.Module):
    """The decoder is the encoder's transpose."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 144) * 0.1)
        self.bias = nn.Parameter(torch.zeros(144))

    def forward(self, x: Tensor) -> Tensor:
        code = functional.linear(x.flatten(1), self.weight)
        return functional.linear(code, self.weight.t(), self.bias).view(-1, 1, 12, 12)


class OneUnit(nn.Module):
    """A code of a single number."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(144, 1))
        self.decoder = nn.Sequential(nn.Linear(1, 144), nn.Unflatten(1, (1, 12, 12)))

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


def seeded(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        torch.manual_seed(7)
        module = make().eval()
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.5)
                layer.running_var.uniform_(0.5, 2)
        return module

    return build


def member(
    make: type[nn.Module],
    shape: Shape,
    code: Callable[..., Tensor],
    image: Callable[..., Tensor],
    sd: Callable[..., Tensor] | None = None,
    scripts: bool = True,
) -> Member:
    return Member(make.__name__, seeded(make), shape, code, image, sd, scripts)


def _layers(m: nn.Module, first: int, last: int, x: Tensor) -> Tensor:
    for layer in list(m)[first:last]:
        x = layer(x)
    return x


def _children_code(m: nn.Module, x: Tensor) -> Tensor:
    return m.encoder(x)


def _children_image(m: nn.Module, z: Tensor) -> Tensor:
    return m.decoder(z)


GREY, COLOUR, ODD, RGBA = (1, 12, 12), (3, 12, 12), (1, 11, 13), (4, 12, 12)

MEMBERS: tuple[Member, ...] = (
    member(Dense, GREY, lambda m, x: _layers(m, 0, 4, x), lambda m, z: _layers(m, 4, 8, z)),
    member(FlatDense, GREY, lambda m, x: m.encoder(x.flatten(1)), _children_image),
    member(
        SigmoidCode,
        GREY,
        lambda m, x: torch.sigmoid(m.fc2(functional.relu(m.fc1(x.flatten(1))))),
        lambda m, z: torch.sigmoid(m.fc4(functional.relu(m.fc3(z)))),
    ),
    member(ConvChildren, COLOUR, _children_code, _children_image),
    member(ConvMethods, GREY, lambda m, x: m.encode(x), lambda m, z: m.decode(z)),
    member(BatchNormCode, GREY, lambda m, x: m.norm(m.down(x.flatten(1))), lambda m, z: m.up(z)),
    member(
        TupleVAE,
        GREY,
        lambda m, x: m.encode(x.flatten(1))[0],
        lambda m, z: m.decode(z),
        lambda m, x: torch.exp(0.5 * m.encode(x.flatten(1))[1]),
    ),
    member(
        SamplingListVAE,
        COLOUR,
        lambda m, x: m.encode(x)[0],
        lambda m, z: m.decode(z),
        lambda m, x: torch.exp(0.5 * m.encode(x)[1]),
    ),
    member(
        ChunkVAE,
        GREY,
        lambda m, x: m.body(x)[:, :3],
        lambda m, z: m.back(z),
        lambda m, x: torch.exp(0.5 * m.body(x)[:, 3:]),
    ),
    member(
        RsampleVAE,
        GREY,
        lambda m, x: m.mean(m.features(x)),
        lambda m, z: torch.sigmoid(m.generator(z)),
        lambda m, x: functional.softplus(m.scale(m.features(x))) + 1e-3,
        scripts=False,
    ),
    member(
        DistributionVAE,
        GREY,
        lambda m, x: m.down(x.flatten(1))[:, :4],
        lambda m, z: m.decode(z),
        lambda m, x: torch.exp(0.5 * m.down(x.flatten(1))[:, 4:]),
        scripts=False,
    ),
    member(
        PythaeStyle,
        GREY,
        lambda m, x: m.encoder(x).embedding,
        lambda m, z: m.decoder(z).reconstruction,
        lambda m, x: torch.exp(0.5 * m.encoder(x).log_covariance),
        scripts=False,
    ),
    member(
        TrippleVAE,
        GREY,
        lambda m, x: m.down(x.flatten(1))[:, :5],
        lambda m, z: m.decode(z),
        lambda m, x: torch.exp(0.5 * m.down(x.flatten(1))[:, 5:]),
    ),
    member(
        ResNetAE,
        COLOUR,
        lambda m, x: m.squeeze(m.stem(x).flatten(1)),
        lambda m, z: m.tail(functional.relu(m.expand(z)).view(-1, 16, 6, 6)),
    ),
    member(SqueezeExciteAE, COLOUR, lambda m, x: m.front(x), lambda m, z: m.back(z)),
    member(
        VQVAE,
        COLOUR,
        lambda m, x: m.quantizer(m.down(x))[0],
        lambda m, z: m.up(z),
    ),
    member(
        HypersphereAE,
        GREY,
        lambda m, x: functional.normalize(m.down(x.flatten(1)), dim=1),
        lambda m, z: m.up(z),
    ),
    member(
        CroppedAE,
        ODD,
        lambda m, x: m.down(functional.pad(x, (0, 3, 0, 5))),
        lambda m, z: m.up(z)[:, :, :11, :13],
    ),
    member(
        AttentionAE,
        COLOUR,
        lambda m, x: _attention_code(m, x),
        lambda m, z: m.tail(m.from_code(z).view(-1, 8, 3, 3)),
    ),
    member(
        DictOutput, GREY, lambda m, x: torch.tanh(m.first(x.flatten(1))), lambda m, z: m.second(z)
    ),
    member(
        LogitsVAE,
        GREY,
        lambda m, x: m.enc(x)[:, :4],
        lambda m, z: m.dec(z),
        lambda m, x: m.enc(x)[:, 4:].exp(),
    ),
    member(
        GreyHW,
        GREY,
        lambda m, x: m.code(torch.relu(m.rows(x[:, 0])).flatten(1)),
        lambda m, z: m.back(z),
    ),
    member(
        FourChannels,
        RGBA,
        lambda m, x: m.squeeze(m.down(x)),
        lambda m, z: m.up(z),
        scripts=False,
    ),
    member(NoGradEncoder, GREY, lambda m, x: m.head(m.encoder(x)), _children_image),
    member(
        TiedWeights,
        GREY,
        lambda m, x: functional.linear(x.flatten(1), m.weight),
        lambda m, z: functional.linear(z, m.weight.t(), m.bias),
    ),
    member(OneUnit, GREY, _children_code, _children_image),
)


def _attention_code(m: nn.Module, x: Tensor) -> Tensor:
    tokens = m.stem(x).flatten(2).transpose(1, 2)
    mixed, _ = m.attention(tokens, tokens, tokens, need_weights=False)
    return m.to_code((tokens + mixed).flatten(1))


# Architectures that must be refused, with words that the sentence must hold.


class UNet(nn.Module):
    """A skip by concatenation carries the image past the narrowest activation."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(3, 8, 3, 2, 1)
        self.down2 = nn.Conv2d(8, 2, 3, 2, 1)
        self.up1 = nn.ConvTranspose2d(2, 8, 2, 2)
        self.up2 = nn.ConvTranspose2d(16, 3, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        first = functional.relu(self.down1(x))
        second = functional.relu(self.down2(first))
        return self.up2(torch.cat([functional.relu(self.up1(second)), first], dim=1))


class FullUNet(nn.Module):
    """The input itself is concatenated before the last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 4, 4)
        self.up = nn.ConvTranspose2d(4, 4, 4, 4)
        self.last = nn.Conv2d(7, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.cat([self.up(functional.relu(self.down(x))), x], dim=1))


class NarrowUNet(nn.Module):
    """What is left to cut at is smaller than the image; a narrower node is bypassed."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 2, 2, 2)
        self.deep = nn.Sequential(nn.Conv2d(2, 1, 6, 6), nn.ReLU())
        self.back = nn.ConvTranspose2d(1, 2, 6, 6)
        self.tail = nn.ConvTranspose2d(2, 3, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        return self.tail(self.back(self.deep(stem)) + stem)


class Denoiser(nn.Module):
    """Predicts a residual: the input is added to the output."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Overcomplete(nn.Module):
    """A code larger than the image."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Conv2d(3, 8, 3, padding=1)
        self.outside = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.outside(functional.relu(self.inside(x)))


class Classifier(nn.Sequential):
    """Ten scores for an image."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 10))


class Conditional(nn.Module):
    """forward needs a label."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(432, 5)
        self.up = nn.Linear(15, 432)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        code = torch.cat([self.down(x.flatten(1)), functional.one_hot(label, 10).float()], dim=1)
        return self.up(code).view(-1, 3, 12, 12)


class TwoImages(nn.Module):
    """Takes two images."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(864, 5)
        self.up = nn.Linear(5, 432)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        both = torch.cat([left.flatten(1), right.flatten(1)], dim=1)
        return self.up(self.down(both)).view(-1, 3, 12, 12)


class UniformNoise(nn.Module):
    """Randomness that is no Gaussian sampling of a code."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(432, 5)
        self.up = nn.Linear(5, 432)

    def forward(self, x: Tensor) -> Tensor:
        code = self.down(x.flatten(1))
        return self.up(code * (1 + 0.1 * torch.rand_like(code))).view(-1, 3, 12, 12)


@dataclass(frozen=True)
class Refused:
    """An architecture that must be refused, and what the sentence must say."""

    name: str
    make: Callable[[], nn.Module]
    words: tuple[str, ...]
    inputs: int = 1


REFUSED: tuple[Refused, ...] = (
    Refused("UNet", seeded(UNet), ("bypassed", "cat")),
    Refused("FullUNet", seeded(FullUNet), ("bypassed", "cat")),
    Refused("NarrowUNet", seeded(NarrowUNet), ("bypassed", "add")),
    Refused("Denoiser", seeded(Denoiser), ("no bottleneck",)),
    Refused("Overcomplete", seeded(Overcomplete), ("no bottleneck", "432")),
    Refused("Classifier", seeded(Classifier), ("10", "no autoencoder")),
    Refused("Conditional", seeded(Conditional), ("2 inputs", "label"), inputs=2),
    Refused("TwoImages", seeded(TwoImages), ("2 inputs", "right"), inputs=2),
    Refused("UniformNoise", seeded(UniformNoise), ("random", "rand_like")),
)
