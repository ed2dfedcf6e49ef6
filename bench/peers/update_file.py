"""What bench_update writes: one update of the wake training, with its result."""
import h5py
import numpy as np


class Update:
    def __init__(self, path):
        with h5py.File(path, "r") as f:
            self.initial = [f["initial/velocity_x"][:], f["initial/velocity_y"][:]]  # [sample][y][x]
            self.unroll = len(f["target"])
            self.target = [[f[f"target/{n}/velocity_{a}"][:] for a in "xy"] for n in range(self.unroll)]
            self.viscosity = f["viscosity"][:]  # per sample
            self.features = f["features"][:]
            self.velocity_scale = f["scales/velocity"][:]
            self.feature_scale = float(f["scales/features"][0])
            self.loss = float(f["loss"][0])
            self.loss_without_net = float(f["loss_without_net"][0])
            self.parameters = {name: f["parameters"][name][:] for name in f["parameters"]}
            self.gradient = {name: f["gradient"][name][:] for name in f["gradient"]}
        self.batch = len(self.viscosity)

    def blocks(self, of=None):
        """Convolutions of the published net as (weights [y][x][in][out], bias): per residual block first, second and, where the
        channels change, the shortcut; the output layer last."""
        arrays = self.parameters if of is None else of
        pair = lambda name: (arrays[name + ".weight"], arrays[name + ".bias"])
        layers = sorted({name.split(".")[0] for name in arrays}, key=int)
        return [{part: pair(f"{n}.residual.{part}") for part in ("first", "second", "shortcut")
                 if f"{n}.residual.{part}.weight" in arrays} for n in layers[:-1]] + [{"conv": pair(f"{layers[-1]}.conv")}]


def flat(blocks):
    return np.concatenate([np.ravel(a) for block in blocks for part in sorted(block) for a in block[part]])
