"""Runs the bench's model in Python's onnxruntime: so many runs for each number on standard input, their times in ns."""

import os
import platform
import sys
import time

import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
feed = {
    tensor.name: np.sin(np.arange(np.prod(tensor.shape)) * 0.37).astype(np.float32).reshape(tensor.shape)
    for tensor in session.get_inputs()
}
print(f"Python {platform.python_version()}, onnxruntime {onnxruntime.__version__}", flush=True)
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        began = time.perf_counter_ns()
        session.run(None, feed)
        times.append(time.perf_counter_ns() - began)
    print(*times, flush=True)
os._exit(0)
