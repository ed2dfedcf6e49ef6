"""Runs the rows of the comparison and keeps their results. Started by bench/run.sh; python3 bench/compare.py --list names the rows."""
import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
REYNOLDS = "97.65625,781.25,3125"  # three of the training's
RENEWED = ("bench/results.json", "docs/performance.md", "docs/performance.svg", "docs/roofline.svg", "docs/scaling.md", "bench/scaling.json")


# ---- sides: programs that can be asked for times ----------------------------------------------------------------------------------

class Failed(Exception):
    """A row cannot be measured; the others can."""


class Peer:
    """A process of bench/peers that stands by; see worker.py."""

    def __init__(self, name, bench, script, *arguments):
        self.name, self.log = name, bench.work / f"{name.replace(' ', '_').replace('/', '_')}.log"
        command = [sys.executable, str(HERE / "peers" / script), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log.open("w"),
                                        text=True, env=bench.environment, cwd=HERE / "peers")
        self._facts = None

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"{self.name} ended early; its messages are in {self.log}:\n" +
                             "".join(self.log.read_text().splitlines(True)[-8:]))
        return json.loads(line)

    @property
    def facts(self):
        if self._facts is None:
            self._facts = self._read()["facts"]
        return self._facts

    def ask(self, **request):
        self.facts
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._read()

    def prepare(self, what):
        """Compiles; a message where the call fails, else None."""
        answer = self.ask(prepare=what)
        self.facts.setdefault("first_call_seconds", {})[what] = answer.get("seconds")
        return answer.get("fails")

    def seconds(self, what, runs):
        return self.ask(measure=what, runs=runs)["seconds"]

    def result(self, what):
        return self.ask(result=what)["result"]

    def memory(self):
        return self.ask(memory=True)["memory"]

    def end(self):
        self.process.kill()
        self.process.wait()


class Weft:
    """A benchmark or the command: runs anew each time and leaves its times in a JSON file. pick: that file -> {what: [seconds]}."""

    def __init__(self, name, bench, command, output, pick, ranks=None):
        self.name, self.bench, self.command, self.output, self.pick = name, bench, command, output, pick
        self.ranks = bench.ranks if ranks is None else ranks
        self.facts, self._kept = {"ranks": self.ranks}, {}

    def prepare(self, what):
        return None

    def seconds(self, what, runs):
        """One start of the program serves every `what` of its file."""
        if not self._kept.get(what):
            self.bench.weft(self.command, self.ranks)
            summary = json.loads(pathlib.Path(self.output).read_text())
            self._kept = self.pick(summary)
            for key in ("replicas", "space", "kernels"):
                if key in summary:
                    self.facts[key] = summary[key]
        return self._kept.pop(what)


# ---- the bench: folders, machine, measuring ------------------------------------------------------------------------------------------

def first_line(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def commit():
    """The commit that is measured; "+" where files of it were changed, those that a run renews left out."""
    git = lambda *words: subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)
    name = git("rev-parse", "--short", "HEAD")
    if name.returncode:
        return "unknown"
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", *(f":(exclude){path}" for path in RENEWED)).stdout.strip()
    return name.stdout.strip() + ("+" if changed else "")


def machine(cores):
    text = lambda path: pathlib.Path(path).read_text() if pathlib.Path(path).exists() else ""
    cpu = dict(line.split(":", 1) for line in text("/proc/cpuinfo").split("\n\n")[0].splitlines() if ":" in line)
    cpu = {key.strip(): value.strip() for key, value in cpu.items()}
    sets = [flag for flag in ("avx2", "fma", "avx512f", "avx512dq", "avx512vl", "avx512bw", "avx512_bf16", "amx_tile")
            if flag in cpu.get("flags", "").split()]
    memory = next((int(line.split()[1]) * 1024 for line in text("/proc/meminfo").splitlines() if line.startswith("MemTotal")), 0)
    return {"cpu": cpu.get("model name", platform.processor()), "family": cpu.get("cpu family"), "model": cpu.get("model"),
            "instruction_sets": sets, "cache": cpu.get("cache size"), "cores": os.cpu_count(), "cores_used": cores,
            "memory_bytes": memory, "system": platform.platform(), "compiler": first_line(["cc", "--version"]),
            "mpi": first_line(["mpirun", "--version"]), "python": platform.python_version()}


