"""The configuration that `sitqmc init` writes."""

from sitqmc.continuation.methods import DEFAULT_METHOD, methods_for

TEXT = '''\
# A run of sitqmc.   sitqmc plan {name}   estimates its cost,   sitqmc run {name}   starts and resumes it.
# Energies in E_J, times in 1/E_J. Lines that begin with # show a default or another choice.

[model]                          # any value may be a list or a range: the run covers all combinations
action = "cosine"                # cosine, rotor, villain; the transition depends on it, and on eps
eps = 0.1                        # width of a time slice
charging = 3.0                   # E_C/E_J
L = [8, 12]                      # sites per side; or Lx = ..., Ly = ...
L_tau = "2 * round(L**1.5)"      # time slices: a number, or an expression of the other keys; or beta = ...
p = {{ start = 0.0, stop = 0.4, step = 0.1 }}    # fraction of missing bonds

# [[model.points]]               # further points: each table replaces keys of [model]
# L = 16
# p = [0.3, 0.35]

[disorder]
samples = 100                    # disorder samples per point; more can be added later
seed = 1                         # names all random streams

[schedule]
therm_sweeps = 200.0             # a sweep is one head move per space-time site
bins = 32
measurements_per_bin = 16
sweeps_per_measurement = 2.0
# interleave = 4                 # samples that run together in a process; changes no bit

# [target]                       # errors to be reached by adding samples
# rho_s = 0.002                  # absolute, or {{ relative = 0.01 }}
# max_samples = 1000

[observables]
# n_max = 0                      # largest Matsubara number kept; 0: all
# own = "bonds.py"               # Python file with own observables

[continuation]                   # may change between calls: only the analysis is repeated
# method = {method:21s} # {methods}
# scan = true                    # false: every point of a scan is continued alone
# blocks = 20                    # jackknife blocks of samples

[output]
path = "results/{stem}"
# checkpoint_seconds = 30.0      # a kill loses at most the work of this time
# keep_state = false             # true: chains can be lengthened (bins) later, at the cost of disk space
'''


def template(name: str, stem: str) -> str:
    """Return a commented starting configuration."""
    methods = ", ".join(methods_for("rho_iw"))
    return TEXT.format(name=name, stem=stem, method=f'"{DEFAULT_METHOD}"', methods=methods)
