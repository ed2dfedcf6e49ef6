"""The wake's training update written by hand in JAX: the same rules as the case, float32, the pressure by a dense inverse, everything
under one jit. What one could write for one problem without a solver library. usage: wake_jax.py UPDATE.h5 STEP.h5"""
import sys

import worker
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import optax
from update_file import Update, flat

NX, NY, H = 32, 64, 100.0 / 32


def pressure_inverse(open_cells, open_x, open_y):
    """Inverse of the five-point matrix of open faces, in units of the spacing; closed cells stand alone."""
    n = NX * NY
    index = np.arange(n).reshape(NY, NX)
    matrix = np.zeros((n, n))

    def couple(a, b, is_open):
        a, b = a[is_open > 0], b[is_open > 0]
        matrix[a, b] += 1
        matrix[b, a] += 1
        np.subtract.at(matrix, (a, a), 1)
        np.subtract.at(matrix, (b, b), 1)

    couple(index[:, :-1], index[:, 1:], open_x)
    couple(index[:-1], index[1:], open_y[1:-1])
    for row, face in ((0, 0), (-1, -1)):  # p = 0 beyond the open ends
        np.subtract.at(matrix, (index[row], index[row]), open_y[face])
    alone = np.diag(matrix) == 0
    matrix[alone, alone] = -1
    return np.linalg.inv(matrix)


class Wake:
    def __init__(self):
        x, y = np.meshgrid(np.arange(NX), np.arange(NY))
        self.open = (np.hypot((x + .5) * H - 50, (y + .5) * H - 50) > 10).astype("f8")
        self.open_x = self.open[:, 1:] * self.open[:, :-1]
        around = np.concatenate([np.ones((1, NX)), self.open, np.ones((1, NX))])
        self.open_y = around[1:] * around[:-1]
        self.at_x = np.meshgrid(np.arange(1, NX) + 0., np.arange(NY) + .5)  # places of faces in cells
        self.at_y = np.meshgrid(np.arange(NX) + .5, np.arange(NY + 1) + 0.)
        soft = lambda at: np.clip((np.hypot(at[0] * H - 50, at[1] * H - 50) - 10) * np.sqrt(2) / H, 0, 1)
        self.mask_x, self.mask_y = soft(self.at_x), soft(self.at_y)
        self.inside_x, self.inside_y = ((at[1] * H < 5).astype("f8") for at in (self.at_x, self.at_y))
        self.inverse = jnp.asarray(pressure_inverse(self.open, self.open_x, self.open_y), jnp.float32)

    @staticmethod
    def pad_x(u):
        return jnp.pad(u, ((0, 0), (0, 0), (1, 1)))

    @staticmethod
    def pad_y(u):
        return jnp.pad(u, ((0, 0), (1, 1), (0, 0)), mode="edge")

    def diffuse(self, u, c):
        y, x = self.pad_y(u), self.pad_x(u)
        return u + c * (y[:, 2:] + y[:, :-2] + x[:, :, 2:] + x[:, :, :-2] - 4 * u)

    @staticmethod
    def interpolate(u, column, row):
        """u [sample][y][x] with a column of zeros at either side, at places counted in its own values."""
        u = jnp.pad(u, ((0, 0), (0, 0), (1, 1)))
        height, width = u.shape[1:]
        column, row = jnp.clip(column + 1, 0, width - 1), jnp.clip(row, 0, height - 1)
        i = jnp.minimum(jnp.floor(column), width - 2).astype(jnp.int32)
        j = jnp.minimum(jnp.floor(row), height - 2).astype(jnp.int32)
        a, b = column - i, row - j
        values, corner = u.reshape(len(u), -1), (j * width + i).reshape(len(u), -1)
        take = lambda shift: jnp.take_along_axis(values, corner + shift, 1).reshape(i.shape)
        return (1 - b) * ((1 - a) * take(0) + a * take(1)) + b * ((1 - a) * take(width) + a * take(width + 1))

    def advect(self, u, v):
        across_x = (v[:, :-1, :-1] + v[:, :-1, 1:] + v[:, 1:, :-1] + v[:, 1:, 1:]) / 4
        wide = self.pad_y(self.pad_x(u))
        across_y = (wide[:, :-1, :-1] + wide[:, :-1, 1:] + wide[:, 1:, :-1] + wide[:, 1:, 1:]) / 4
        new_u = self.interpolate(u, self.at_x[0] - 1 - u / H, self.at_x[1] - .5 - across_x / H)
        new_v = self.interpolate(v, self.at_y[0] - .5 - across_y / H, self.at_y[1] - v / H)
        return new_u, new_v

    def project(self, u, v):
        wide = self.pad_x(u)
        divergence = (wide[:, :, 1:] - wide[:, :, :-1] + v[:, 1:] - v[:, :-1]) * self.open
        p = (divergence.reshape(len(u), -1) @ self.inverse.T).reshape(divergence.shape)
        tall = jnp.pad(p, ((0, 0), (1, 1), (0, 0)))
        return u - (p[:, :, 1:] - p[:, :, :-1]) * self.open_x, v - (tall[:, 1:] - tall[:, :-1]) * self.open_y

    def step(self, u, v, viscosity):
        c = (viscosity / H**2)[:, None, None]
        u, v = self.diffuse(u, c), self.diffuse(v, c)
        u, v = u * (1 - self.inside_x), v * (1 - self.inside_y) + self.inside_y
        u, v = self.advect(u, v)
        return self.project(u * self.mask_x, v * self.mask_y)