class Bench:
    def __init__(self, options):
        self.build, self.work = pathlib.Path(options.build).resolve(), pathlib.Path(options.work).resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.ranks, self.rounds, self.quick = options.ranks, options.rounds, options.quick
        self.budget = 0.5 if self.quick else 2.0  # seconds of a side in a round
        self.environment = {**os.environ, "PYTHONPATH": str(HERE / "peers")}
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            self.environment.pop(name, None)
        if os.geteuid() == 0:
            self.environment.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        if hasattr(os, "sched_setaffinity"):  # the same cores for everybody
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:self.ranks])
        self._peers = {}

    def weft(self, command, ranks=1, wrap=(), oversubscribe=False):
        """Runs a program of the build folder on `ranks` ranks; oversubscribe: on more than there are cores."""
        program = self.build / command[0]
        words = ["mpirun", "-n", str(ranks), "--bind-to", "none", *(["--oversubscribe"] if oversubscribe else []), *wrap, str(program), *map(str, command[1:])]
        done = subprocess.run(words, capture_output=True, text=True, env=self.environment, cwd=ROOT)
        if done.returncode:
            raise Failed(f"failed: {' '.join(words)}\n{(done.stdout + done.stderr)[-1500:]}")
        return done.stdout

    def peer(self, name, script, *arguments):
        key = (script, *map(str, arguments))
        if key not in self._peers:
            self._peers[key] = Peer(name, self, script, *arguments)
        return self._peers[key]

    def end_peers(self):
        for peer in self._peers.values():
            peer.end()
        self._peers = {}

    def drop_ended_peers(self):
        """So that the next row starts them anew."""
        self._peers = {key: peer for key, peer in self._peers.items() if peer.process.poll() is None}

    def interleave(self, sides):
        """sides: {name: (side, what)} -> {name: [seconds]}; in each round every side takes its turn, the order turned by one."""
        order, runs = list(sides), {}
        for name in order:
            side, what = sides[name]
            fails = side.prepare(what)
            if fails:
                raise Failed(f"{name} fails: {fails}")
            once = statistics.median(side.seconds(what, 1))
            runs[name] = max(1, min(50, int(self.budget / once)))
        samples = {name: [] for name in order}
        for k in range(self.rounds):
            for name in order[k % len(order):] + order[:k % len(order)]:
                side, what = sides[name]
                samples[name] += side.seconds(what, runs[name])
        return samples

    # ---- data that rows share

    def dataset(self):
        """The published dataset where it has been made, else a short one."""
        whole = ROOT / "output/wake/dataset/train.h5"
        if whole.exists():
            return whole
        path = self.work / "dataset/train.h5"
        if not path.exists():
            self.weft(["weft", "dataset", "cases/wake/dataset.yaml", "-dataset_reynolds", REYNOLDS, "-dataset_test_reynolds",
                       "73.2421875", "-dataset_skip", 100, "-dataset_frames", 40, "-output", path.parent], self.ranks)
        return path

    def update_file(self):
        path = self.work / "update.h5"
        self.weft(["bench/bench_update", "cases/wake/train.yaml", path, "-train_dataset", self.dataset()])
        return path

    def wake_step_file(self):
        path = self.work / "wake.h5"
        self.weft(["bench/bench_rollout", "cases/wake/wake.yaml", self.work / "wake_step.json", path, *WAKE, "-train_unroll", 1])
        return path

    def reference_step_file(self):
        path = self.work / "reference.h5"
        self.weft(["bench/bench_rollout", "cases/wake/wake.yaml", self.work / "reference_step.json", path, *REFERENCE,
                   "-train_unroll", 1])
        return path

    def convolution_file(self):
        path = self.work / "convolution.h5"
        self.weft(["bench/bench_convolution", self.work / "convolution.json", path, "-net_precision", "single"])
        return path

    def phiflow(self, backend):
        """One process serves the rows of the wake."""
        return self.peer(f"PhiFlow, {backend}", "wake_phiflow.py", {"PyTorch": "torch", "JAX": "jax"}[backend], self.update_file_once(),
                         self.wake_step_file_once(), self.reference_step_file_once())

    def once(name):
        def make(self):
            if name not in self.__dict__:
                self.__dict__[name] = getattr(Bench, name)(self)
            return self.__dict__[name]
        return make

    update_file_once, wake_step_file_once, reference_step_file_once = once("update_file"), once("wake_step_file"), once("reference_step_file")
    convolution_file_once = once("convolution_file")
    del once


WAKE = ["-model_reynolds", REYNOLDS, "-train_batch", 3, "-check_spinup", 100]
REFERENCE = ["-grid_cells", "128,256", "-model_viscosity_scaling", "physical", "-model_reynolds", "97.65625", "-train_batch", 1,
             "-check_spinup", 50]


