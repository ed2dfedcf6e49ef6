"""Flow in a periodic box with jax-cfd: semi-implicit steps (its default convection, implicit diffusion and pressure by FFT), compiled.
Writes the velocity that both programs start from. usage: periodic_jaxcfd.py CELLS STEPS START.h5"""
import sys
from importlib.metadata import version

import worker
import h5py
import jax
import jax.numpy as jnp
import jax_cfd.base as cfd
import numpy as np

VISCOSITY = 1e-3


def main():
    n, steps, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    grid = cfd.grids.Grid((n, n), domain=((0, 2 * np.pi), (0, 2 * np.pi)))
    start = cfd.initial_conditions.filtered_velocity_field(jax.random.PRNGKey(0), grid, maximum_velocity=7.0, peak_wavenumber=4)
    dt = float(cfd.equations.stable_time_step(7.0, 0.5, VISCOSITY, grid))
    step = cfd.equations.semi_implicit_navier_stokes(density=1.0, viscosity=VISCOSITY, dt=dt, grid=grid)
    play = cfd.funcutils.repeated(step, steps)
    forward = jax.jit(play)
    gradient = jax.jit(jax.grad(lambda v: .5 * sum(jnp.sum(u.data**2) for u in play(v))))

    # axes [x][y], face i above cell i, against [y][x] and the face below
    to_file = lambda v: [np.roll(np.asarray(u.data, "f8"), 1, a).T for a, u in enumerate(v)]
    with h5py.File(path, "w") as f:
        f.attrs.update(weft=np.bytes_("fields"), cells=[n, n], lower=[0., 0.], upper=[2 * np.pi] * 2)
        f["time"] = [0.]
        for name, values in zip(("velocity_x", "velocity_y"), to_file(start)):
            f[name] = values[None]

    def taylor_green():
        """Error against the exact decay after the same steps, relative to the largest velocity."""
        x = [np.meshgrid(*(np.asarray(axis) for axis in u.grid.axes(u.offset)), indexing="ij") for u in start]
        exact = [np.cos(x[0][0]) * np.sin(x[0][1]), -np.sin(x[1][0]) * np.cos(x[1][1])]
        v = tuple(cfd.grids.GridVariable(cfd.grids.GridArray(jnp.asarray(e, jnp.float32), u.offset, grid), u.bc)
                  for e, u in zip(exact, start))
        decay = np.exp(-2 * VISCOSITY * dt * steps)
        return max(float(np.abs(np.asarray(u.data) - decay * e).max()) for u, e in zip(forward(v), exact))

    def result(path=path + ".ours"):
        with h5py.File(path, "r") as f:
            ours = [f[f"final/velocity_{a}"][0] for a in "xy"]
            ours_bar = [f[f"gradient/velocity_{a}"][0] for a in "xy"]
        norm = lambda arrays: np.sqrt(sum((a**2).sum() for a in arrays))
        apart = lambda a, b: float(norm([p - q for p, q in zip(a, b)]) / norm(b))
        theirs = to_file(forward(start))
        theirs_bar = to_file(gradient(start))
        return {"velocity_relative_l2": apart(theirs, ours), "change_relative_l2": apart(to_file(start), ours),
                "gradient_relative_l2": apart(theirs_bar, ours_bar),
                "divergence": float(max(jnp.abs(cfd.finite_differences.divergence(forward(start)).data).max(), 0)),
                "taylor_green_error": taylor_green()}

    calls = {"forward": lambda: jax.block_until_ready(forward(start)), "gradient": lambda: jax.block_until_ready(gradient(start))}
    worker.serve({"jax-cfd": version("jax-cfd"), "jax": jax.__version__, "precision": "float32", "dt": dt}, calls, {"periodic": result})


main()
