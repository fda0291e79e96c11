"""ANSWER: question + hits -> checked, cited answer."""

import os

# llama.cpp's threads wait for each other in a loop, and on cores that another thread wants too they wait for one that
# cannot run. Beside a busy process on two cores, 31 tokens of the 0.5B took 83 s with endless loops, 2.9 s when a
# thread goes to sleep after 1,000 turns of the loop, 2.5 s when it sleeps at once. Alone, the 1.5B writes at .83 of the
# speed of endless loops when threads sleep after 1,000 turns, at .73 when they sleep at once (2026-11-22): hence 1,000.
# libgomp looks at this once, when it is loaded, and llama.cpp shares torch's where torch is loaded first. So it stands
# here: before either is imported. GOMP_SPINCOUNT or OMP_WAIT_POLICY in the environment decides otherwise.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
