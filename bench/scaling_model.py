#!/usr/bin/env python3
"""The model of docs/scaling.md: time of a step or an update on P ranks.

    python3 bench/scaling_model.py [--latency SECONDS] [--bandwidth BYTES_PER_SECOND] [FOLDER]

prints its tables. With FOLDER, the output/scaling of jobscripts/scaling.sbatch, the work is that of the runs on one rank there, and
what was measured on more ranks stands beside the prediction.

    T(P) = 1.1 work / P + fixed + latency messages + bytes / bandwidth
           + per sum over the ranks: 2 latency ceil(log2 P) + 2 (P - 1) / P bytes / bandwidth

Messages and bytes follow from the rules below and the counts on 2 ranks in bench/scaling.json (scaling.py), which the counts of `weft info`
and of the verbs on 1 to 64 ranks confirm; the work is the time of one rank there.
"""
import argparse
import json
import math
import pathlib
import statistics

HERE = pathlib.Path(__file__).resolve().parent
RANKS = [2**k for k in range(13)]
SHARED = 1.1  # how much longer the same work takes on ranks side by side: shared caches, clock, waiting for the slower one
LATENCY, BANDWIDTH = 2e-6, 1e9  # of a rank of a busy node behind 400 Gbit/s: assumed
FIXED = 0.25e-3  # seconds of an update that every rank repeats: the optimiser


class Load:
    """What a rank does and sends: seconds of work on one rank, seconds that every rank repeats, messages, bytes, sums (bytes each)."""

    def __init__(self, name, folder, work, fixed, traffic):
        self.name, self.folder, self.work, self.fixed, self.traffic = name, folder, work, fixed, traffic

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


def flow_2d(counts, n, rows):
    """A step of n x rows(P) cells in slabs: exchanges of whole rows, 2 transposes among all ranks. share: of n x n cells."""
    two = counts["flow"]["2"]["step"]

    def traffic(p):
        if rows(p) // p < 4:
            return None
        cells = n * rows(p)
        ghosts = two["halo_bytes"] * n / 512 if p > 1 else 0
        return rows(p) / n / p, two["halo"] * neighbours([p]) + 2 * (p - 1), ghosts + 2 * 8 * cells * (p - 1) / p**2, []

    return traffic


def flow_3d(counts, n):
    """A step of n^3 cells in pencils along x: exchanges; 4 transposes, among the ranks of a row of the process grid each. Ghosts per cell
    of length along x: 68.4 values per cell of the block's circumference that is cut, 461 at its edges."""
    exchanges = counts["flow_3d"]["2"]["step"]["halo"]

    def traffic(p):
        across = 2 ** (math.ceil(math.log2(p)) // 2)
        cut = [across, p // across]
        if n // max(cut) < 4:
            return None
        ghosts = 8 * n * (68.4 * sum(n / (p // c) for c in cut if c > 1) + (461 if min(cut) > 1 else 0))
        moved = sum(2 * 8 * n**3 / p * (c - 1) / c for c in cut)
        return 1 / p, exchanges * neighbours(cut) + 2 * sum(c - 1 for c in cut), ghosts + moved, []

    return traffic


def wake_space(counts):
    """An update of 3 samples, 4 steps of 32 x 64 cells there and back, in slabs of at least the 4 layers of ghosts."""
    two = counts["space"]["2"]

    def traffic(p):
        if p > 16:
            return None
        beside = 0 if p == 1 else 1 if p == 2 else 2  # the y sides are open
        lines = 4 * two["transpose_bytes"] * (p - 1) / p**2
        return 1 / p, two["halo"] * beside + two["transpose"] * (p - 1), two["halo_bytes"] * beside + lines, [counts["replicas"]["2"]["reduction_bytes"]]

    return traffic


def wake_replicas(counts):
    """An update of 2 samples per rank, each rank a replica: the sum of the gradient is all that is sent."""
    return lambda p: (1.0, 0, 0, [counts["replicas"]["2"]["reduction_bytes"]])


def loads(data, work=None):
    """work: {folder: seconds on one rank} in place of what the file has."""
    one = {name: statistics.median(seconds["1"]) for name, seconds in data["times"]["seconds"].items()}
    one.update(work or {})
    counts = data["counts"]
    return [
        Load("step, 512 x 512", "flow", one["flow"], 0.0, flow_2d(counts, 512, lambda p: 512)),
        Load("step, 512 x 512 per rank", "wide", one["flow"], 0.0, flow_2d(counts, 512, lambda p: 512 * p)),
        Load("step, 64^3", "flow_3d", one["flow_3d"], 0.0, flow_3d(counts, 64)),
        Load("step, 256^3", None, one["flow_3d"] * (256 / 64) ** 3, 0.0, flow_3d(counts, 256)),
        Load("update, wake, 3 samples in space", "space", one["space"] - FIXED, FIXED, wake_space(counts)),
        Load("update, wake, 2 samples per replica", "replicas", 0.5 * (one["replicas"] - FIXED), FIXED, wake_replicas(counts)),
    ]


def measured(folder, name, p):
    path = pathlib.Path(folder) / f"{name}-{p}" / "summary.json"
    if not path.exists():
        return None
    summary = json.loads(path.read_text())
    return summary.get("seconds_per_update", summary.get("seconds_per_step"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=float, default=LATENCY)
    parser.add_argument("--bandwidth", type=float, default=BANDWIDTH)
    parser.add_argument("folder", nargs="?")
    options = parser.parse_args()
    work = {}
    if options.folder:
        work = {name: measured(options.folder, name, 1) for name in ("flow", "space")}
        work = {name: seconds for name, seconds in work.items() if seconds}
    print(f"latency {1e6 * options.latency:g} us, bandwidth {1e-9 * options.bandwidth:g} GB/s; milliseconds")
    all_loads = loads(json.loads((HERE / "scaling.json").read_text()), work)
    print("ranks " + "".join(f"{load.name:>38}" for load in all_loads))
    for p in RANKS:
        line = f"{p:5d} "
        for load in all_loads:
            seconds = load.seconds(p, options.latency, options.bandwidth)
            found = measured(options.folder, load.folder, p) if options.folder and load.folder else None
            text = "-" if seconds is None else f"{1e3 * seconds:.3g}"
            line += f"{text + (f' ({1e3 * found:.3g} measured)' if found else ''):>38}"
        print(line)


if __name__ == "__main__":
    main()
