"""Renews the tables between <!-- name --> and <!-- end --> in docs/performance.md, and its plots, from the results of bench/compare.py."""
import argparse
import json
import pathlib
import re
import statistics

ROOT = pathlib.Path(__file__).resolve().parent.parent


def time_text(seconds):
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(row) + " |" for row in rows])


def spread(one):
    """Quarter of the runs that are fastest and slowest left out."""
    values = sorted(one["seconds"])
    if len(values) < 4:
        return ""
    return f"{time_text(values[len(values) // 4])} ... {time_text(values[-1 - len(values) // 4])}"


def prefix(name):
    return name.split(": ")[1] if ": " in name else ""


def best_of_ours(row, part=""):
    """Our time for a part of a row ("forward"): the fastest of our sides."""
    mine = [one for name, one in row["sides"].items() if one["who"] == "ours" and prefix(name) == part]
    return min(mine, key=lambda one: one["median"])


# ---- tables ------------------------------------------------------------------------------------------------------------------------

def machine_table(results):
    if "machine" not in results:
        return "not measured"
    m = results["machine"]
    rows = [("processor", f"{m['cpu']} (family {m['family']}, model {m['model']}), {', '.join(m['instruction_sets'])}, cache {m['cache']}"),
            ("cores", f"{m['cores_used']} used of {m['cores']}"), ("memory", f"{m['memory_bytes'] / 2**30:.0f} GiB"),
            ("system", m["system"]), ("compiler, MPI", f"{m['compiler']}; {m['mpi']}")]
    versions = {}
    for row in results["rows"].values():
        for one in row.get("sides", {}).values():
            versions.update({key: one["facts"][key] for key in ("phiflow", "jax", "jax-cfd", "torch") if key in one["facts"]})
    rows.append(("other programs", ", ".join(f"{key} {value}" for key, value in sorted(versions.items()))))
    rows.append(("measured", "; ".join(sorted({f"{row['date'][:10]}, commit {row['commit']}" for row in results["rows"].values()}))))
    return table(("", ""), rows)


def times_table(results):
    rows = []
    for name, row in results["rows"].items():
        if "sides" not in row or name == "convolution":
            continue
        for label, one in row["sides"].items():
            part = prefix(label)
            if one["who"] == "ours":
                rows.append((row["title"] + (f" ({part})" if part else ""), f"**{label.split(': ')[0]}**", f"**{time_text(one['median'])}**",
                             spread(one), "", ""))
                continue
            ratio = one["median"] / best_of_ours(row, part)["median"]
            wanted = row["targets"].get(label)
            verdict = "" if not wanted else f"{wanted}: " + ("reached" if ratio >= wanted else "**missed**")
            note = f" ({one['note']})" if one.get("note") else ""
            rows.append(("", label.split(": ")[0] + note, time_text(one["median"]), spread(one), f"{ratio:.3g}", verdict))
        if "seconds" in row["targets"]:
            ours = best_of_ours(row)["median"]
            rows.append(("", "", "", "", "", f"at most {row['targets']['seconds']} s: " + ("reached" if ours <= row["targets"]["seconds"] else "**missed**")))
        if "gradient over forward" in row["targets"]:
            forward, gradient = (best_of_ours(row, part)["median"] for part in ("forward", "gradient"))
            ratio, wanted = gradient / (forward * row["steps"]), row["targets"]["gradient over forward"]
            theirs = row["sides"]["jax-cfd: gradient"]["median"] / (row["sides"]["jax-cfd: forward"]["median"] * row["steps"])
            rows.append(("", f"gradient over its forward sweep: {ratio:.3g} (jax-cfd {theirs:.3g})", "", "", "",
                         f"at most {wanted}: " + ("reached" if ratio <= wanted else "**missed**")))
    if not rows:
        return "not measured"
    return table(("work", "program", "median", "middle half", "times ours", "wanted"), rows) + "\n\n![Times on a logarithmic axis](performance.svg)"


def checks_table(results):
    rows = [(row["title"].split(":")[0] if i == 0 else "", one["what"], f"{one['value']:.2g}", f"{'≥' if one['at'] == 'least' else '≤'} {one['bound']:g}",
             "yes" if one["passed"] else "**no**")
            for row in results["rows"].values() for i, one in enumerate(row.get("checks", []))]
    return table(("row", "compared", "value", "bound", "holds"), rows) if rows else "not measured"


