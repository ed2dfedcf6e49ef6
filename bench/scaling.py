#!/usr/bin/env python3
"""Counts, times and the model of docs/scaling.md, made anew.

    python3 bench/scaling.py                  counts (exact, also on more ranks than cores; five minutes), times (two), tables
    python3 bench/scaling.py --counts         counts and tables only; --times: times and tables; --report: tables only
    python3 bench/scaling.py --build DIR --data FILE.json --page PAGE.md --work DIR

The file (bench/scaling.json) keeps what was found; the model (scaling_model.py) takes its messages, bytes and work from there.
"""
import argparse
import datetime
import json
import pathlib
import re
import statistics

import compare
import report
import scaling_model

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
FLOW = ["cases/taylor_green/simulate.yaml", "-model_dt", "0.003"]
KINDS = ("halo", "transpose", "reduction")
TURN = "6.283185307179586"  # edge of the periodic box
CUBE = ["-grid_cells", "64,64,64", "-grid_upper", ",".join([TURN] * 3)]
RUNS = 3  # of a time, 1 and 2 ranks in turns


# ---- counts ----------------------------------------------------------------------------------------------------------------------

def count_steps(bench, ranks, name, keys):
    """A step and its adjoint, by `weft info`: {"step": {"halo": n, "halo_bytes": n, ...}, "adjoint": ...}, and the process grid."""
    folder = bench.work / "counts" / f"{name}-{ranks}"
    text = bench.weft(["weft", "info", *FLOW, *keys, "-output", folder], ranks, oversubscribe=True)
    grid = re.findall(r"(\d+) ranks, blocks", text)
    return {"grid": " x ".join(grid[1:]), **json.loads((folder / "summary.json").read_text())["messages"]}


def count_update(bench, ranks, keys):
    """An update of the wake training, by the training itself."""
    folder = bench.work / "counts" / f"wake-{ranks}-{'-'.join(map(str, keys)).strip('-')}"
    bench.weft(["weft", "train", "cases/wake/train.yaml", "-train_dataset", bench.dataset(), "-train_updates", 2, *keys, "-output", folder],
               ranks, oversubscribe=True)
    cost = json.loads((folder / "summary.json").read_text())["cost"]
    return {key: value for kind in KINDS for key, value in ((kind, cost[kind]["messages"]), (f"{kind}_bytes", cost[kind]["bytes"]))}


def counts(bench, all_ranks, before):
    """Those that are there already stay."""
    found = {name: dict(before.get(name, {})) for name in ("flow", "flow_3d", "space", "replicas")}
    for ranks in all_ranks:
        print(f"   counts on {ranks} ranks", flush=True)
        found["flow"][str(ranks)] = count_steps(bench, ranks, "flow", ["-grid_cells", "512,512"])
        found["flow_3d"][str(ranks)] = count_steps(bench, ranks, "flow_3d", CUBE)
        if ranks <= 32:
            found["space"][str(ranks)] = count_update(bench, ranks, ["-team_replicas", 1])
        if ranks <= 4:
            found["replicas"][str(ranks)] = count_update(bench, ranks, ["-team_replicas", ranks, "-train_batch", 2 * ranks])
    return {name: {str(ranks): one for ranks, one in sorted(rows.items(), key=lambda row: int(row[0]))} for name, rows in found.items()}


# ---- times -----------------------------------------------------------------------------------------------------------------------

def workloads(bench, ranks):
    """name: (verb and keys, key of the summary)."""
    train = ["train", "cases/wake/train.yaml", "-train_dataset", bench.dataset(), "-train_updates", 50]
    flow = ["simulate", *FLOW, "-simulate_every", 1000]
    return {"space": ([*train, "-team_replicas", 1], "seconds_per_update"),
            "replicas": ([*train, "-train_batch", 4, "-team_replicas", ranks], "seconds_per_update"),
            "flow": ([*flow, "-simulate_steps", 40, "-grid_cells", "512,512"], "seconds_per_step"),
            "flow_3d": ([*flow, "-simulate_steps", 10, *CUBE], "seconds_per_step"),
            "wide": ([*flow, "-simulate_steps", 40, "-grid_cells", f"512,{512 * ranks}", "-grid_upper", f"{TURN},{float(TURN) * ranks!r}"],
                     "seconds_per_step")}


