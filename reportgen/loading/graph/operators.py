"""The operators that a model's graph may use, and what the graph passes must know of them.

The allow-list names aten operators that only compute tensors from tensors: none reads or writes a
file, loads code, or changes torch's own state. A graph read from a file is run with these alone.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import torch


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_LAYERS = """
linear conv1d conv2d conv3d convolution _convolution conv_transpose1d conv_transpose2d
conv_transpose3d batch_norm instance_norm group_norm layer_norm rms_norm native_batch_norm
_native_batch_norm_legit _native_batch_norm_legit_functional
_native_batch_norm_legit_no_training native_group_norm native_layer_norm
native_dropout dropout dropout_ feature_dropout feature_dropout_ alpha_dropout alpha_dropout_
feature_alpha_dropout feature_alpha_dropout_ bilinear
embedding scaled_dot_product_attention channel_shuffle pixel_shuffle
pixel_unshuffle native_channel_shuffle im2col col2im unfold unfold_copy cudnn_batch_norm
_batch_norm_with_update _batch_norm_no_update max_unpool2d grid_sampler grid_sampler_2d
affine_grid_generator prelu _prelu_kernel cosine_similarity _weight_norm
_weight_norm_interface _fused_rms_norm lstm gru rnn_tanh rnn_relu
_native_multi_head_attention _transformer_encoder_layer_fwd
"""
_ACTIVATIONS = """
relu relu_ relu6 relu6_ leaky_relu leaky_relu_ elu elu_ selu selu_ celu celu_ gelu gelu_ silu silu_
mish mish_ sigmoid sigmoid_ tanh tanh_ softplus hardtanh hardtanh_ hardsigmoid
hardsigmoid_ hardswish hardswish_ hardshrink softshrink threshold threshold_ log_sigmoid
log_sigmoid_forward glu softmax _softmax log_softmax _log_softmax rrelu rrelu_
rrelu_with_noise special_expit logit
"""
_POOLING = """
max_pool1d max_pool2d max_pool3d max_pool2d_with_indices max_pool1d_with_indices avg_pool1d
avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d _adaptive_avg_pool2d
adaptive_avg_pool3d _adaptive_avg_pool3d
adaptive_max_pool1d adaptive_max_pool2d upsample_nearest1d upsample_nearest2d
upsample_nearest3d _upsample_nearest_exact2d upsample_bilinear2d _upsample_bilinear2d_aa
_upsample_nearest_exact1d _upsample_nearest_exact3d _upsample_lanczos2d_aa
upsample_bicubic2d _upsample_bicubic2d_aa upsample_linear1d upsample_trilinear3d constant_pad_nd pad
reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d reflection_pad3d
replication_pad3d _pad_enum _pad_circular
"""
_ARITHMETIC = """
add add_ sub sub_ rsub mul mul_ div div_ true_divide floor_divide remainder fmod neg neg_ negative
abs abs_ absolute sign sgn exp exp_ expm1 exp2 log log_ log1p log2 log10 logaddexp logsumexp sqrt
sqrt_ rsqrt rsqrt_ square square_ pow pow_ float_power reciprocal reciprocal_ sin cos tan asin acos
atan atan2 sinh cosh asinh acosh atanh erf erfc erfinv floor ceil round round_ trunc frac clamp
clamp_ clamp_min clamp_min_ clamp_max clamp_max_ clip minimum maximum fmin fmax addcmul addcmul_
addcdiv addcdiv_ lerp lerp_ nan_to_num where hypot heaviside xlogy multiply multiply_ subtract
divide divide_ sinc lgamma digamma sum_to_size
"""
_COMPARISON = """
eq ne lt le gt ge not_equal less less_equal greater greater_equal logical_and logical_or logical_not
logical_xor bitwise_and bitwise_or bitwise_not bitwise_xor isnan isinf isfinite isclose
_is_all_true _is_any_true all any __and__ __or__
"""
_REDUCTION = """
sum mean var std var_mean std_mean prod amax amin max min aminmax argmax argmin norm linalg_norm
linalg_vector_norm linalg_matrix_norm cumsum cumprod nansum nanmean median topk sort argsort
bincount dist cdist _cdist_forward _euclidean_dist pairwise_distance count_nonzero
frobenius_norm mse_loss
"""
_MATRIX = """
mm bmm matmul addmm addmv baddbmm mv dot inner outer ger einsum tensordot chain_matmul linalg_vecdot
linalg_multi_dot kron diag diagonal diag_embed tril triu trace inverse linalg_inv linalg_cholesky
linalg_qr cross linalg_cross
"""
_SHAPE = """
view view_as _unsafe_view reshape reshape_as flatten unflatten squeeze unsqueeze permute transpose
t numpy_T mT movedim moveaxis swapaxes expand expand_as expand_copy broadcast_to broadcast_tensors
repeat repeat_interleave tile cat concat concatenate stack hstack vstack chunk split
split_with_sizes unsafe_chunk unsafe_split unsafe_split_with_sizes tensor_split unbind slice select
narrow index index_select gather take_along_dim take flip fliplr flipud rot90 roll contiguous clone
detach detach_ alias alias_copy lift lift_fresh lift_fresh_copy to _to_copy type_as copy copy_ fill
fill_ zero_ masked_fill masked_fill_ scatter scatter_ scatter_add scatter_add_ index_put index_put_
index_add index_fill masked_scatter slice_scatter select_scatter diagonal_copy view_copy slice_copy
select_copy squeeze_copy unsqueeze_copy permute_copy transpose_copy t_copy split_with_sizes_copy
split_copy unbind_copy view_as_real view_as_complex real imag complex as_strided_copy meshgrid
cartesian_prod atleast_1d atleast_2d one_hot size sym_size sym_numel numel sym_stride
sym_storage_offset dim stride is_floating_point resolve_conj resolve_neg
squeeze_ unsqueeze_ transpose_ t_ _reshape_alias _reshape_copy
"""
_CREATION = """
zeros zeros_like ones ones_like full full_like empty empty_like empty_strided new_zeros new_ones
new_full new_empty arange linspace eye scalar_tensor tensor empty_permuted new_empty_strided
fill_diagonal_
"""
RANDOM = names(
    """
    randn randn_like normal normal_ normal_functional rand rand_like randint randint_like randperm
    bernoulli bernoulli_ multinomial exponential exponential_ uniform uniform_ log_normal_
    geometric_ cauchy_ random_ random poisson _standard_gamma _sample_dirichlet binomial
    log_normal cauchy geometric
    """
)
GAUSSIAN = frozenset({"randn", "randn_like", "normal", "normal_", "normal_functional"})
_FOURIER = "fft_fft2 fft_ifft2 fft_rfft2 fft_irfft2 fft_fftshift fft_ifftshift _fft_r2c _fft_c2r"

ALLOWED = RANDOM | names(
    f"{_LAYERS} {_ACTIVATIONS} {_POOLING} {_ARITHMETIC} {_COMPARISON} {_REDUCTION} {_MATRIX} "
    f"{_SHAPE} {_CREATION} {_FOURIER}"
)

# They check or announce, and compute nothing that a graph goes on with.
ASSERTIONS = names(
    """
    _assert_async _assert_scalar _assert_tensor_metadata sym_constrain_range
    _functional_assert_async     sym_constrain_range_for_size _functional_sym_constrain_range
    _functional_sym_constrain_range_for_size _print warn
    """
)

# Arithmetic on sizes. No pow and no shifts: they make huge integers out of small files.
SIZE_FUNCTIONS: dict[str, Callable[..., Any]] = {
    f"{place}.{name}": getattr(module, name)
    for place, module, listed in (
        (
            "_operator",
            operator,
            "add sub mul floordiv truediv mod neg pos eq ne lt le gt ge and_ or_ not_ getitem",
        ),
        ("math", math, "trunc ceil floor"),
        ("torch", torch, "sym_int sym_float sym_max sym_min sym_not sym_ite"),
    )
    for name in listed.split()
}

# Only the shape of the first argument matters to these, not its values.
SHAPE_ONLY = names(
    """
    zeros_like ones_like full_like empty_like randn_like rand_like randint_like new_zeros new_ones
    new_full new_empty new_empty_strided size sym_size sym_numel numel sym_stride dim stride
    sym_storage_offset is_floating_point
    """
)
LINEAR_MAPS = names(
    """
    linear conv1d conv2d conv3d convolution _convolution conv_transpose1d conv_transpose2d
    conv_transpose3d mm addmm matmul bmm baddbmm einsum bilinear mv addmv lstm gru
    """
)
CONVOLUTIONS = names("conv2d convolution _convolution conv_transpose2d")
# The same numbers in another arrangement.
REARRANGEMENTS = names(
    """
    view view_as _unsafe_view reshape reshape_as flatten unflatten squeeze unsqueeze contiguous
    clone detach alias lift lift_fresh lift_fresh_copy to _to_copy type_as view_copy squeeze_copy
    unsqueeze_copy alias_copy copy _reshape_copy dropout
    """
)


def base_name(target: object) -> str:
    """ "conv2d" for `torch.ops.aten.conv2d.default`; "getitem" for a function."""
    if isinstance(target, torch._ops.OpOverload):
        return target._opname
    return getattr(target, "__name__", str(target))


def resolve_aten(name: str, overload: str, trust: bool) -> torch._ops.OpOverload | None:
    """The aten operator of that name where it is allowed and exists; None otherwise."""
    if name not in ALLOWED and name not in ASSERTIONS and not trust:
        return None
    packet = getattr(torch.ops.aten, name, None)
    if packet is None or overload.startswith("_") or overload not in packet.overloads():
        return None
    operator: torch._ops.OpOverload = getattr(packet, overload)
    return operator
