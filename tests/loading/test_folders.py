"""Folders that diffusers and pythae wrote themselves, small and untrained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from pythae import models

from reportgen.errors import DataError, ModelError
from reportgen.loading import inspect_model, load_autoencoder
from tests.loading.attacks import Touch
from tests.loading.image_array import random_images

COLOUR, GREY = (3, 32, 32), (1, 12, 12)
BLOCKS = {
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "block_out_channels": (8, 8),
    "norm_num_groups": 4,
}


def diffusers_model(name: str) -> Any:
    torch.manual_seed(0)
    if name == "AutoencoderKL":
        model = diffusers.AutoencoderKL(latent_channels=2, sample_size=32, **BLOCKS)
    elif name == "VQModel":
        model = diffusers.VQModel(latent_channels=2, num_vq_embeddings=16, **BLOCKS)
    elif name == "AutoencoderDC":
        model = diffusers.AutoencoderDC(
            latent_channels=4,
            attention_head_dim=4,
            encoder_block_out_channels=(8, 8),
            decoder_block_out_channels=(8, 8),
            encoder_layers_per_block=(1, 1),
            decoder_layers_per_block=(1, 1),
            encoder_qkv_multiscales=((), ()),
            decoder_qkv_multiscales=((), ()),
        )
    else:
        model = diffusers.AutoencoderTiny(
            encoder_block_out_channels=(8, 8, 8),
            decoder_block_out_channels=(8, 8, 8),
            num_encoder_blocks=(1, 1, 1),
            num_decoder_blocks=(1, 1, 1),
            latent_channels=2,
        )
    return model.eval()


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "bin"])
@pytest.mark.parametrize("name", ["AutoencoderKL", "VQModel", "AutoencoderTiny", "AutoencoderDC"])
def test_diffusers_folders_are_split_as_diffusers_splits_them(
    name: str, safe: bool, tmp_path: Path
) -> None:
    model = diffusers_model(name)
    model.save_pretrained(tmp_path / "net", safe_serialization=safe)
    images = random_images(COLOUR, count=6)
    found = load_autoencoder(tmp_path / "net", images=images)
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        encoded = model.encode(2 * pixels - 1)
        if name == "AutoencoderKL":
            code, sd = encoded.latent_dist.mode(), encoded.latent_dist.std
            torch.testing.assert_close(found.posterior_sd(pixels), sd, atol=5e-6, rtol=1e-5)
        elif name == "VQModel":
            code = model.quantize(encoded.latents)[0]
        else:
            code = encoded.latent if name == "AutoencoderDC" else encoded.latents
        decoded = model.decode(code, **({"force_not_quantize": True} if name == "VQModel" else {}))
        image = (decoded.sample + 1) / 2
    torch.testing.assert_close(found.encode(pixels), code, atol=5e-6, rtol=1e-5)
    torch.testing.assert_close(found.decode(code), image, atol=5e-6, rtol=1e-5)
    assert found.source.name == "net" and found.source.size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("how", ["fp16", "shards", "fp16 shards"])
def test_diffusers_variants_and_shards_are_read(how: str, tmp_path: Path) -> None:
    model = diffusers_model("AutoencoderKL")
    half = model.half() if "fp16" in how else model
    half.save_pretrained(
        tmp_path / "net",
        variant="fp16" if "fp16" in how else None,
        max_shard_size="30KB" if "shards" in how else "10GB",
    )
    names = [path.name for path in (tmp_path / "net").iterdir()]
    assert ("diffusion_pytorch_model.safetensors" in names) is False
    images = random_images(COLOUR, count=6)
    found = load_autoencoder(tmp_path / "net", images=images)
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        code = half.float().encode(2 * pixels - 1).latent_dist.mode()
    torch.testing.assert_close(found.encode(pixels), code, atol=5e-6, rtol=1e-5)
    (note,) = (note.text for note in found.notes if note.topic == "weights")
    assert ("fp16" in note) is ("fp16" in how)


@pytest.mark.parametrize("listed", ["../elsewhere.safetensors", f"gone{300 * '.'}", 5])
def test_a_list_of_shards_that_is_wrong_is_refused(listed: object, tmp_path: Path) -> None:
    diffusers_model("AutoencoderKL").save_pretrained(tmp_path / "net", max_shard_size="30KB")
    (index,) = (tmp_path / "net").glob("*.index.json")
    index.write_text(json.dumps({"weight_map": {"encoder.conv_in.weight": listed}}))
    with pytest.raises(ModelError, match=r"gone|lists no shards"):
        load_autoencoder(tmp_path / "net", images=random_images(COLOUR, count=4))


def test_codes_are_the_model_s_own_and_pipelines_scaling_is_taken_back_once(tmp_path: Path) -> None:
    """As diffusers' image processors do it: (code − shift) · scale in, / scale + shift out."""
    torch.manual_seed(0)
    model = diffusers.AutoencoderKL(
        latent_channels=2, sample_size=32, scaling_factor=0.5, shift_factor=0.25, **BLOCKS
    ).eval()
    model.save_pretrained(tmp_path / "net")
    images = random_images(COLOUR, count=4)
    found = load_autoencoder(tmp_path / "net", images=images)
    code = found.encode(torch.from_numpy(images.pixels))
    scale, shift = model.config.scaling_factor, model.config.shift_factor
    latent = (code - shift) * scale
    with torch.no_grad():
        shown = (model.decode(latent / scale + shift).sample + 1) / 2
    torch.testing.assert_close(found.decode(code), shown, atol=1e-5, rtol=1e-4)
    (note,) = (note.text for note in found.notes if note.topic == "latents")
    assert "subtract 0.25 (shift_factor) and multiply it by 0.5 (scaling_factor)" in note