def convolve(x, layer):
    return jax.lax.conv_general_dilated(x, layer[0], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + layer[1]


def net(blocks, x):
    for block in blocks[:-1]:
        shortcut = convolve(x, block["shortcut"]) if "shortcut" in block else x
        x = jax.nn.relu(convolve(jax.nn.relu(convolve(x, block["first"])), block["second"]) + shortcut)
    return convolve(x, blocks[-1]["conv"])


def main():
    update, wake = Update(sys.argv[1]), Wake()
    single = lambda tree: jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), tree)
    scale, told = update.velocity_scale, single(update.features / update.feature_scale)

    def correct(blocks, u, v):
        wide = wake.pad_x(u)
        told_everywhere = jnp.broadcast_to(told[:, None, None], v[:, 1:].shape)
        x = jnp.stack([(wide[:, :, 1:] + wide[:, :, :-1]) / (2 * scale[0]), (v[:, 1:] + v[:, :-1]) / (2 * scale[1]),
                       told_everywhere], -1)
        y = net(blocks, x)
        tall = wake.pad_y(y[..., 1])
        return u + scale[0] * (y[:, :, 1:, 0] + y[:, :, :-1, 0]) / 2, v + scale[1] * (tall[:, 1:] + tall[:, :-1]) / 2

    def loss(blocks, start, target, viscosity):
        (u, v), total = start, 0.
        for u_target, v_target in target:
            u, v = correct(blocks, *wake.step(u, v, viscosity))
            total += .5 * (jnp.sum((u - u_target)**2) + jnp.sum((v - v_target)**2))
        return total

    blocks, start, target, viscosity = single((update.blocks(), update.initial, update.target, update.viscosity))
    adam = optax.adam(1e-3)
    moments = adam.init(blocks)

    @jax.jit
    def train(blocks, moments, start, target, viscosity):
        value, gradient = jax.value_and_grad(loss)(blocks, start, target, viscosity)
        change, moments = adam.update(gradient, moments)
        return optax.apply_updates(blocks, change), moments, value

    step = jax.jit(wake.step)
    calls = {"update": lambda: jax.block_until_ready(train(blocks, moments, start, target, viscosity)),
             "forward": lambda: jax.block_until_ready(step(*start, viscosity))}

    def result_update():
        value, gradient = jax.jit(jax.value_and_grad(loss))(blocks, start, target, viscosity)
        return {"loss": float(value), "loss_relative": abs(float(value) / update.loss - 1),
                "gradient_relative": worker.difference(flat(gradient), flat(update.blocks(update.gradient)))}

    def result_forward():
        with h5py.File(sys.argv[2], "r") as f:
            x = [jnp.asarray(f[f"initial/velocity_{a}"][:], jnp.float32) for a in "xy"]
            y = [f[f"final/velocity_{a}"][:] for a in "xy"]
            nu = jnp.asarray(f["viscosity"][:], jnp.float32)
        return {"relative": max(worker.difference(a, b) for a, b in zip(step(*x, nu), y))}

    worker.serve({"jax": jax.__version__, "precision": "float32", "parameters": int(sum(a.size for a in jax.tree.leaves(blocks)))},
                 calls, {"update": result_update, "forward": result_forward})


main()