def side(samples, facts, who, note=""):
    return {"who": who, "seconds": samples, "median": statistics.median(samples), "least": min(samples), "facts": facts, "note": note}


def check(what, value, bound, least=False):
    """A figure that must be at most the bound, or at least it."""
    return {"what": what, "value": value, "bound": bound, "at": "least" if least else "most",
            "passed": bool(value >= bound if least else value <= bound)}


# ---- rows --------------------------------------------------------------------------------------------------------------------------

def wake_update(b):
    """Training update of the wake: 32 x 64 cells, batch 3, 4 steps, 47,330 parameters"""
    folder = b.work / "train"
    ours = Weft("Weft", b, ["weft", "train", "cases/wake/train.yaml", "-train_dataset", b.dataset(), "-train_updates",
                            40 if b.quick else 150, "-output", folder], folder / "summary.json",
                lambda s: {"update": [s["seconds_per_update"]]})
    torch, flow = b.phiflow("PyTorch"), b.phiflow("JAX")
    hand = b.peer("hand-written JAX", "wake_jax.py", b.update_file_once(), b.wake_step_file_once())
    net = b.peer("net alone, PyTorch", "wake_torch.py", b.update_file_once())
    samples = b.interleave({"Weft": (ours, "update"), "PhiFlow, PyTorch": (torch, "update"), "PhiFlow, JAX": (flow, "update"),
                            "hand-written JAX": (hand, "update"), "net alone, PyTorch": (net, "net")})
    exact, about = hand.result("update"), torch.result("update")
    return {
        "sides": {"Weft": side(samples["Weft"], ours.facts, "ours", "medians of whole runs, reading and reduction included"),
                  "PhiFlow, PyTorch": side(samples["PhiFlow, PyTorch"], torch.facts, "peer", "as the published training runs it"),
                  "PhiFlow, JAX": side(samples["PhiFlow, JAX"], flow.facts, "peer", "whole update under one jit"),
                  "hand-written JAX": side(samples["hand-written JAX"], hand.facts, "peer", "dense inverse, one jit"),
                  "net alone, PyTorch": side(samples["net alone, PyTorch"], net.facts, "peer", "no solver; channels last")},
        "targets": {"PhiFlow, PyTorch": 60, "PhiFlow, JAX": 10, "hand-written JAX": 5, "net alone, PyTorch": 1},
        "checks": [check("loss of the same update, hand-written JAX, relative", exact["loss_relative"], 1e-5),
                   check("its gradient, largest difference relative", exact["gradient_relative"], 1e-4),
                   check("loss of the solver alone, PhiFlow, relative", about["loss_without_net_relative"], 0.02)],
        "differences": "Physics in float64 with an exact pressure here; float32 with the others, PhiFlow's pressure by conjugate "
                       "gradients to 1e-5. PhiFlow's residual block applies its second ReLU before the shortcut.",
        "memory": {"PhiFlow, PyTorch": torch.memory(), "PhiFlow, JAX": flow.memory(), "hand-written JAX": hand.memory(),
                   "Weft": resident(b, folder)}}


def resident(b, folder):
    """Largest resident sets of the ranks of a training run, added up (shared pages count once per rank)."""
    sizes = b.work / "resident"
    for old in b.work.glob("resident.*"):
        old.unlink()
    b.weft(["weft", "train", "cases/wake/train.yaml", "-train_dataset", b.dataset(), "-train_updates", 20, "-output", folder], b.ranks,
           wrap=[sys.executable, str(HERE / "resident.py"), str(sizes)])
    return sum(int(path.read_text()) for path in b.work.glob("resident.*"))


def wake_training(b):
    """The whole training of the wake, 4960 updates"""
    if b.quick:
        return None
    if not (ROOT / "output/wake/dataset/train.h5").exists():
        b.weft(["weft", "dataset", "cases/wake/dataset.yaml"], b.ranks)
    folder = b.work / "training"
    b.weft(["weft", "train", "cases/wake/train.yaml", "-output", folder], b.ranks)
    summary = json.loads((folder / "summary.json").read_text())
    return {"sides": {"Weft": side([summary["wall_seconds"]], {"ranks": b.ranks, "updates": summary["updates"]}, "ours"),
                      "PhiFlow, published": side([3 * 3600 + 11 * 60.0], {}, "published", "on the authors' machine")},
            "targets": {"seconds": 240}, "checks": [check("updates", summary["updates"], 4960, least=True)],
            "differences": "The published time is the one printed with the training in Physics-based Deep Learning."}


