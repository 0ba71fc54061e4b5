"""
What this machine can do
========================

``distal doctor`` times matrix products and the models that ship with distal, says how long the published models would
take for one sequence, and what is missing. It changes nothing and needs no network.
"""

# %%
# The figures are those of the machine that built these pages, which had one core for it.
from distal.cli.notebook import ask

found = ask("distal doctor")
for what, answer in found.items():
    print(f"{what:30} {answer}")

# %%
# Processors differ most in the precisions that they have instructions for.
from distal.plots.style import Figure

speeds = {name: value for name, value in found.items() if "GFLOP/s" in name}
figure = Figure(figsize=(6, 1.4), layout="constrained")
axes = figure.subplots()
axes.barh([name.partition(" ")[0] for name in speeds], list(speeds.values()), color="#0072B2")
axes.set_xlabel("GFLOP/s of matrix products")
figure
