"""
Which models there are
======================

``distal models list`` says which models distal knows and which are on this machine, ``distal models info`` what one of
them reads and says.
"""

# %%
# Two small models ship with distal. The published ones are large: ``distal models fetch`` downloads them.
from distal.cli.notebook import run

run("distal models list")

# %%
# One model: how much sequence it reads, how wide its bins are, how many tracks of which kind it has, and its licence.
run("distal models info enformer-mini")

# %%
# Its tracks, by the query language that every verb takes: conditions that must all hold, values that may alternate.
run("distal models info enformer-mini --tracks assay=DNASE 'biosample~HepG2,renal'")

# %%
# From Python
# -----------
# A loaded model has the same facts, and the tracks as a table.
import distal

model = distal.load("basenji2-mini", head="mouse")
print(model.window)
model.tracks.select("assay=DNASE,ATAC")

# %%
# How much each assay has.
from distal.plots.style import Figure

assays = [track.assay for track in model.tracks.rows]
names = sorted(set(assays), key=assays.count)
figure = Figure(figsize=(6, 1.6), layout="constrained")
axes = figure.subplots()
axes.barh(names, [assays.count(name) for name in names], color="#0072B2")
axes.set_xlabel("mouse tracks of basenji2-mini")
figure
