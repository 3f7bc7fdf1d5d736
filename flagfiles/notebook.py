# %% [markdown]
# # Downscaling in a notebook
#
# Cells begin with `# %%`: Jupyter (through jupytext), VS Code, PyCharm and Spyder open this file as
# a notebook, and `python flagfiles/notebook.py` runs it, in about a minute. Start it in the folder
# that holds `flagfiles/`.

# %%
import app

# %% [markdown]
# ## Train
#
# The experiment is a flagfile; keyword arguments are flags that beat it. The data are synthetic:
# temperature every six hours over fractal terrain. The same cell goes on where it was interrupted,
# and more epochs extend it.

# %%
run = app.fit("flagfiles/quickstart.cfg", epochs=2, save_path="runs/notebook")
print(run.history[["loss", "val_loss"]])

# %% [markdown]
# The network beside what it has to beat. `attrs` holds units and definitions.

# %%
print(run.table.loc[["rmse", "bias"], ["unit", "model", "bicubic", "linear"]])

# %% [markdown]
# ## Load and predict
#
# Any grid that covers the model's serves, in any unit. Here the fine fields are made coarse, and
# are given in degrees Celsius.

# %%
import xarray as xr  # noqa: E402

truth = xr.open_dataset("finescale_cache/synthetic.nc")[["t2m"]].isel(time=slice(-40, None))
coarse = truth.coarsen(lat=4, lon=4).mean() - 273.15
coarse.t2m.attrs["units"] = "degC"

model = app.load("runs/notebook")
fine = model.predict(coarse)
print(fine)

# %% [markdown]
# ## Score
#
# Any two datasets on the same grid, by the metrics of the stage `metrics`.

# %%
table = app.score(truth, fine)
print(table.head(8))
print(table.attrs["definitions"][1])

# %% [markdown]
# ## What cannot work is said in one line

# %%
try:
    model.predict(coarse.isel(lat=slice(8, None)))
except app.InputError as error:
    print(error)
