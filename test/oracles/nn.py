"""Values of flax (0.12.8) and JAX (0.10.2) in float64 that the layers of stdlib/nn.opt are compared with: python3 nn.py > nn.json (pip install flax)."""

import json

import flax.linen as fl
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


def wave(*shape):
    return np.sin(0.7 * np.arange(np.prod(shape)) + 0.3).reshape(shape)


def tide(*shape):
    return np.cos(0.4 * np.arange(np.prod(shape))).reshape(shape)


values = {}


def show(name, v):
    values[name] = [round(float(x), 9) for x in np.asarray(v).ravel()]


def run(module, params, *args, **kw):
    return module.apply({"params": params}, *args, **kw)


f64 = dict(dtype=jnp.float64, param_dtype=jnp.float64)
line = np.linspace(-3, 3, 7)
show("gelu_exact", jax.nn.gelu(line, approximate=False))
show("gelu", jax.nn.gelu(line, approximate=True))
show("selu", jax.nn.selu(line))
show("mish", jax.nn.mish(line))
show("softsign", jax.nn.soft_sign(line))
show("hard_sigmoid", jax.nn.hard_sigmoid(line))
show("hard_silu", jax.nn.hard_silu(line))
show("silu", jax.nn.silu(line))
show("elu", jax.nn.elu(line))
show("leaky_relu", jax.nn.leaky_relu(line, 0.01))

# normalization
x = wave(2, 3, 4)
show("layer_norm", run(fl.LayerNorm(epsilon=1e-5, **f64), {"scale": tide(4), "bias": wave(4)}, x))
show("rms_norm", run(fl.RMSNorm(epsilon=1e-6, **f64), {"scale": tide(4)}, x))
image = wave(2, 3, 2, 6)
show("group_norm", run(fl.GroupNorm(num_groups=3, epsilon=1e-5, **f64), {"scale": tide(6), "bias": wave(6)}, image))
bn = fl.BatchNorm(use_running_average=False, momentum=0.9, epsilon=1e-5, **f64)
stats = {"mean": np.zeros(6), "var": np.ones(6)}
y, after = bn.apply({"params": {"scale": tide(6), "bias": wave(6)}, "batch_stats": stats}, image, mutable=["batch_stats"])
show("batch_norm", y)
show("batch_mean", after["batch_stats"]["mean"])
# flax moves by the biased variance, PyTorch (and nn.opt) by the unbiased one
biased = after["batch_stats"]["var"]
rows = 2 * 3 * 2
unbiased = 0.9 + (biased - 0.9) * rows / (rows - 1)
show("batch_var", unbiased)
frozen = fl.BatchNorm(use_running_average=True, epsilon=1e-5, **f64)
show("batch_eval", frozen.apply({"params": {"scale": tide(6), "bias": wave(6)}, "batch_stats": {"mean": after["batch_stats"]["mean"], "var": unbiased}}, image))

# convolution layers
show("conv2d", run(fl.Conv(4, (3, 3), strides=2, padding="SAME", feature_group_count=2, **f64), {"kernel": tide(3, 3, 3, 4), "bias": wave(4)}, image))
show("conv1d", run(fl.Conv(5, (3,), padding="CAUSAL", **f64), {"kernel": tide(3, 4, 5), "bias": wave(5)}, wave(2, 6, 4)))
show("upsample", jax.image.resize(image, (2, 6, 4, 6), "nearest"))

# attention
q, k, v = wave(2, 2, 4, 3), tide(2, 2, 5, 3), wave(2, 2, 5, 3)
swap = lambda a: np.swapaxes(a, 1, 2)
show("attention", swap(jax.nn.dot_product_attention(swap(q), swap(k), swap(v))))
k, v = tide(2, 2, 4, 3), wave(2, 2, 4, 3)
show("causal", swap(jax.nn.dot_product_attention(swap(q), swap(k), swap(v), is_causal=True)))
mask = np.arange(4)[:, None] != np.arange(4)[None, :]
show("masked", swap(jax.nn.dot_product_attention(swap(q), swap(k), swap(v), mask=mask)))


def heads(kernel, bias, d, h):
    return {"kernel": kernel.reshape(d, h, -1), "bias": bias.reshape(h, -1)}


x, d, h = wave(2, 4, 6), 6, 3
mha = fl.MultiHeadDotProductAttention(num_heads=h, **f64)
W = [tide(6, 6) * s for s in (1.0, 0.7, -0.5, 0.3)]
b = [wave(6) * s for s in (0.1, 0.2, 0.3, 0.4)]
params = {n: heads(W[i], b[i], d, h) for i, n in enumerate(["query", "key", "value"])}
params["out"] = {"kernel": W[3].reshape(h, -1, d), "bias": b[3]}
causal = fl.make_causal_mask(np.ones((2, 4)))
show("heads", run(mha, params, x, x, mask=causal))
other = wave(2, 3, 6)
show("cross", run(mha, params, x, other))

# recurrent cells: flax keeps a map for each gate
x, s = wave(2, 3), tide(2, 4)
A, B = tide(3, 12), wave(4, 12) * 0.5
ab, bb = wave(12) * 0.1, tide(12) * 0.2
gate = lambda M, i: M[..., 4 * i : 4 * i + 4]
# flax: r and z have one bias, on the input side; n has one on each side, in names ir, iz, in, hr, hz, hn
gru = {
    "ir": {"kernel": gate(A, 0), "bias": gate(ab, 0) + gate(bb, 0)},
    "iz": {"kernel": gate(A, 1), "bias": gate(ab, 1) + gate(bb, 1)},
    "in": {"kernel": gate(A, 2), "bias": gate(ab, 2)},
    "hr": {"kernel": gate(B, 0)},
    "hz": {"kernel": gate(B, 1)},
    "hn": {"kernel": gate(B, 2), "bias": gate(bb, 2)},
}
show("gru", run(fl.GRUCell(4, **f64), gru, s, x)[1])
A, B, ab, bb = tide(3, 16), wave(4, 16) * 0.5, wave(16) * 0.1, tide(16) * 0.2
lstm = {}
for i, n in enumerate(["i", "f", "g", "o"]):
    lstm["i" + n] = {"kernel": gate(A, i)}
    lstm["h" + n] = {"kernel": gate(B, i), "bias": gate(ab, i) + gate(bb, i)}
(c1, h1), _ = run(fl.LSTMCell(4, **f64), lstm, (wave(2, 4), s), x)
show("lstm_h", h1)
show("lstm_c", c1)

# a block of a transformer, put together from flax's own layers
x = wave(2, 4, 6)
p = lambda scale: {"scale": 1 + 0.1 * tide(6), "bias": 0.1 * scale * wave(6)}
ln = fl.LayerNorm(epsilon=1e-5, **f64)
u = x + run(mha, params, run(ln, p(1), x), mask=causal)
wide = run(fl.Dense(12, **f64), {"kernel": tide(6, 12) * 0.4, "bias": wave(12) * 0.1}, run(ln, p(2), u))
show("block", u + run(fl.Dense(6, **f64), {"kernel": wave(12, 6) * 0.3, "bias": tide(6) * 0.1}, jax.nn.gelu(wide)))
show("embedding", run(fl.Embed(5, 3, **f64), {"embedding": tide(5, 3)}, np.array([[4, 0], [1, 1]])))
print(json.dumps(values))
