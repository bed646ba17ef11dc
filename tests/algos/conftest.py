"""Settings of all tests of ermas_algos."""

import torch

torch.set_num_threads(1)  # small networks: more threads are slower, and sums then depend on their number
