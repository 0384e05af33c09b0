"""Examples of `sitqmc.runs`. Each cell names what it shows; it may use the cells above it."""

import h5py
import numpy as np

import sitqmc
from sitqmc.runs import (
    bundled_films,
    describe_file,
    load,
    read_conductivity,
    read_correlator,
    read_correlator_h5,
    read_samples,
    read_scan,
    read_tunnelling,
    write_films,
    write_scan,
    write_tunnelling,
)

# %% load
sitqmc.run(
    L=4, beta=0.8, eps=0.1, charging=3.0, p=[0.0, 0.1], samples=4, path="results/tiny", processes=1,
    schedule={"therm_sweeps": 20, "bins": 4}, report=False,
    continuation={"method": "maxent", "omega_points": 40},
)  # fmt: skip
run = load("results/tiny")               # at any later time, also while the run is going on
mean, covariance = run.correlator("rho", p=0.1)
print(mean.shape, covariance.shape)  # (5,) (5, 5)
print(run.point(p=0.1).averages.values["rho_s"].is_known)  # True

# %% bundled_films, write_films
folder = bundled_films()
print(len(list(folder.glob("*_cold.txt"))))  # 4
write_films("films", seed=2)             # other noise, same films

# %% read_scan, describe_file, write_scan
cold = read_scan(folder / "9.5K_cold.txt")
print(cold.t_k, cold.synthetic)  # 2.0 True
write_scan("mine.h5", cold)              # or .txt
print(np.array_equal(read_scan("mine.h5").t, cold.t))  # True
print(describe_file("films/9.5K_cold.txt").splitlines()[0])

# %% read_tunnelling, write_tunnelling
curve = read_tunnelling(folder / "9.5K_tunnelling.txt")
write_tunnelling("curve.txt", curve)
print(read_tunnelling("curve.txt").t_k == curve.t_k)  # True

# %% read_conductivity
with open("sigma.csv", "w") as file:
    file.write("nu [THz],sigma1 [S/cm],sigma1_error [S/cm],sigma2 [S/cm],sigma2_error [S/cm]\n")
    file.write("0.3,100,5,900,9\n0.5,120,5,540,9\n0.8,150,5,330,9\n")
published = read_conductivity("sigma.csv", t_k=4.0)
print(published.sigma[0])  # (100+900j)

# %% read_correlator
with open("rho.txt", "w") as file:
    file.write("# n  rho  error\n0 0.30 0.01\n1 0.45 0.01\n2 0.55 0.01\n3 0.60 0.01\n")
data = read_correlator("rho.txt", kind="rho_iw", beta=6.0, n_samples=200)
print(data.mean.size, data.n_samples)  # 4 200

# %% read_samples, read_correlator_h5
rows = data.mean + 0.01 * np.random.default_rng(1).standard_normal((50, 4))
np.savetxt("samples.txt", rows)          # one independent sample per row
from_text = read_samples("samples.txt", kind="rho_iw", beta=6.0, grid=np.arange(4))
with h5py.File("samples.h5", "w") as file:
    file["rho"], file["n"] = rows, np.arange(4)
from_hdf5 = read_correlator_h5("samples.h5", kind="rho_iw", beta=6.0, grid="n", samples="rho")
print(np.allclose(from_text.mean, from_hdf5.mean))  # True
