"""More of the zoo: the ways that well-known public repositories write their autoencoders.

What makes each of them hard to split is said in its docstring.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.loading.zoo import COLOUR, GREY, Member, Refused, member, seeded


class InterleavedEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 4, stride=2, padding=1)
        self.mu_logvar = nn.Linear(4 * 36, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.relu(self.conv(x)).view((x.size(0), -1))
        mu, logvar = self.mu_logvar(hidden).view(-1, 5, 2).unbind(-1)
        return mu, logvar


class InterleavedVAE(nn.Module):
    """Mean and log-variance take turns in one layer; the posterior is returned as a pair."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = InterleavedEncoder()
        self.decoder = nn.Sequential(
            nn.Linear(5, 4 * 36),
            nn.ReLU(),
            nn.Unflatten(1, (4, 6, 6)),
            nn.ConvTranspose2d(4, 1, 4, 2, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        posterior = self.encoder(x)
        sample = posterior[0]
        if self.training:
            sample = sample + torch.exp(0.5 * posterior[1]) * torch.randn_like(sample)
        return self.decoder(sample), posterior, sample


class View(nn.Module):
    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.view(self.shape)


class NewNoiseVAE(nn.Module):
    """Noise as it was made before randn_like: a trace writes the batch size down in it.

    encoder returns both halves, and decoder takes one of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 8, 4, 2, 1), nn.ReLU(True), View((-1, 8 * 36)), nn.Linear(8 * 36, 10)
        )
        self.decoder = nn.Sequential(
            nn.Linear(5, 8 * 36),
            View((-1, 8, 6, 6)),
            nn.ReLU(True),
            nn.ConvTranspose2d(8, 3, 4, 2, 1),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        distributions = self.encoder(x)
        mu, logvar = distributions[:, :5], distributions[:, 5:]
        std = logvar.div(2).exp()
        eps = std.data.new(std.size()).normal_()
        return self.decoder(mu + std * eps), mu, logvar


class OneSiteVAE(nn.Module):
    """Convolutions down to one site: a code of (4, 1, 1) is four numbers, not four maps."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Conv2d(1, 8, 4, 4), nn.ReLU(True), nn.Conv2d(8, 8, 3))
        self.decode = nn.Sequential(
            nn.Conv2d(4, 8, 1),
            nn.ReLU(True),
            nn.ConvTranspose2d(8, 8, 3),
            nn.ReLU(True),
            nn.ConvTranspose2d(8, 1, 4, 4),
        )

    def forward(self, x: Tensor, no_decoder: bool = False) -> tuple[Tensor, ...] | Tensor:
        statistics = self.encode(x)
        mu, logvar = statistics[:, :4], statistics[:, 4:]
        z = mu + torch.randn_like(mu) * logvar.mul(0.5).exp()
        if no_decoder:
            return z.squeeze()
        return self.decode(z).view(x.size()), mu, logvar, z.squeeze()


class SamplingEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(144, 30)
        self.mean = nn.Linear(30, 4)
        self.log_sd = nn.Linear(30, 4)
        self.noise = torch.distributions.Normal(0, 1)
        self.kl: float | Tensor = 0.0

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.relu(self.hidden(torch.flatten(x, start_dim=1)))
        mu = self.mean(hidden)
        sigma = torch.exp(self.log_sd(hidden))
        self.kl = (sigma**2 + mu**2 - torch.log(sigma) - 1 / 2).sum()
        return mu + sigma * self.noise.sample(mu.shape)


class SamplingEncoderVAE(nn.Module):
    """The encoder returns its sample alone and keeps a distribution and a loss in itself."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = SamplingEncoder()
        self.decoder = nn.Sequential(
            nn.Linear(4, 30), nn.ReLU(), nn.Linear(30, 144), nn.Sigmoid(), View((-1, 1, 12, 12))
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class ParametersVAE(nn.Module):
    """encode returns a sample and one tensor of parameters, whose last dimension tells them apart.

    decode returns the image twice, as probabilities and as logits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(144, 20), nn.ReLU(), nn.Linear(20, 8))
        self.decoder = nn.Sequential(nn.Linear(4, 20), nn.Tanh(), nn.Linear(20, 144))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        parameters = self.encoder(x).view(x.size(0), 4, 2)
        mu, log_sd = parameters.select(-1, 0), parameters.select(-1, 1)
        return torch.randn_like(mu) * torch.exp(log_sd) + mu, parameters

    def decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.decoder(z).view(z.size(0), 1, 12, 12)
        return torch.sigmoid(logits), logits

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        z, parameters = self.encode(x)
        image, logits = self.decode(z)
        return image, logits, z, parameters


class Posterior:
    """A distribution that is not torch's."""

    def __init__(self, parameters: Tensor) -> None:
        self.parameters = parameters
        self.mean, log_variance = torch.chunk(parameters, 2, dim=1)
        self.logvar = torch.clamp(log_variance, -30.0, 20.0)
        self.std = torch.exp(0.5 * self.logvar)

    def sample(self) -> Tensor:
        return self.mean + self.std * torch.randn(self.mean.shape)

    def mode(self) -> Tensor:
        return self.mean


class LatentDiffusionVAE(nn.Module):
    """forward returns a posterior object, which no graph format takes; convolutions around both."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(4, 8), nn.SiLU(), nn.Conv2d(8, 8, 4, 4)
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(2, 8, 3, padding=1),
            nn.SiLU(),
            nn.Upsample(scale_factor=4),
            nn.Conv2d(8, 3, 3, padding=1),
        )
        self.quant_conv = nn.Conv2d(8, 4, 1)
        self.post_quant_conv = nn.Conv2d(2, 2, 1)

    def encode(self, x: Tensor) -> Posterior:
        return Posterior(self.quant_conv(self.encoder(x)))

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(self.post_quant_conv(z))

    def forward(self, x: Tensor, sample_posterior: bool = True) -> tuple[Tensor, Posterior]:
        posterior = self.encode(x)
        z = posterior.sample() if sample_posterior else posterior.mode()
        return self.decode(z), posterior


class OneHotQuantizer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(16, 4)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        inputs = inputs.permute(0, 2, 3, 1).contiguous()
        flat = inputs.view(-1, 4)
        weight = self.embedding.weight
        distances = (
            torch.sum(flat**2, dim=1, keepdim=True)
            + torch.sum(weight**2, dim=1)
            - 2 * torch.matmul(flat, weight.t())
        )
        nearest = torch.argmin(distances, dim=1).unsqueeze(1)
        chosen = torch.zeros(nearest.shape[0], 16).scatter_(1, nearest, 1)
        quantized = torch.matmul(chosen, weight).view(inputs.shape)
        loss = functional.mse_loss(quantized.detach(), inputs)
        quantized = inputs + (quantized - inputs).detach()
        shares = torch.mean(chosen, dim=0)
        perplexity = torch.exp(-torch.sum(shares * torch.log(shares + 1e-10)))
        return loss, quantized.permute(0, 3, 1, 2).contiguous(), perplexity, chosen


class OneHotVQVAE(nn.Module):
    """The code book is read by one-hot vectors that are scattered; a loss is returned first."""

    def __init__(self) -> None:
        super().__init__()
        self._encoder = nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 4, 2, 1))
        self._pre_vq_conv = nn.Conv2d(8, 4, 1)
        self._vq_vae = OneHotQuantizer()
        self._decoder = nn.Sequential(
            nn.ConvTranspose2d(4, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, 2, 1)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        loss, quantized, perplexity, _ = self._vq_vae(self._pre_vq_conv(self._encoder(x)))
        return loss, self._decoder(quantized), perplexity


class InterpolatingAE(nn.Module):
    """The output is resized to the input's size, which is odd and known to the input alone."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 2, 5, 4)
        self.up = nn.Conv2d(2, 4, 3, padding=1)
        self.last = nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.up(torch.tanh(self.down(x)))
        return self.last(functional.interpolate(hidden, size=x.shape[2:], mode="bilinear"))


class LossBesideAE(nn.Module):
    """Returns its loss too, and shapes its output after the input: two edges without pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(144, 5)
        self.shift = nn.Parameter(torch.ones(1, 5))
        self.up = nn.Linear(5, 144)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        code = self.down(x.flatten(1))
        image = self.up(torch.tanh(code + self.shift.expand_as(code))).type_as(x).view_as(x)
        return functional.mse_loss(image, x), image


class TransformerAE(nn.Module):
    """The class token is the code; attention and its blocks drop values in training."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.places = nn.Parameter(torch.randn(1, 10, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.to_code = nn.Linear(8, 6)
        self.from_code = nn.Linear(6, 8)
        self.to_pixels = nn.Linear(8, 48)

    def encoded(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), tokens], 1) + self.places
        return self.to_code(self.blocks(tokens)[:, 0])

    def decoded(self, z: Tensor) -> Tensor:
        tokens = self.from_code(z).unsqueeze(1) + self.places[:, 1:]
        pixels = self.to_pixels(torch.relu(tokens)).view(z.shape[0], 3, 3, 3, 4, 4)
        return pixels.permute(0, 3, 1, 4, 2, 5).reshape(z.shape[0], 3, 12, 12)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoded(self.encoded(x))


