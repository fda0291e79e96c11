"""ANSWER: question + hits -> checked, cited answer."""

import os

# llama.cpp's threads wait for each other in a loop, and on cores that another thread wants too they wait for one that
# cannot run. Beside a busy process on two cores, 0.5B: 31 tokens written in 83 s, and in 2.5 s when they sleep instead.
# libgomp looks at this once, when it is loaded, and llama.cpp shares torch's where torch is loaded first. So it stands
# here: before either is imported. OMP_WAIT_POLICY=ACTIVE in the environment keeps the loops.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
