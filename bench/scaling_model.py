#!/usr/bin/env python3
"""The model of docs/scaling.md: time of a step or an update on P ranks.

    python3 bench/scaling_model.py [--latency SECONDS] [--bandwidth BYTES_PER_SECOND] [FOLDER]

prints its tables. With FOLDER, the output/scaling of jobscripts/scaling.sbatch, the work is that of the runs on one rank there, and
what was measured on more ranks stands beside the prediction.

    T(P) = 1.1 work / P + fixed + latency messages + bytes / bandwidth
           + per sum over the ranks: 2 latency ceil(log2 P) + 2 (P - 1) / P bytes / bandwidth

Messages and bytes follow from the rules below, which the counts of `weft info` and of the verbs on 1 to 64 ranks confirm.
"""
import argparse
import json
import math
import os

RANKS = [2**k for k in range(13)]
SHARED = 1.1  # how much longer the same work takes on ranks side by side: shared caches, clock, waiting for the slower one


class Load:
    """What a rank does and sends: seconds of work on one rank, seconds that every rank repeats, messages, bytes, sums (bytes each)."""

    def __init__(self, name, unit, folder, work, fixed, traffic):
        self.name, self.unit, self.folder, self.work, self.fixed, self.traffic = name, unit, folder, work, fixed, traffic

    def seconds(self, p, latency, bandwidth):
        traffic = self.traffic(p)
        if traffic is None:
            return None
        share, messages, size, sums = traffic
        time = self.work * share * (SHARED if p > 1 else 1.0) + self.fixed + latency * messages + size / bandwidth
        return time + sum(2 * latency * math.ceil(math.log2(p)) + 2 * (p - 1) / p * s / bandwidth for s in sums if p > 1)


def neighbours(cut):
    """Ranks around one in a periodic box cut into so many parts along each axis; one rank on both sides counts once."""
    return math.prod(min(c, 3) for c in cut) - 1


def flow_2d(n, rows):
    """A step of n x rows(P) cells in slabs: 5 exchanges of whole rows, 2 transposes among all ranks. share: of n x n cells."""

    def traffic(p):
        if rows(p) // p < 4:
            return None
        cells = n * rows(p)
        ghosts = 174240 * n / 512 if p > 1 else 0
        return rows(p) / n / p, 5 * neighbours([p]) + 2 * (p - 1), ghosts + 2 * 8 * cells * (p - 1) / p**2, []

    return traffic


def flow_3d(n):
    """A step of n^3 cells in pencils along x: 5 exchanges; 4 transposes, among the ranks of a row of the process grid each. Ghosts
    per cell of length along x: 68.4 values per cell of the block's circumference that is cut, 461 at its edges."""

    def traffic(p):
        across = 2 ** (math.ceil(math.log2(p)) // 2)
        cut = [across, p // across]
        if n // max(cut) < 4:
            return None
        ghosts = 8 * n * (68.4 * sum(n / (p // c) for c in cut if c > 1) + (461 if min(cut) > 1 else 0))
        moved = sum(2 * 8 * n**3 / p * (c - 1) / c for c in cut)
        return 1 / p, 5 * neighbours(cut) + 2 * sum(c - 1 for c in cut), ghosts + moved, []

    return traffic


def wake_space(p):
    """An update of 3 samples, 4 steps of 32 x 64 cells there and back, in slabs of at least the 4 layers of ghosts."""
    if p > 16:
        return None
    beside = 0 if p == 1 else 1 if p == 2 else 2  # the y sides are open
    return 1 / p, 90 * beside + 7 * 3 * (p - 1), 701832 * beside + 7 * 3 * 49152 * (p - 1) / p**2, [378672]


def wake_replicas(p):
    """An update of 2 samples per rank, each rank a replica: the sum of the gradient is all that is sent."""
    return 1.0, 0, 0, [378672]


def loads(work):
    return [
        Load("512 x 512 flow", "step", "flow", work["flow"], 0.0, flow_2d(512, lambda p: 512)),
        Load("512 x 512 per rank", "step", "wide", work["flow"], 0.0, flow_2d(512, lambda p: 512 * p)),
        Load("256^3 flow", "step", None, work["flow_3d"] * (256 / 64) ** 3, 0.0, flow_3d(256)),
        Load("wake, 3 samples", "update", "space", work["wake"], work["wake_fixed"], wake_space),
        Load("wake, 2 samples per rank", "update", "replicas", 2 / 3 * work["wake"], work["wake_fixed"], wake_replicas),
    ]


def measured(folder, name, p):
    path = os.path.join(folder, f"{name}-{p}", "summary.json")
    if not os.path.exists(path):
        return None
    with open(path) as file:
        summary = json.load(file)
    return summary.get("seconds_per_update", summary.get("seconds_per_step"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=2e-6)
    parser.add_argument("--bandwidth", type=float, default=1e9)
    parser.add_argument("folder", nargs="?")
    options = parser.parse_args()
    work = dict(WORK)
    if options.folder:
        flow, update = measured(options.folder, "flow", 1), measured(options.folder, "space", 1)
        work["flow"] = flow or work["flow"]
        work["wake"] = update - work["wake_fixed"] if update else work["wake"]
    print(f"latency {1e6 * options.latency:g} us, bandwidth {1e-9 * options.bandwidth:g} GB/s; milliseconds")
    all_loads = loads(work)
    print("ranks " + "".join(f"{load.name:>26}" for load in all_loads))
    for p in RANKS:
        line = f"{p:5d} "
        for load in all_loads:
            seconds = load.seconds(p, options.latency, options.bandwidth)
            found = measured(options.folder, load.folder, p) if options.folder and load.folder else None
            text = "-" if seconds is None else f"{1e3 * seconds:.3g}"
            line += f"{text + (f' ({1e3 * found:.3g} measured)' if found else ''):>26}"
        print(line)


# Seconds on one core of the machine of docs/scaling.md: a step of 512 x 512 and of 64^3 cells, an update of the wake (3 samples) and
# what of it every rank repeats: the optimiser.
WORK = {"flow": 10.1e-3, "flow_3d": 28e-3, "wake": 36.8e-3, "wake_fixed": 0.3e-3}

if __name__ == "__main__":
    main()