def wake_forward(b):
    """Step of the wake without net: 32 x 64 cells, batch 3"""
    output = b.work / "wake_forward.json"
    pick = lambda s: {"forward": s["seconds_per_step"]}
    command = ["bench/bench_rollout", "cases/wake/wake.yaml", output, *WAKE, "-train_unroll", 20]
    ours, one = Weft("Weft", b, command, output, pick), Weft("Weft, 1 rank", b, command, output, pick, 1)
    torch, flow = b.phiflow("PyTorch"), b.phiflow("JAX")
    hand = b.peer("hand-written JAX", "wake_jax.py", b.update_file_once(), b.wake_step_file_once())
    samples = b.interleave({"Weft": (ours, "forward"), "Weft, 1 rank": (one, "forward"), "PhiFlow, PyTorch": (torch, "forward"),
                            "PhiFlow, JAX": (flow, "forward"), "hand-written JAX": (hand, "forward")})
    return {
        "sides": {"Weft": side(samples["Weft"], ours.facts, "ours"), "Weft, 1 rank": side(samples["Weft, 1 rank"], one.facts, "ours"),
                  "PhiFlow, PyTorch": side(samples["PhiFlow, PyTorch"], torch.facts, "peer", "jit_compile"),
                  "PhiFlow, JAX": side(samples["PhiFlow, JAX"], flow.facts, "peer", "jit_compile"),
                  "hand-written JAX": side(samples["hand-written JAX"], hand.facts, "peer", "jit")},
        "targets": {"PhiFlow, PyTorch": 60, "PhiFlow, JAX": 60, "hand-written JAX": 4},
        "checks": [check("velocity after the step, hand-written JAX, largest difference relative", hand.result("forward")["relative"], 1e-5),
                   check("velocity after the step, PhiFlow, L2 relative", flow.result("forward")["relative_l2"], 0.02)],
        "differences": "As in the update. The fastest of our two rows counts."}


def reference_step(b):
    """Step of the reference with obstacle: 128 x 256 cells"""
    output = b.work / "reference_forward.json"
    ours = Weft("Weft", b, ["bench/bench_rollout", "cases/wake/wake.yaml", output, *REFERENCE, "-train_unroll", 10], output,
                lambda s: {"forward": s["seconds_per_step"]})
    torch, flow = b.phiflow("PyTorch"), b.phiflow("JAX")
    sides = {"Weft": (ours, "forward"), "PhiFlow, JAX": (flow, "reference")}
    fails = torch.prepare("reference")
    if not fails:
        sides["PhiFlow, PyTorch"] = (torch, "reference")
    samples = b.interleave(sides)
    divergence = json.loads(output.read_text())["divergence"]
    row = {"sides": {"Weft": side(samples["Weft"], {**ours.facts, "divergence": divergence}, "ours"),
                     "PhiFlow, JAX": side(samples["PhiFlow, JAX"], flow.facts, "peer", "jit_compile")},
           "targets": {"PhiFlow, JAX": 80},
           "checks": [check("velocity after the step, PhiFlow, L2 relative", flow.result("reference")["relative_l2"], 0.02),
                      check("largest divergence here, times spacing over velocity", divergence, 1e-12)],
           "differences": "PhiFlow's pressure by conjugate gradients to 1e-5, ours direct."}
    if not fails:
        row["sides"]["PhiFlow, PyTorch"] = side(samples["PhiFlow, PyTorch"], torch.facts, "peer")
    else:
        row["differences"] += f" PhiFlow with PyTorch stops: {fails}."
    return row


