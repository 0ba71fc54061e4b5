"""
Look at it in a genome browser
==============================

``distal browse`` opens a page on this machine, where tracks are predicted as one pans: :doc:`/browse` shows it. Under the
page lies an interface for programs, which this example talks to; :doc:`/rest` lists all of it.
"""

# %%
# In a terminal ``distal browse`` is all it takes. A notebook starts it beside itself: a free port, no window.
import json
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

line = "distal browse --model basenji2-mini --port 0 --no-open --cache tiles --json"
program = Path(sys.executable).with_name("distal")
command = [program, *shlex.split(line)[1:]]
server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
printed = ""
while not printed.rstrip().endswith("}"):
    printed += server.stdout.readline()
address = json.loads(printed)["address"]


def get(path):
    """What the server answers."""
    with urlopen(address + path) as answer:
        return json.load(answer)


about = get("api/about")
print(
    f"{about['model']['name']} reads {about['model']['input_bp']:,} bp of {about['genome']['name']}"
)

# %%
# What one types into the page's search box.
place = get("api/search?text=HNF4A")
place

# %%
# A signal over that place, as the page draws it: tracks by number, not more points than there are pixels.
found = get("api/tracks?query=assay=DNASE%20biosample~HepG2")["tracks"][0]
signal = get(f"api/signal?region={place['region']}&tracks={found['index']}&points=700")

from distal.plots.style import Figure

figure = Figure(figsize=(7, 2), layout="constrained")
axes = figure.subplots()
axes.fill_between(
    range(len(signal["tracks"][0]["values"])), signal["tracks"][0]["values"], color="#0072B2"
)
axes.set_xlabel(f"{place['region']}, {len(signal['tracks'][0]['values'])} points")
axes.set_ylabel(found["description"])
figure

# %%
# Longer work is a job that waits its turn: here a variant's effect. Each answer says how to get it without the page.
body = json.dumps({"variant": "chr20:42984264:G>A", "tracks": [found["index"]]}).encode()
with urlopen(
    Request(address + "api/jobs/variant", body, {"Content-Type": "application/json"})
) as answer:
    job = json.load(answer)
while job["status"] in ("queued", "running"):
    job = get(f"api/jobs/{job['id']}?wait=20")
result = get(f"api/jobs/{job['id']}/result?format=json")
print(result["tracks"][0]["scores"])
print(result["equivalent"]["command"])

# %%
# Ctrl-C ends it in a terminal.
server.terminate()
code = server.wait()
