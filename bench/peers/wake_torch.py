"""The net of the wake's update alone in PyTorch: forward and backward through as many applications as the update has steps; no solver.
Channels last, all cores given to it. usage: wake_torch.py UPDATE.h5"""
import os
import sys

import worker
import numpy as np
import torch
from torch import nn
from update_file import Update


class Block(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, width, 1) if channels != width else nn.Identity()

    def forward(self, x):
        return torch.relu(self.shortcut(x) + self.second(torch.relu(self.first(x))))


def main():
    update = Update(sys.argv[1])
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    net = nn.Sequential(Block(3, 32), Block(32, 32), Block(32, 32), nn.Conv2d(32, 2, 1)).to(memory_format=torch.channels_last)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    ny, nx = update.initial[0].shape[1], update.initial[1].shape[2]
    x = torch.randn(update.batch, 3, ny, nx).to(memory_format=torch.channels_last)

    def run():
        adam.zero_grad(set_to_none=True)
        total, state = 0., x
        for _ in range(update.unroll):
            y = net(state)
            state = torch.cat([state[:, :2] + y, state[:, 2:]], 1)
            total = total + state.square().sum()
        total.backward()
        adam.step()

    worker.serve({"torch": torch.__version__, "precision": "float32", "threads": torch.get_num_threads(),
                  "parameters": sum(p.numel() for p in net.parameters())}, {"net": run})


main()