def times(bench):
    """Seconds of 1 and 2 ranks in turns, and where they go on the slower rank."""
    found = {"seconds": {}, "cost": {}}
    for run in range(RUNS):
        for ranks in (1, 2):
            for name, (words, key) in workloads(bench, ranks).items():
                folder = bench.work / "times" / f"{name}-{ranks}"
                bench.weft(["weft", *words, "-output", folder], ranks)
                summary = json.loads((folder / "summary.json").read_text())
                found["seconds"].setdefault(name, {}).setdefault(ranks, []).append(summary[key])
                found["cost"].setdefault(name, {})[ranks] = {phase: one["seconds_most"] for phase, one in summary["cost"].items() if isinstance(one, dict)}
    output = bench.work / "messages.json"
    bench.weft(["bench/bench_messages", output], 2)
    found["machine"] = {key: value for key, value in json.loads(output.read_text()).items() if key in ("latency", "bandwidth_16kB", "bandwidth_1MB", "sum", "triad")}
    return found


# ---- tables ----------------------------------------------------------------------------------------------------------------------

def table(head, rows):
    return report.table([str(one) for one in head], [[str(one) for one in row] for row in rows])


def both(one, kind, scale, form):
    """Of the step, and of its adjoint in brackets where that differs."""
    values = [form.format(scale * one[sweep][kind]) for sweep in ("step", "adjoint")]
    return values[0] if values[0] == values[1] else f"{values[0]} ({values[1]})"


def flow_table(found):
    def make(data):
        rows = data["counts"][found]
        head = ["ranks"] + [f"{ranks} ({one['grid']})" if found == "flow_3d" else ranks for ranks, one in rows.items()]
        return table(head, [[f"{kind} {unit}", *(both(one, kind + suffix, scale, "{:.0f}") for one in rows.values())]
                            for kind in ("halo", "transpose") for unit, suffix, scale in (("messages", "", 1), ("kB", "_bytes", 1e-3))])
    return make


def wake_table(data):
    columns = {ranks: one for ranks, one in data["counts"]["space"].items()}
    columns.update({f"{ranks} replicas": one for ranks, one in data["counts"]["replicas"].items()})
    rows = [[f"{name} {unit}", *(f"{scale * one[kind + suffix]:.0f}" for one in columns.values())]
            for kind, name in (("halo", "halo"), ("transpose", "transpose"), ("reduction", "sums:"))
            for unit, suffix, scale in (("messages", "", 1), ("kB", "_bytes", 1e-3))]
    return table(["ranks", *columns], rows)


NAMES = {"space": "wake training, 3 samples, ranks in space: update", "replicas": "wake training, 4 samples, a replica per rank: update",
         "flow": "flow 512 x 512: step", "flow_3d": "flow 64 x 64 x 64: step", "wide": "weak: 512 x 512 per rank: step"}


def measured_table(data):
    rows = []
    for name, label in NAMES.items():
        one, two = data["times"]["seconds"][name]["1"], data["times"]["seconds"][name]["2"]
        ratios = [a / b for a, b in zip(one, two)]
        rows.append((label, f"{1e3 * statistics.median(one):.3g} ms", f"{1e3 * statistics.median(two):.3g} ms", f"{statistics.median(ratios):.2f}",
                     ", ".join(f"{ratio:.2f}" for ratio in ratios)))
    machine = data["times"]["machine"]
    for what, label in (("field", "triad on arrays of a field of 512 x 512 (2 MB each)"), ("memory", "triad out of cache (64 MB each)")):
        alone, together = machine["triad"][what]
        rows.append((label, f"{alone:.1f} GB/s", f"2 x {together:.1f} GB/s", f"{2 * together / alone:.2f}", ""))
    return table(("", "1 rank", "2 ranks", "ratio", "each run"), rows) + f"\n\nMeasured {data['date']}, commit {data['commit']}: {data['cpu']}."