def differences_list(results):
    return "\n".join(f"- {row['title'].split(':')[0]}: {row['differences']}" for row in results["rows"].values() if "differences" in row)


def convolution_table(results):
    row = results["rows"].get("convolution")
    if not row:
        return "not measured"
    rows = []
    for name in [label.split(": ")[1] for label in row["sides"] if label.startswith("PyTorch")]:
        kernel, cells, batch, what = name.split(" ")
        nx, ny = (int(n) for n in cells.split("x"))
        flops = 2 * int(kernel)**2 * 32 * 32 * nx * ny * int(batch) * (3 if what == "both" else 1)
        rate = {who: 1e-9 * flops / row["sides"][f"{who}: {name}"]["median"] for who in ("PyTorch", "Weft, winograd", "Weft, direct")}
        rows.append((f"{kernel} x {kernel}", f"{ny} x {nx}", batch, "forward + backward" if what == "both" else "forward",
                     f"{rate['PyTorch']:.0f}", f"**{rate['Weft, winograd']:.0f}**", f"{rate['Weft, direct']:.0f}",
                     f"{rate['Weft, winograd'] / rate['PyTorch']:.2f}" + ("" if rate["Weft, winograd"] >= rate["PyTorch"] else " **missed**"),
                     f"{rate['Weft, direct'] / rate['PyTorch']:.2f}"))
    best = 2e-9 * 1024**3 / statistics.median(row["sgemm"]["seconds"])
    return table(("taps", "cells", "samples", "", "PyTorch", "Weft, tiles (Winograd)", "Weft, direct", "tiles over PyTorch", "direct over PyTorch"), rows) + \
        f"\n\nGFLOP/s of the direct sum on one core; PyTorch's float32 product of 1024^3 reaches {best:.0f} there."


def roofline_table(results):
    row = results["rows"].get("roofline")
    if not row:
        return "not measured"
    text = []
    for ranks, one in row["ranks"].items():
        text.append(f"**{ranks} rank{'s' if ranks != '1' else ''}**, figures of one rank while all run: triad {1e-9 * one['triad']:.1f} GB/s "
                    f"({1e-9 * one['triad_streaming']:.1f} with streaming stores), float32 product {1e-9 * one['sgemm']:.1f} GFLOP/s ({one['blas']}), "
                    f"float64 {1e-9 * one['dgemm']:.1f}.\n")
        rows = []
        for name, r in one["rows"].items():
            memory, products = r["seconds_bandwidth"], r["seconds_products"]
            limit = max(memory, products)
            rows.append((name, f"{1e-6 * r['bytes']:.0f}", f"{1e-6 * r['flops']:.0f}", f"{1e3 * r['seconds']:.1f}", f"{1e3 * limit:.1f}",
                         "bandwidth" if memory >= products else "products", f"{1e-9 * r['bytes'] / r['seconds']:.1f}",
                         f"{1e-9 * r['flops'] / r['seconds']:.1f}", f"{100 * limit / r['seconds']:.0f} %"))
        text.append(table(("operator", "MB", "Mflop", "ms", "limit, ms", "by", "GB/s", "GFLOP/s", "of the limit"), rows) + "\n")
    return "\n".join(text) + "\n![Roofline](roofline.svg)"


def memory_table(results):
    row = results["rows"].get("wake_update")
    if not row or "memory" not in row:
        return "not measured"
    ours = row["memory"]["Weft"]
    verdict = lambda name, ratio: "" if not name.startswith("PhiFlow") else "10: " + ("reached" if ratio >= 10 else "**missed**")
    rows = [(name, f"{bytes_ / 2**20:.0f} MiB", *(("", "") if name == "Weft" else (f"{bytes_ / ours:.1f}", verdict(name, bytes_ / ours))))
            for name, bytes_ in row["memory"].items()]
    return table(("wake training", "largest resident set", "times ours", "wanted"), rows) + \
        f"\n\nOurs is the sum over {row['sides']['Weft']['facts']['ranks']} ranks, pages that they share counted for each."