class SparseAE(nn.Module):
    """Of the code's units only the largest are kept: what is chosen runs beside the code."""

    def __init__(self) -> None:
        super().__init__()
        self.enc = nn.Linear(144, 20)
        self.dec = nn.Linear(20, 144)

    def forward(self, x: Tensor) -> Tensor:
        hidden = functional.relu(self.enc(x.flatten(1)))
        _, largest = torch.topk(hidden, 5, dim=1)
        kept = torch.zeros_like(hidden).scatter_(1, largest, 1.0)
        return self.dec(hidden * kept).view(x.shape)


class StyledAE(nn.Module):
    """The code enters the decoder at two places, as gains and shifts of constant maps."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.ReLU(), nn.Flatten())
        self.to_code = nn.Linear(72, 7)
        self.constant = nn.Parameter(torch.randn(1, 8, 3, 3))
        self.first = nn.Linear(7, 16)
        self.second = nn.Linear(7, 16)
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.colours = nn.Conv2d(8, 3, 1)

    def styled(self, maps: Tensor, style: Tensor) -> Tensor:
        gain, shift = style.chunk(2, 1)
        return (
            functional.instance_norm(maps) * (1 + gain[:, :, None, None]) + shift[..., None, None]
        )

    def synthesis(self, z: Tensor) -> Tensor:
        maps = self.constant.repeat(z.shape[0], 1, 1, 1)
        maps = functional.leaky_relu(self.styled(maps, self.first(z)), 0.2)
        maps = self.conv(functional.interpolate(maps, scale_factor=4))
        return self.colours(functional.leaky_relu(self.styled(maps, self.second(z)), 0.2))

    def forward(self, x: Tensor) -> Tensor:
        return self.synthesis(self.to_code(self.encoder(x)))


def _halves(m: nn.Module, x: Tensor, half: int) -> Tensor:
    return m.encoder(x).chunk(2, dim=1)[half]


def _hidden(m: nn.Module, x: Tensor) -> Tensor:
    return functional.relu(m.encoder.hidden(x.flatten(1)))


def _sparse(m: nn.Module, x: Tensor) -> Tensor:
    hidden = functional.relu(m.enc(x.flatten(1)))
    # An oracle of its own: what is below the fifth largest is zero.
    fifth = hidden.sort(dim=1, descending=True).values[:, 4:5]
    return torch.where(hidden >= fifth, hidden, 0.0)


MEMBERS: tuple[Member, ...] = (
    member(
        InterleavedVAE,
        GREY,
        lambda m, x: m.encoder(x)[0],
        lambda m, z: m.decoder(z),
        lambda m, x: torch.exp(0.5 * m.encoder(x)[1]),
    ),
    member(
        NewNoiseVAE,
        COLOUR,
        lambda m, x: _halves(m, x, 0),
        lambda m, z: m.decoder(z),
        lambda m, x: torch.exp(0.5 * _halves(m, x, 1)),
        scripts=False,
    ),
    member(
        OneSiteVAE,
        GREY,
        lambda m, x: m.encode(x)[:, :4, 0, 0],
        lambda m, z: m.decode(z[:, :, None, None]),
        lambda m, x: torch.exp(0.5 * m.encode(x)[:, 4:, 0, 0]),
        scripts=False,
    ),
    member(
        SamplingEncoderVAE,
        GREY,
        lambda m, x: m.encoder.mean(_hidden(m, x)),
        lambda m, z: m.decoder(z),
        lambda m, x: torch.exp(m.encoder.log_sd(_hidden(m, x))),
        scripts=False,
    ),
    member(
        ParametersVAE,
        GREY,
        lambda m, x: m.encoder(x)[:, 0::2],
        lambda m, z: torch.sigmoid(m.decoder(z)),
        lambda m, x: torch.exp(m.encoder(x)[:, 1::2]),
        scripts=False,
    ),
    member(
        LatentDiffusionVAE,
        COLOUR,
        lambda m, x: m.encode(x).mode(),
        lambda m, z: m.decode(z),
        lambda m, x: m.encode(x).std,
        scripts=False,
    ),
    member(
        OneHotVQVAE,
        COLOUR,
        lambda m, x: m._vq_vae(m._pre_vq_conv(m._encoder(x)))[1],
        lambda m, z: m._decoder(z),
    ),
    member(
        InterpolatingAE,
        (1, 17, 19),
        lambda m, x: torch.tanh(m.down(x)),
        lambda m, z: m.last(functional.interpolate(m.up(z), size=(17, 19), mode="bilinear")),
    ),
    member(
        LossBesideAE,
        GREY,
        lambda m, x: torch.tanh(m.down(x.flatten(1)) + m.shift),
        lambda m, z: m.up(z),
    ),
    member(
        TransformerAE,
        COLOUR,
        lambda m, x: m.encoded(x),
        lambda m, z: m.decoded(z),
        scripts=False,
    ),
    member(SparseAE, GREY, _sparse, lambda m, z: m.dec(z)),
    member(
        StyledAE,
        COLOUR,
        lambda m, x: m.to_code(m.encoder(x)),
        lambda m, z: m.synthesis(z),
        scripts=False,
    ),
)


class Unpooling(nn.Module):
    """Where each maximum stood goes past the code, into the decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(4, return_indices=True)
        self.unpool = nn.MaxUnpool2d(4)
        self.last = nn.ConvTranspose2d(4, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        code, places = self.pool(functional.relu(self.first(x)))
        return self.last(self.unpool(code, places))


class TwoLevels(nn.Module):
    """A hierarchy of two codes, the finer of which sees the coarser."""

    def __init__(self) -> None:
        super().__init__()
        self.bottom = nn.Conv2d(3, 8, 2, 2)
        self.top = nn.Conv2d(8, 2, 3, 3)
        self.between = nn.ConvTranspose2d(2, 4, 3, 3)
        self.to_bottom = nn.Conv2d(12, 4, 1)
        self.last = nn.ConvTranspose2d(8, 3, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        bottom = self.bottom(x)
        coarse = self.between(torch.round(self.top(functional.relu(bottom)) * 4) / 4)
        fine = self.to_bottom(torch.cat([coarse, bottom], dim=1))
        return self.last(torch.cat([coarse, fine], dim=1))


class AddedSkip(nn.Module):
    """A wide map of the encoder is added to one of the decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 4, 2, 1)
        self.to_code = nn.Linear(8 * 36, 6)
        self.from_code = nn.Linear(6, 8 * 36)
        self.up = nn.ConvTranspose2d(8, 3, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        wide = functional.relu(self.down(x))
        back = self.from_code(self.to_code(wide.flatten(1))).view(-1, 8, 6, 6)
        return self.up(functional.relu(back) + wide)


class BatchStatistics(nn.Module):
    """Batch normalisation without running statistics: an image's code depends on its batch."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 4, 4)
        self.up = nn.ConvTranspose2d(4, 3, 4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(functional.batch_norm(self.down(x), None, None, training=True))


class Categorical(nn.Module):
    """Gumbel noise, which is made of uniform noise."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(432, 12)
        self.up = nn.Linear(12, 432)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.down(x.flatten(1)).view(-1, 3, 4)
        gumbel = -torch.log(-torch.log(torch.rand_like(scores) + 1e-7) + 1e-7)
        return self.up(functional.softmax(scores + gumbel, dim=-1).view(-1, 12)).view(-1, 3, 12, 12)


class ManySamples(nn.Module):
    """Returns five reconstructions for each image."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Linear(432, 4)
        self.up = nn.Linear(4, 432)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.down(x.flatten(1)).unsqueeze(1).repeat(1, 5, 1)
        return self.up(mean + torch.randn_like(mean)).view(-1, 5, 3, 12, 12)


class SuperResolution(nn.Sequential):
    """Returns larger images."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))


REFUSED: tuple[Refused, ...] = (
    Refused("Unpooling", seeded(Unpooling), ("bypassed", "max_unpool2d")),
    Refused("TwoLevels", seeded(TwoLevels), ("bypassed", "cat")),
    Refused("AddedSkip", seeded(AddedSkip), ("bypassed", "add", "6 numbers")),
    Refused("BatchStatistics", seeded(BatchStatistics), ("other images in its batch",)),
    Refused("Categorical", seeded(Categorical), ("random", "rand_like")),
    Refused("ManySamples", seeded(ManySamples), ("5×3×12×12", "no autoencoder")),
    Refused("SuperResolution", seeded(SuperResolution), ("3×24×24", "no autoencoder")),
)