@pytest.mark.parametrize(
    ("name", "said"),
    [("AutoencoderKL", "multiply it by 0.18215"), ("VQModel", "0.18215"), ("AutoencoderTiny", "")],
)
def test_a_scaling_that_pipelines_apply_is_said(name: str, said: str, tmp_path: Path) -> None:
    diffusers_model(name).save_pretrained(tmp_path / "net")
    found = load_autoencoder(tmp_path / "net", images=random_images(COLOUR, count=4))
    notes = [note.text for note in found.notes if note.topic == "latents"]
    assert len(notes) == bool(said)
    assert all(said in note for note in notes)


def test_the_vae_of_a_whole_pipeline_is_taken(tmp_path: Path) -> None:
    diffusers_model("AutoencoderKL").save_pretrained(tmp_path / "pipeline" / "vae")
    (tmp_path / "pipeline" / "model_index.json").write_text("{}")
    found = load_autoencoder(tmp_path / "pipeline", images=random_images(COLOUR, count=4))
    assert found.code_shape == (2, 16, 16)
    seen = inspect_model(tmp_path / "pipeline", images=random_images(COLOUR, count=4))
    assert (seen.problem, seen.format, seen.code_shape) == (None, "diffusers folder", (2, 16, 16))


def test_a_diffusers_folder_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    images = random_images(COLOUR, count=4)
    model = diffusers_model("AutoencoderKL")
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    weights = tmp_path / "diffusion_pytorch_model.safetensors"

    def refusal(change: dict) -> str:
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ModelError) as caught:
            load_autoencoder(tmp_path, images=images)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "UNet2DModel" in refusal({"_class_name": "UNet2DModel"})
    assert "conv_in" in refusal({"latent_channels": 3, "in_channels": 4})
    assert "configuration does not make a model" in refusal({"norm_num_groups": 5})
    assert "memory" in refusal({"block_out_channels": [400_000, 400_000], "norm_num_groups": 4})
    weights.write_bytes(weights.read_bytes()[:2000])
    assert "truncated" in refusal({})
    weights.unlink()
    assert "holds no weights" in refusal({})


def test_a_pickle_in_a_diffusers_folder_does_not_run(tmp_path: Path) -> None:
    diffusers_model("AutoencoderKL").save_pretrained(tmp_path / "net", safe_serialization=False)
    path = tmp_path / "net" / "diffusion_pytorch_model.bin"
    torch.save({"a": torch.zeros(1), "b": Touch(tmp_path / "marker")}, path)
    with pytest.raises(ModelError):
        load_autoencoder(tmp_path / "net", images=random_images(COLOUR, count=4))
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["VAE", "BetaVAE", "AE", "VQVAE", "WAE_MMD"])
def test_pythae_folders_are_split_as_pythae_splits_them(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config_name = f"{name}_Config" if "_" in name else f"{name}Config"
    config = getattr(models, config_name)(input_dim=GREY, latent_dim=4)
    model = getattr(models, name)(config).eval()
    model.save(str(tmp_path / "net"))
    images = random_images(GREY, count=8)
    found = load_autoencoder(tmp_path / "net", images=images, normalize="0,1", output="pixels")
    pixels = torch.from_numpy(images.pixels)
    with torch.no_grad():
        encoded = model.encoder(pixels)
        code = encoded.embedding
        image = (
            model({"data": pixels}).recon_x
            if name == "VQVAE"
            else model.decoder(code).reconstruction
        )
    assert found.code_size == 4
    if name != "VQVAE":
        torch.testing.assert_close(found.encode(pixels), code, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(
        found.decode(found.encode(pixels)), image.view_as(pixels), atol=1e-6, rtol=1e-5
    )
    if "VAE" in name and name != "VQVAE":
        torch.testing.assert_close(
            found.posterior_sd(pixels), torch.exp(0.5 * encoded.log_covariance)
        )


def test_networks_pickled_in_a_pythae_folder_are_not_opened(tmp_path: Path) -> None:
    models.AE(models.AEConfig(input_dim=GREY, latent_dim=4)).save(str(tmp_path / "net"))
    import pickle

    (tmp_path / "net" / "encoder.pkl").write_bytes(pickle.dumps(Touch(tmp_path / "marker")))
    with pytest.raises(ModelError, match=r"encoder\.pkl"):
        load_autoencoder(tmp_path / "net", images=random_images(GREY))
    assert not (tmp_path / "marker").exists()


def test_images_of_the_wrong_size_are_named(tmp_path: Path) -> None:
    models.AE(models.AEConfig(input_dim=GREY, latent_dim=4)).save(str(tmp_path / "net"))
    with pytest.raises(DataError, match="1×14×14"):
        load_autoencoder(tmp_path / "net", images=random_images((1, 14, 14)))


def test_a_configuration_of_endless_layers_is_refused_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    diffusers_model("AutoencoderKL").save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["layers_per_block"] = 10**30
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match="it asks for more than 10,000 modules"):
        load_autoencoder(folder, images=random_images(COLOUR))
