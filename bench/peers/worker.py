"""A peer in a process of its own, told over standard input what to time.

A peer prepares everything, then calls serve(facts, calls). One JSON object per line: first {"facts": ...}; then for every request
  {"prepare": name}             ->  {"seconds": s}       the first call, which compiles, then two more; or {"fails": message}
  {"measure": name, "runs": n}  ->  {"seconds": [...]}   each run is a call that returns when its result is there
  {"result": name}              ->  {"result": {...}}    figures to compare, from a call without a clock
  {"memory": true}              ->  {"memory": bytes}    largest resident set so far
Waiting costs no processor time, so peers may stand by while another is measured.
"""
import json
import os
import resource
import sys
import time
import traceback

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # would hold numpy to old kernels
    os.environ.pop(name, None)


def serve(facts, calls, results=None):
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not part of the conversation
    out.write(json.dumps({"facts": facts}) + "\n")
    out.flush()
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            answer = prepare(calls[request["prepare"]])
        elif "measure" in request:
            answer = {"seconds": [timed(calls[request["measure"]]) for _ in range(request["runs"])]}
        elif "result" in request:
            answer = {"result": results[request["result"]]()}
        else:
            answer = {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        out.write(json.dumps(answer) + "\n")
        out.flush()


def prepare(call):
    try:
        seconds = timed(call)
        call()
        call()
        return {"seconds": seconds}
    except Exception as fault:  # a solve that does not converge is a result
        traceback.print_exc()
        return {"fails": f"{type(fault).__name__} {(str(fault).splitlines() or [''])[0][:120]}"}


def timed(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def difference(a, b):
    """Largest difference relative to the largest value of b."""
    import numpy as np
    a, b = np.asarray(a, "f8"), np.asarray(b, "f8")
    return float(np.abs(a - b).max() / np.abs(b).max())
