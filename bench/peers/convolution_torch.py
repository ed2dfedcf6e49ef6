"""PyTorch's convolutions of 32 to 32 channels with bias, channels last, on one core; and the float32 matrix products of PyTorch and
numpy. usage: convolution_torch.py RESULT.h5"""
import sys

import worker
import h5py
import torch

SHAPES = [(k, nx, ny, b) for nx, ny, b in ((32, 64, 1), (32, 64, 3), (64, 64, 1), (128, 128, 1)) for k in (3, 5)]


def make(kernel, nx, ny, batch):
    layer = torch.nn.Conv2d(32, 32, kernel, padding=kernel // 2).to(memory_format=torch.channels_last)
    x = torch.randn(batch, 32, ny, nx).to(memory_format=torch.channels_last).requires_grad_()
    y_bar = torch.randn(batch, 32, ny, nx).to(memory_format=torch.channels_last)

    def forward():
        with torch.no_grad():
            layer(x)

    def both():
        x.grad = layer.weight.grad = layer.bias.grad = None
        layer(x).backward(y_bar)

    return forward, both


def result():
    """The same convolution from the same numbers: largest relative differences."""
    answer = {}
    with h5py.File(sys.argv[1], "r") as f:
        for kernel in (3, 5):
            g = {name: torch.tensor(f[f"{kernel}/{name}"][:]) for name in f[str(kernel)]}
            planes = lambda a: a.permute(2, 0, 1)[None]
            split = lambda p: (p[:-32].reshape(kernel, kernel, 32, 32).permute(3, 2, 0, 1), p[-32:])
            weight, bias = (t.requires_grad_() for t in split(g["parameters"].clone()))
            weight, bias = weight.detach().requires_grad_(), bias.detach().requires_grad_()
            x = planes(g["x"]).clone().requires_grad_()
            y = torch.nn.functional.conv2d(x, weight, bias, padding=kernel // 2)
            y.backward(planes(g["y_bar"]))
            w_bar, b_bar = split(g["parameters_bar"])
            answer[f"{kernel}x{kernel}"] = {
                "forward": worker.difference(planes(g["y"]), y.detach()),
                "input_gradient": worker.difference(planes(g["x_bar"]), x.grad),
                "weight_gradient": max(worker.difference(w_bar, weight.grad), worker.difference(b_bar, bias.grad))}
    return answer


def main():
    torch.set_num_threads(1)
    calls = {}
    for shape in SHAPES:
        name = f"{shape[0]} {shape[1]}x{shape[2]} {shape[3]}"
        calls[name + " forward"], calls[name + " both"] = make(*shape)
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    calls["sgemm"] = lambda: torch.mm(a, b)
    worker.serve({"torch": torch.__version__, "onednn": torch.backends.mkldnn.is_available(), "precision": "float32", "threads": 1,
                  "shapes": [name for name in calls]}, calls, {"convolution": result})


main()
