"""Measurements: sums over a configuration, waiting times, and the response to a twist."""

import numpy as np
import pytest

from sitqmc.qmc import Chains, Model, Schedule, run_chain, space_links, time_links
from sitqmc.qmc.measure.estimators import prepare_measurement
from sitqmc.qmc.measure.kernels import reset_sums, sum_currents
from sitqmc.qmc.measure.packed_sums import count_currents
from sitqmc.qmc.observables import array_slices
from sitqmc.qmc.worm.link_tables import build_link_tables


@pytest.mark.parametrize("read", [sum_currents, count_currents])
def test_sums_over_a_configuration_against_numpy(walk, read):
    model, chains = walk
    disorder = [model.draw_disorder(11, s) for s in (0, 1)]
    links = build_link_tables(model, disorder)
    ops, work, _ = prepare_measurement(
        model, disorder, links, chains.layout, 1, array_slices(model, 1), np.zeros((0, 2), np.int64)
    )
    if read is count_currents and not ops.can_pack:
        pytest.skip("only for four bytes a site")
    space = space_links(model.action, model.eps)
    time = time_links(model.action, model.eps, model.charging)
    for c, (J, words) in enumerate(zip(chains.currents(), chains.state()["words"], strict=True)):
        reset_sums.py_func(ops.empty[c], work)
        read(words, c, ops, work)
        np.testing.assert_array_equal(work.current_x, J[1].sum(axis=(1, 2)))
        np.testing.assert_array_equal(work.current_y, J[2].sum(axis=(1, 2)))
        for mu, column in ((1, work.columns[0]), (2, work.columns[1]), (0, work.columns[2])):
            np.testing.assert_array_equal(column, J[mu].sum(axis=0).ravel())
        bonds = disorder[c].bonds
        kinetic_x, kinetic_y, contact, time_contact = work.totals
        for mu, kinetic in ((1, kinetic_x), (2, kinetic_y)):
            wanted = (space.kinetic[np.abs(J[mu])] * bonds[mu - 1]).sum()
            np.testing.assert_allclose(kinetic, wanted, rtol=1e-12)
        wanted = sum((space.contact[np.abs(J[mu])] * bonds[mu - 1]).sum() for mu in (1, 2))
        np.testing.assert_allclose(contact, wanted, rtol=1e-11)
        wanted = sum((space.energy[np.abs(J[mu])] * bonds[mu - 1]).sum(axis=(1, 2)) for mu in (1, 2))
        np.testing.assert_allclose(work.space_energy, wanted, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(work.time_energy, time.energy[np.abs(J[0])].sum(axis=(1, 2)), rtol=1e-12)
        np.testing.assert_allclose(time_contact, time.contact[np.abs(J[0])].sum(), rtol=1e-12)


def test_waiting_times_at_equal_time_are_kept_by_distance():
    """G over distances and over times agree at tau = 0, and x is not mixed up with y."""
    model = Model(Lx=4, Ly=3, L_tau=5, eps=0.8, charging=1.5, action="rotor")
    only_x = np.zeros((2, 3, 4), bool)
    only_x[0] = True
    for bonds in (np.ones_like(only_x), only_x):
        short = Schedule(bins=4, measurements_per_bin=400)
        result = run_chain(model, bonds, seed=5, sample=0, schedule=short)
        distances = result.maps["G_r0"]
        assert distances.sum() == pytest.approx(result.bins["G_k0"][:, 0].mean())
        assert distances[0, 0] == 1
        assert distances[0, 1] == pytest.approx(distances[0, 3], rel=0.1)
        assert distances[0, 1] > distances[0, 2] > 0
        assert (distances[1:].sum() > 0) == bonds[1].any()


def test_the_flow_is_that_of_a_resistor_network():
    """A current in response to a twist: kept at every site, and at large E_J shared as between resistors."""
    model = Model(Lx=4, Ly=3, L_tau=10, eps=0.4, charging=0.2, action="rotor")
    bonds = np.ones((2, 3, 4), bool)
    bonds[0, 1, 2] = bonds[0, 2, 0] = bonds[1, 0, 1] = False
    chains = Chains(model, [bonds] * 4, seed=3, samples=range(4), schedule=Schedule(measurements_per_bin=100))
    while not chains.finished:
        chains.step()
    flow = np.mean([result.twist_current for result in chains.results()], axis=0)
    divergence = flow[0] - np.roll(flow[0], 1, axis=1) + flow[1] - np.roll(flow[1], 1, axis=0)
    np.testing.assert_allclose(divergence, 0, atol=1e-12)
    assert np.all(flow[~bonds] == 0)
    stiffness = np.mean([result.bins["rho_s_x"].mean() for result in chains.results()])
    np.testing.assert_allclose(flow[0].sum(axis=0), stiffness * 3 / 4, rtol=0.1)
    np.testing.assert_allclose(flow / flow[0, :, 0].sum(), _resistors(bonds), atol=0.03)


def _resistors(bonds):
    """Currents through equal resistors under a uniform field along x; their sum over y is 1."""
    Ly, Lx = bonds.shape[1:]
    site = np.arange(Ly * Lx).reshape(Ly, Lx)
    ends = np.stack([np.roll(site, -1, axis=1), np.roll(site, -1, axis=0)])
    field = np.stack([np.ones((Ly, Lx)), np.zeros((Ly, Lx))])
    there = bonds.ravel()
    drop = (np.eye(site.size)[ends.ravel()] - np.tile(np.eye(site.size), (2, 1)))[there]
    phase = np.linalg.lstsq(drop, -field.ravel()[there], rcond=None)[0]
    current = np.zeros(bonds.size)
    current[there] = field.ravel()[there] + drop @ phase
    current = current.reshape(bonds.shape)
    return current / current[0, :, 0].sum()
