"""Runs a command and writes its largest resident set in bytes to a file of its own: resident.py PREFIX COMMAND ..."""
import os
import resource
import subprocess
import sys

code = subprocess.run(sys.argv[2:]).returncode
with open(f"{sys.argv[1]}.{os.getpid()}", "w") as f:
    f.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
sys.exit(code)