def smoke_inversion(b):
    """Inverse smoke: 32 x 40 cells, 4 plumes, 20 steps; rollout and gradient by the initial velocities"""
    output, h5 = b.work / "smoke.json", b.work / "smoke.h5"
    b.weft(["bench/bench_smoke", output, h5])
    pick = lambda s: {"forward": s["seconds_forward"], "gradient": s["seconds_gradient"]}
    ours = Weft("Weft", b, ["bench/bench_smoke", output], output, pick)
    flow, torch = b.peer("PhiFlow JAX smoke", "smoke_phiflow.py", "jax", h5), b.peer("PhiFlow PyTorch smoke", "smoke_phiflow.py", "torch", h5)
    sides = {}
    for what in ("forward", "gradient"):
        for name, who in (("Weft", ours), ("PhiFlow, JAX", flow), ("PhiFlow, PyTorch", torch)):
            sides[f"{name}: {what}"] = (who, what)
    samples, compared = b.interleave(sides), flow.result("gradient")
    return {"sides": {name: side(samples[name], sides[name][0].facts, "ours" if name.startswith("Weft") else "peer") for name in sides},
            "targets": {"PhiFlow, JAX: forward": 50, "PhiFlow, JAX: gradient": 50, "PhiFlow, PyTorch: gradient": 50},
            "checks": [check("final smoke, PhiFlow, L2 relative", compared["smoke_relative_l2"], 1e-3),
                       check("loss, PhiFlow, relative", compared["loss_relative"], 1e-3),
                       check("cosine of the gradients", compared["gradient_cosine"], 0.99, least=True)],
            "differences": "PhiFlow: float32, pressure by conjugate gradients to 1e-3, as published; here float64 and exact."}


def periodic(b):
    """Periodic flow, 512 x 512 cells: step, and gradient of 16 steps"""
    import h5py
    import numpy as np
    start, output, steps = b.work / "periodic.h5", b.work / "periodic.json", 16
    peer = b.peer("jax-cfd", "periodic_jaxcfd.py", 512, steps, start)
    dt = peer.facts["dt"]
    case = ["bench/bench_rollout", HERE / "periodic.yaml", output]
    keys = ["-train_batch", 1, "-train_unroll", steps, "-check_spinup", 0, "-model_dt", dt]
    b.weft([*case, str(start) + ".ours", *keys, "-initial_file", start], b.ranks)
    compared = peer.result("periodic")
    vortex = b.work / "taylor_green.h5"
    b.weft([*case, vortex, *keys, "-initial_type", "taylor_green"], b.ranks)
    with h5py.File(vortex, "r") as f:
        decay = np.exp(-2e-3 * dt * steps)
        error = max(float(np.abs(f[f"final/velocity_{a}"][:] - decay * f[f"initial/velocity_{a}"][:]).max()) for a in "xy")
    ours = Weft("Weft", b, [*case, *keys, "-initial_file", start], output,
                lambda s: {"forward": [t * steps for t in s["seconds_per_step"]], "gradient": s["seconds_gradient"]})
    sides = {f"{name}: {what}": (who, what) for what in ("forward", "gradient") for name, who in (("Weft", ours), ("jax-cfd", peer))}
    samples = b.interleave(sides)
    samples = {name: [t / (steps if name.endswith("forward") else 1) for t in values] for name, values in samples.items()}
    return {"sides": {name: side(samples[name], sides[name][0].facts, "ours" if name.startswith("Weft") else "peer") for name in sides},
            "targets": {"jax-cfd: forward": 1, "gradient over forward": 3}, "steps": steps,
            "checks": [check("velocities after 16 steps, L2 relative", compared["velocity_relative_l2"], 0.1),
                       check("gradients, L2 relative", compared["gradient_relative_l2"], 0.25),
                       check("error against the exact Taylor-Green decay, over jax-cfd's", error / compared["taylor_green_error"], 2.0)],
            "accuracy": {"taylor_green_error": {"Weft": error, "jax-cfd": compared["taylor_green_error"]},
                         "divergence": {"jax-cfd": compared["divergence"]}},
            "differences": "jax-cfd: float32, centred convection and implicit diffusion, pressure by FFT; here float64, "
                           "explicit diffusion, pressure by transforms. Both convect by centred differences and are of first order in time."}


def convolution(b):
    """Convolutions of 32 to 32 channels, float32, one core"""
    output = b.work / "convolution.json"

    def pick(s):
        times = {}
        for key, value in s.items():
            if key.startswith("float32") and "x" in key.split(" ")[-2]:
                _, path, shape = key.split(" ", 2)
                times[f"{path} {shape} forward"] = value["forward"]
                times[f"{path} {shape} both"] = [f + g for f, g in zip(value["forward"], value["both_gradients"])]
        return times

    peer = b.peer("PyTorch convolutions", "convolution_torch.py", b.convolution_file_once())
    ours = Weft("Weft", b, ["bench/bench_convolution", output, "-net_precision", "single"], output, pick, 1)
    shapes = [name for name in peer.facts["shapes"] if name != "sgemm"]
    sides = {f"PyTorch: {name}": (peer, name) for name in shapes}
    for path in ("winograd", "direct"):
        sides.update({f"Weft, {path}: {name}": (ours, f"{path} {name}") for name in shapes})
    samples, compared = b.interleave(sides), peer.result("convolution")
    return {"sides": {name: side(samples[name], sides[name][0].facts, "peer" if name.startswith("PyTorch") else "ours") for name in sides},
            "targets": {f"PyTorch: {name}": 1 for name in shapes},
            "checks": [check(f"{kernel} {what}, largest difference relative", value, 1e-4)
                       for kernel, parts in compared.items() for what, value in parts.items()],
            "sgemm": {"seconds": peer.prepare("sgemm") or peer.seconds("sgemm", 20)},
            "differences": "Both with bias and without activation, channels last. PyTorch chooses its own algorithm (oneDNN)."}


