"""The inverse smoke of bench_smoke in PhiFlow: rollout of 20 steps, four plumes, and the gradient by their initial velocities.
usage: smoke_phiflow.py jax|torch RESULT.h5"""
import os
import sys

import worker
import h5py
import numpy as np

BACKEND = sys.argv[1]
if BACKEND == "torch":
    import torch
    from phi.torch.flow import *
    torch.set_num_threads(len(os.sched_getaffinity(0)))
else:
    import jax
    from phi.jax.flow import *
from phi import __version__ as phiflow_version

BOUNDS = Box(x=32, y=40)
PLACES = tensor([(12., 4), (13., 6), (14., 5), (16., 5)], batch("plume"), channel(vector="x,y"))
INFLOW = CenteredGrid(Sphere(center=PLACES, radius=3), 0, BOUNDS, x=32, y=40) / 3
SOLVE = Solve("auto", 1e-3, 1e-3, suppress=[math.NotConverged, math.Diverged])  # as in the publication


def simulate(smoke, v):
    for _ in range(20):
        smoke = advect.mac_cormack(smoke, v, dt=1) + INFLOW
        v = advect.semi_lagrangian(v, v, dt=1) + (smoke * (0, 1.0)).at(v)
        v, _ = fluid.make_incompressible(v, (), SOLVE)
    return smoke, v


def loss(smoke, v):
    final, _ = simulate(smoke, v)
    return math.sum(math.l2_loss((final - field.stop_gradient(final.plume[-1])).values), "plume"), final


def main():
    v = StaggeredGrid(0, 0, BOUNDS, x=32, y=40) * math.ones(batch(plume=4))
    smoke = CenteredGrid(0, 0, BOUNDS, x=32, y=40) * math.ones(batch(plume=4))
    simulate(smoke, v)
    forward, gradient = simulate, math.gradient(loss, "v", get_output=True)
    if BACKEND == "jax":
        forward, gradient = math.jit_compile(forward), math.jit_compile(gradient)
    finish = jax.block_until_ready if BACKEND == "jax" else lambda a: a
    native = lambda values: values.native("plume,y,x")

    def call_forward():
        return finish(native(forward(smoke, v)[0].values))

    def call_gradient():
        (value, final), v_bar = gradient(smoke, v)
        return finish((value.native(), native(final.values), [native(v_bar.vector[a].values) for a in "xy"]))

    def result():
        value, final, v_bar = call_gradient()
        host = lambda a: np.asarray(a.detach() if BACKEND == "torch" else a)
        with h5py.File(sys.argv[2], "r") as f:
            theirs, gradients = f["final/smoke"][:], [f[f"gradient/velocity_{a}"][:] for a in "xy"]
            their_loss = float(f["loss"][0])
        dot = sum((host(a) * b).sum() for a, b in zip(v_bar, gradients))
        norm = np.sqrt(sum((host(a)**2).sum() for a in v_bar) * sum((b**2).sum() for b in gradients))
        return {"smoke_relative_l2": float(np.linalg.norm(host(final) - theirs) / np.linalg.norm(theirs)),
                "loss": float(host(value)), "loss_relative": abs(float(host(value)) / their_loss - 1),
                "gradient_cosine": float(dot / norm)}

    facts = {"phiflow": phiflow_version, "backend": BACKEND, "precision": "float32", "pressure": "CG to 1e-3"}
    worker.serve(facts, {"forward": call_forward, "gradient": call_gradient}, {"gradient": result})


main()
