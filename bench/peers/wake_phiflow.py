"""The wake in PhiFlow: a step without and with the training's net, on the data of bench_update.
With PyTorch an update runs as the published training does, operator by operator; with JAX the step, and the whole update with Adam, are
compiled as one. PhiFlow's residual block applies its second ReLU before it adds the shortcut, where Um et al. and the case apply it
after; the work is the same. usage: wake_phiflow.py jax|torch UPDATE.h5 STEP.h5 REFERENCE_STEP.h5"""
import os
import sys

import worker
import h5py
import numpy as np
from update_file import Update

BACKEND = sys.argv[1]
if BACKEND == "torch":
    import torch
    from phi.torch.flow import *
    torch.set_num_threads(len(os.sched_getaffinity(0)))
else:
    import jax
    import optax
    from phi.jax.flow import *
from phi import __version__ as phiflow_version
from phi.flow import extrapolation
from phiml.nn import adam, parameter_count, res_net, update_weights

BOUNDS = Box(x=100, y=200)
SIDES = {"x": 0, "y": extrapolation.BOUNDARY}
CIRCLE = Obstacle(Sphere(x=50, y=50, radius=10))
SOLVE = Solve("CG", 1e-5, 1e-5, max_iterations=2000)


class Wake:
    def __init__(self, nx, viscosity):
        self.nx, self.ny = nx, 2 * nx
        self.viscosity = wrap(np.asarray(viscosity, "f4"), batch("b"))
        self.inside = StaggeredGrid(Box(x=(-100, 200), y=(-1, 5)), SIDES, BOUNDS, x=self.nx, y=self.ny)
        self.compiled = math.jit_compile(self.step)

    def velocity(self, components):
        """components: x and y as [sample][y][x], numpy or arrays of JAX that are traced."""
        values = [tensor(c.swapaxes(1, 2), batch("b"), spatial("x,y")) for c in components]
        return StaggeredGrid(math.stack(values, dual(vector="x,y")), SIDES, BOUNDS, x=self.nx, y=self.ny)

    def step(self, v):
        v = diffuse.explicit(v, self.viscosity, dt=1.0)
        v = v * (1.0 - self.inside) + self.inside * vec(x=0, y=1)
        v = advect.semi_lagrangian(v, v, dt=1.0)
        return fluid.make_incompressible(v, [CIRCLE], SOLVE)[0]


def native(v):
    return [v.vector[a].values.native("b,y,x") for a in "xy"]


def finish(arrays):
    if BACKEND == "jax":
        jax.block_until_ready(arrays)
    return arrays


def step_of(path, nx):
    """Calls and result of one step from a state in a file, compared with the state after it there."""
    with h5py.File(path, "r") as f:
        start = [np.asarray(f[f"initial/velocity_{a}"][:], "f4") for a in "xy"]
        after = [f[f"final/velocity_{a}"][:] for a in "xy"]
        wake = Wake(nx, f["viscosity"][:])
    v = wake.velocity(start)
    warm = []

    def call():
        if not warm:  # PhiFlow keeps parts of its geometry from a first step that is not compiled
            warm.append(wake.step(v))
        return finish(native(wake.compiled(v)))

    def result():
        mine = call()
        return {"relative": max(worker.difference(np.asarray(a), b) for a, b in zip(mine, after)),
                "relative_l2": float(np.sqrt(sum(((np.asarray(a) - b)**2).sum() for a, b in zip(mine, after)) / sum((b**2).sum() for b in after)))}

    return call, result


class Training:
    def __init__(self, update):
        self.update, self.wake = update, Wake(update.initial[1].shape[2], update.viscosity)
        self.net = res_net(3, 2, [32, 32, 32], batch_norm=False, activation="ReLU", in_spatial=2)
        self.start = self.wake.velocity([np.asarray(c, "f4") for c in update.initial])
        self.target = [self.wake.velocity([np.asarray(c, "f4") for c in t]) for t in update.target]
        self.scale = vec(x=float(update.velocity_scale[0]), y=float(update.velocity_scale[1]))
        self.told = wrap(np.asarray(update.features / update.feature_scale, "f4"), batch("b"))

    def correct(self, v):
        seen = v.at_centers().values / self.scale
        told = math.expand(self.told, seen.shape.spatial & channel(vector="told"))
        out = math.native_call(self.net, math.concat([seen, told], "vector"))
        out = math.rename_dims(out, out.shape.channel, channel(vector="x,y")) * self.scale
        return v + CenteredGrid(out, extrapolation.BOUNDARY, BOUNDS).at(v)

    def loss(self, v, with_net=True):
        total = 0
        for target in self.target:
            v = self.wake.step(v)
            if with_net:
                v = self.correct(v)
            total += math.sum(math.l2_loss((v - target).values), "b")
        return total

    def torch_update(self):
        optimizer = adam(self.net, 1e-3)
        return lambda: float(update_weights(self.net, optimizer, self.loss, self.start))

    def jax_update(self):
        optimizer = optax.adam(1e-3)
        parameters = self.net.parameters
        moments = optimizer.init(parameters)

        def loss(parameters, components):
            kept, self.net.parameters = self.net.parameters, parameters
            v = self.wake.velocity(components)
            value = self.loss(v)
            self.net.parameters = kept
            return value.native()

        @jax.jit
        def train(parameters, moments, components):
            value, gradient = jax.value_and_grad(loss)(parameters, components)
            change, moments = optimizer.update(gradient, moments)
            return optax.apply_updates(parameters, change), moments, value

        components = [jax.numpy.asarray(np.asarray(c, "f4")) for c in self.update.initial]
        warm = []

        def run():
            if not warm:
                warm.append(self.loss(self.start))
            return jax.block_until_ready(train(parameters, moments, components))

        return run

    def result(self):
        loss = float(self.loss(self.start, with_net=False))
        return {"loss_without_net": loss, "loss_without_net_relative": abs(loss / self.update.loss_without_net - 1)}


def main():
    training = Training(Update(sys.argv[2]))
    calls, results = {}, {"update": training.result}
    calls["forward"], results["forward"] = step_of(sys.argv[3], training.wake.nx)
    facts = {"phiflow": phiflow_version, "backend": BACKEND, "precision": "float32", "pressure": "CG to 1e-5",
             "parameters": parameter_count(training.net)}
    calls["update"] = training.torch_update() if BACKEND == "torch" else training.jax_update()
    calls["reference"], results["reference"] = step_of(sys.argv[4], 128)
    worker.serve(facts, calls, results)


main()