TABLES = {"machine": machine_table, "times": times_table, "checks": checks_table, "differences": differences_list,
          "convolution": convolution_table, "roofline": roofline_table, "memory": memory_table}


# ---- plots -----------------------------------------------------------------------------------------------------------------------------

def plots(results, folder):
    if not results["rows"]:
        return
    import matplotlib
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "weft"
    import matplotlib.pyplot as plt
    bars = []
    for name, row in results["rows"].items():
        if "sides" not in row or name == "convolution":
            continue
        bars.append((row["title"].split(":")[0], None, None))
        bars += [(label, one["median"], one["who"]) for label, one in row["sides"].items()]
    colour = {"ours": "#c0392b", "peer": "#7f8c8d", "published": "#bdc3c7"}
    figure, axes = plt.subplots(figsize=(9, .26 * len(bars) + 1))
    for i, (label, seconds, who) in enumerate(reversed(bars)):
        if seconds is None:
            axes.text(-.01, i, label, transform=axes.get_yaxis_transform(), ha="right", va="center", weight="bold", fontsize=8)
            continue
        axes.barh(i, seconds, color=colour[who])
        axes.text(seconds * 1.1, i, time_text(seconds), va="center", fontsize=7)
        axes.text(-.01, i, label, transform=axes.get_yaxis_transform(), ha="right", va="center", fontsize=7)
    axes.set(xscale="log", xlabel="seconds (median)", yticks=[], ylim=(-1, len(bars)))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "performance.svg", bbox_inches="tight", metadata={"Date": None})
    roofline = results["rows"].get("roofline")
    if roofline:
        figure, axes = plt.subplots(figsize=(9, 5))
        one = roofline["ranks"]["1"]
        intensity = [10**(k / 20 - 2) for k in range(120)]
        for rate, label, style in ((one["sgemm"], "float32 product", "-"), (one["dgemm"], "float64 product", "--")):
            axes.plot(intensity, [1e-9 * min(rate, one["triad"] * x) for x in intensity], style, color="black", lw=1, label=label)
        for name, r in one["rows"].items():
            kind = "net" if name.startswith("convolution") else "adjoint" if name.endswith("adjoint") else "apply"
            axes.plot(r["flops"] / r["bytes"], 1e-9 * r["flops"] / r["seconds"], {"net": "s", "adjoint": "v", "apply": "o"}[kind],
                      color={"net": "#c0392b", "adjoint": "#2980b9", "apply": "#27ae60"}[kind], ms=5)
        for kind, mark, shade in (("operators, apply", "o", "#27ae60"), ("operators, adjoint", "v", "#2980b9"), ("convolutions", "s", "#c0392b")):
            axes.plot([], [], mark, color=shade, label=kind)
        axes.set(xscale="log", yscale="log", xlabel="flops per byte that must be moved", ylabel="GFLOP/s of one core",
                 title="Operators out of cache, one rank (Winograd's flops counted as those of the direct sum)")
        axes.legend(fontsize=8)
        figure.savefig(folder / "roofline.svg", bbox_inches="tight", metadata={"Date": None})


def renewed(text, tables, data):
    """The text of a page with its tables, each between <!-- name --> and <!-- end -->, made anew."""
    for name, make in tables.items():
        text, places = re.subn(f"<!-- {name} -->.*?<!-- end -->", lambda _: f"<!-- {name} -->\n{make(data)}\n<!-- end -->", text, flags=re.S)
        if not places:
            raise SystemExit(f"the page has no place <!-- {name} --> ... <!-- end --> for a table")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", default=str(ROOT / "bench/results.json"))
    parser.add_argument("--page", default=str(ROOT / "docs/performance.md"))
    parser.add_argument("--check", action="store_true", help="only say whether the page holds what the results give")
    options, _ = parser.parse_known_args()
    results, page = json.loads(pathlib.Path(options.results).read_text()), pathlib.Path(options.page)
    before = (page if page.exists() else ROOT / "docs/performance.md").read_text()
    text = renewed(before, TABLES, results)
    if options.check:
        raise SystemExit(0 if text == before else f"{page} is not what {options.results} gives; run bench/run.sh --report")
    page.write_text(text)
    plots(results, page.parent)
    print(f"tables of {page} and plots beside it renewed from {options.results}")


if __name__ == "__main__":
    main()
