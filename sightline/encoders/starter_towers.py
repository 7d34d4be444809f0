"""The starter's two towers in the words of timm and transformers, so that open_clip can build them.

Knows shapes only: no files and no weights. `starter_open_clip` writes the checkpoints these towers are filled from.
"""

from __future__ import annotations

from typing import Any

from sightline.encoders.torchvision_repair import repair
from sightline.errors import MissingExtra

PICTURE_TOWER = "sightline_starter"  # its name in timm
WIDTHS, DEPTHS, FEATURES = (64, 128, 256, 384), (1, 2, 4, 2), 1024
TEXT_TOWER = "blenderbot"  # its encoder is the starter's: pre-norm, learned places, exact GELU, a norm at the end


def register() -> None:
    """Make both towers known to open_clip in this process; without it, open_clip cannot build what the folder holds.

    Costs nothing the second time. Raises MissingExtra.
    """
    try:
        repair()
        import timm
        from open_clip.hf_configs import arch_dict
    except ImportError as exc:
        raise MissingExtra("open_clip_torch", "clip") from exc
    if not timm.is_model(PICTURE_TOWER):
        timm.models.register_model(sightline_starter)
    names = {
        **{"width": "d_model", "heads": "encoder_attention_heads", "layers": "encoder_layers"},
        **{"context_length": "max_position_embeddings", "vocab_size": "vocab_size"},
        **{"layer_attr": "layers", "token_embeddings_attr": "embed_tokens"},
    }
    arch_dict.setdefault(TEXT_TOWER, {"config_names": names, "pooler": "mean_pooler"})


def sightline_starter(pretrained: bool = False, **options: Any) -> Any:
    """The picture tower as timm builds it: 4 x 4 pixels to 48 channels, nine residual blocks, 1,024 features.

    Batch norms are folded into the convolutions before them, so there are none here.
    """
    from timm.layers import ConvNormAct
    from timm.models import ByobNet, build_model_with_cfg
    from timm.models.byobnet import ByoBlockCfg, ByoModelCfg
    from torch import nn

    stages = zip(DEPTHS, WIDTHS, (1, 2, 2, 2), strict=True)
    blocks = tuple(ByoBlockCfg(type="basic", d=depth, c=width, s=stride) for depth, width, stride in stages)
    layout = ByoModelCfg(blocks, stem_type="3x3", stem_pool="", stem_chs=WIDTHS[0], num_features=FEATURES)
    card = {"architecture": PICTURE_TOWER, "input_size": (3, 128, 128), "first_conv": "stem.1"}
    options["pretrained_cfg"] = options.get("pretrained_cfg") or card
    net = build_model_with_cfg(ByobNet, PICTURE_TOWER, pretrained, model_cfg=layout, **options)
    for layer in [module for module in net.modules() if isinstance(module, ConvNormAct)]:
        conv = layer.conv
        layer.conv = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding)
        layer.bn = layer.bn.act
    net.stem = nn.Sequential(nn.PixelUnshuffle(4), nn.Conv2d(48, WIDTHS[0], 3, padding=1), nn.ReLU())
    return net