def cost_table(data):
    phases = ("solver", "net", "halo", "halo_wait", "transpose", "reduction", "other")
    rows = [[f"{NAMES[name]}, {ranks}", *(f"{1e3 * one[phase]:.2f}" for phase in phases)]
            for name in ("space", "replicas", "flow") for ranks, one in data["times"]["cost"][name].items()]
    return table(["ranks", *(phase.replace("_", " ") for phase in phases)], rows)


def check_table(data):
    """The model with this machine's numbers against what was measured on 2 ranks."""
    machine, seconds = data["times"]["machine"], data["times"]["seconds"]
    rows = []
    for load in scaling_model.loads(data):
        if load.folder is None:
            continue
        found = [1e3 * one for one in seconds[load.folder]["2"]]
        predicted = 1e3 * load.seconds(2, machine["latency"], machine["bandwidth_16kB"])
        rows.append((load.name, f"{predicted:.3g} ms", f"{statistics.median(found):.3g} ms", f"{min(found):.3g} ... {max(found):.3g}"))
    return f"Latency {1e6 * machine['latency']:.2f} us, {1e-9 * machine['bandwidth_16kB']:.1f} GB/s (16 kB; 1 MB: {1e-9 * machine['bandwidth_1MB']:.1f}), `shared` {scaling_model.SHARED}:\n\n" + \
        table(("2 ranks", "model", "measured", "of three"), rows)


def model_table(data):
    loads = scaling_model.loads(data)
    cell = lambda seconds: "-" if seconds is None else f"{1e3 * seconds:.3g}"
    return table(["ranks", *(load.name for load in loads)],
                 [[ranks, *(cell(load.seconds(ranks, scaling_model.LATENCY, scaling_model.BANDWIDTH)) for load in loads)]
                  for ranks in scaling_model.RANKS if ranks >= 8])


TABLES = {"flow": flow_table("flow"), "flow_3d": flow_table("flow_3d"), "wake": wake_table, "measured": measured_table, "cost": cost_table,
          "check": check_table, "model": model_table}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", action="store_true")
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--check", action="store_true", help="only say whether the page holds what the file gives")
    parser.add_argument("--ranks", default="2,4,8,16,32,64", help="ranks to count on")
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--work", default=str(ROOT / "output/bench"))
    parser.add_argument("--data", default=str(HERE / "scaling.json"))
    parser.add_argument("--page", default=str(ROOT / "docs/scaling.md"))
    options = parser.parse_args()
    all_ranks = options.ranks.split(",")
    options.ranks, options.rounds, options.quick = 2, 1, False
    path, page = pathlib.Path(options.data), pathlib.Path(options.page)
    data = json.loads(path.read_text()) if path.exists() else {}
    every = not (options.counts or options.times or options.report or options.check)
    if every or options.counts:
        data["counts"] = counts(compare.Bench(options), [int(ranks) for ranks in all_ranks], data.get("counts", {}))
    if every or options.times:
        bench = compare.Bench(options)
        data["times"] = times(bench)
        data.update(commit=compare.commit(), date=datetime.date.today().isoformat(), cpu=compare.machine(2)["cpu"])
    data = json.loads(json.dumps(data))
    if every or options.counts or options.times:
        path.write_text(json.dumps(data, indent=1) + "\n")
    before = page.read_text()
    text = report.renewed(before, TABLES, data)
    if options.check:
        raise SystemExit(0 if text == before else f"{page} is not what {path} gives; run python3 bench/scaling.py --report")
    page.write_text(text)
    print(f"tables of {page} renewed")


if __name__ == "__main__":
    main()
