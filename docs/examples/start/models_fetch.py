"""
Get a published model
=====================

``distal models fetch NAME`` downloads a model from its authors, verifies every file against its published SHA-256 and
turns it into a folder that ``--model NAME`` finds. A download that was stopped goes on where it stopped.
"""

# %%
# What would be downloaded, from where, and how large it is:
from distal.cli.notebook import run

run("distal models info borzoi-mini")

# %%
# Where there is no network, DISTAL_MIRROR names a folder (or a URL) that holds the files as NAME/FILE. These pages are
# built without a network, from an empty mirror: the command says which file it looked for, and nothing is written.
import os
from pathlib import Path

Path("mirror").mkdir(exist_ok=True)
os.environ |= {"DISTAL_MIRROR": "mirror", "DISTAL_CACHE": "cache"}
try:
    run("distal models fetch borzoi-mini")
except RuntimeError as error:
    print(error)
del os.environ["DISTAL_MIRROR"], os.environ["DISTAL_CACHE"]

# %%
# A model that is here is not fetched again.
run("distal models fetch enformer-mini")