def roofline(b):
    """Operators against the machine, fields out of cache"""
    peer = b.peer("PyTorch convolutions", "convolution_torch.py", b.convolution_file_once())
    peer.prepare("sgemm")
    best = 2e-9 * 1024**3 / min(peer.seconds("sgemm", 20))
    row = {"ranks": {}, "torch_sgemm": 1e9 * best}
    for ranks in sorted({1, b.ranks}):
        output = b.work / f"roofline{ranks}.json"
        # what one core reaches alone bounds what it reaches beside others
        b.weft(["bench/bench_roofline", output] + ([f"{best:.1f}"] if ranks == 1 else []), ranks)
        row["ranks"][str(ranks)] = json.loads(output.read_text())
    return row


ROWS = [wake_update, wake_forward, wake_training, reference_step, smoke_inversion, periodic, convolution, roofline]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--rows", default=",".join(row.__name__ for row in ROWS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--build", default=str(ROOT / "build"))
    parser.add_argument("--work", default=str(ROOT / "output/bench"))
    parser.add_argument("--results", default=str(HERE / "results.json"))
    parser.add_argument("--page")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    if options.list:
        for row in ROWS:
            print(f"{row.__name__:16} {row.__doc__}")
        return
    options.rounds = options.rounds or (2 if options.quick else 5)
    names = options.rows.split(",")
    unknown = [name for name in names if name not in {row.__name__ for row in ROWS}]
    if unknown:
        raise SystemExit(f"no row {', '.join(unknown)}; there are {', '.join(row.__name__ for row in ROWS)}")
    bench, path = Bench(options), pathlib.Path(options.results)
    results = json.loads(path.read_text()) if path.exists() else {"rows": {}}
    how = {"commit": commit(), "quick": options.quick, "ranks_used": options.ranks, "rounds": options.rounds}
    failed, begin = [], time.monotonic()
    for row in [row for row in ROWS if row.__name__ in names]:
        print(f"== {row.__name__}: {row.__doc__} [after {time.monotonic() - begin:.0f} s]", flush=True)
        there = results["rows"].get(row.__name__, {})
        if options.resume and not how["commit"].endswith("+") and all(there.get(key) == value for key, value in how.items()):
            print(f"   there already, of {there['date']}")
            continue
        try:
            measured = row(bench)
        except Failed as fault:
            print(f"   {fault}", flush=True)
            failed.append(f"{row.__name__} could not be measured")
            bench.drop_ended_peers()
            continue
        if measured is None:
            print("   not with --quick")
            continue
        measured.update(title=row.__doc__, date=datetime.datetime.now().strftime("%Y-%m-%d %H:%M"), **how)
        failed += told(row.__name__, measured)
        keep(results, machine(options.ranks), row.__name__, measured, path)
    bench.end_peers()
    print(f"== {time.monotonic() - begin:.0f} s in all")
    if failed:
        raise SystemExit("\n".join(failed))


def told(name, measured):
    """Prints a row; returns the checks that do not hold."""
    for label, one in measured.get("sides", {}).items():
        print(f"   {label:44} {1e3 * one['median']:10.3f} ms")
    for one in measured.get("checks", []):
        print(f"   {'ok  ' if one['passed'] else 'FAIL'} {one['what']}: {one['value']:.3g} (at {one['at']} {one['bound']:g})")
    return [f"{name}: {one['what']} does not hold" for one in measured.get("checks", []) if not one["passed"]]


def keep(results, machine_facts, name, measured, path):
    """Row by row, so that a run that is cut short leaves what it has; rows in the order of ROWS."""
    results["machine"] = machine_facts
    rows = {**results["rows"], name: measured}
    results["rows"] = {row.__name__: rows[row.__name__] for row in ROWS if row.__name__ in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(results, indent=1) + "\n")
    part.replace(path)


if __name__ == "__main__":
    main()
