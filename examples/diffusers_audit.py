"""The spatial latents of diffusers' AutoencoderKL, flat and position by position.

The weights are random: put your own model in its place.

    python examples/diffusers_audit.py
"""

import torch
from diffusers import AutoencoderKL

from vaelib import answers, encode
from vaelib.datasets import digits


def main() -> None:
    """Encode in both views, ask."""
    torch.manual_seed(0)
    data = digits()
    split = data.split(seed=0)
    inputs = data.x[split.train], data.x[split.test]
    model = AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        latent_channels=2,
        sample_size=8,
    )
    for view in ("flat", "position"):
        train, test = (encode(model, x, view=view) for x in inputs)
        if view == "position":  # those of one image depend on each other: one of each
            train, test = (
                tuple(one_position(values, len(x)) for values in pair)
                for pair, x in zip((train, test), inputs, strict=True)
            )
        print(f"\n{view}: {len(train[0])} latents of {train[0].shape[1]} dimensions")
        for answer in answers(*train, test):
            print(f"{answer.question}: {answer.verdict}. {answer.sentence}")


def one_position(values: torch.Tensor, images: int) -> torch.Tensor:
    """Of every image the latent of one position, the same for equal numbers of images."""
    positions = len(values) // images
    chosen = torch.randint(positions, (images,), generator=torch.Generator().manual_seed(0))
    return values.view(images, positions, -1)[torch.arange(images), chosen]


if __name__ == "__main__":
    main()
