"""Green functions of a bin from the waiting times of the worm: observables of kind "worm"."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def green_bins(times: Array, distances: Array, share: float) -> tuple[dict[str, Array], Array]:
    """Return the bins of G_loc, G_k0, S_x, S_y and G_far by name, and the map G_r0 (Ly, Lx).

    times      (bins, 2 L_tau), waiting times per attempt by tau distance: first at space distance zero, then
               at all other space distances
    distances  (bins, Ly, Lx), waiting times per attempt at tau distance zero, by space distance
    share      number of rotors per site

    Attempts count as waiting times with head and tail on one site; a share `share` of them was on rotors.
    """
    same, other = np.split(times.copy(), 2, axis=1)
    same[:, 0] += share
    space = distances.copy()
    space[:, 0, 0] += share
    Ly, Lx = space.shape[1:]
    S = np.fft.rfft2(space).real
    bins = {
        "G_loc": same / share,
        "G_k0": same + other,
        "S_x": S[:, 0].copy(),
        "S_y": S[:, : Ly // 2 + 1, 0].copy(),
        "G_far": space[:, Ly // 2, Lx // 2].copy(),
    }
    mean = distances.mean(axis=0)
    mean[0, 0] += share
    return bins, np.asarray(mean)
