"""The report of a run, and its figures inside the page and beside it."""

import base64
import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from helpers import few_figures, write_config
from sitqmc.continuation import PeakValue
from sitqmc.continuation.scan import priors
from sitqmc.estimate import Estimate
from sitqmc.qmc.observables import AVERAGES
from sitqmc.runs.cli import main as cli
from sitqmc.runs.config.config import load_config
from sitqmc.runs.results import tables
from sitqmc.runs.results.analysis import ScanFound, analyse_run, continue_job, scan_jobs, with_scans
from sitqmc.runs.results.figures import chains, numbers, panels
from sitqmc.runs.results.figures import kinds as figures
from sitqmc.runs.results.figures.curves import Curve
from sitqmc.runs.results.figures.kinds import MOST_PANELS, figure_kinds
from sitqmc.runs.results.point import is_resolved
from sitqmc.runs.results.report import html as page
from sitqmc.runs.results.report import report
from sitqmc.runs.results.report.publish import publish
from sitqmc.runs.results.report.report import remarks, report_page
from sitqmc.runs.results.report.symbols import symbols
from sitqmc.runs.results.run import load
from sitqmc.runs.results.tables import low_frequency
from sitqmc.runs.simulate.driver import run

VOID = {"meta", "img", "br"}
MM = 25.4


class Reader(HTMLParser):
    """Tags, attributes and words of a page; AssertionError where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.open, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def of(self, tag):
        return [attributes for name, attributes in self.attributes if name == tag]

    @property
    def text(self):
        return " ".join(self.words)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return folder and results of a tiny finished run."""
    folder = tmp_path_factory.mktemp("report")
    config = load_config(write_config(folder))
    config = replace(config, output=replace(config.output, path=str(folder / "out <b>")))
    run(config, processes=1, quiet=True)
    results = analyse_run(load(folder / "out <b>"))
    publish(results, quiet=True)
    return folder / "out <b>", results


@pytest.fixture(scope="module")
def reader(made):
    return Reader((made[0] / "report.html").read_text(encoding="utf-8"))


def test_nothing_is_loaded_from_elsewhere(reader, made):
    assert not {"script", "link", "iframe", "object", "base"} & set(reader.tags)
    for _, attributes in reader.attributes:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "action") and not value.startswith(("data:", "#")):
                assert (made[0] / value).is_file()
    assert "url(" not in page.STYLE
    assert "@import" not in page.STYLE


def test_every_figure_is_inside_and_described(reader, made):
    images = reader.of("img")
    assert len(images) == len(figure_kinds(made[1])) == 11
    for image in images:
        head, _, data = image["src"].partition(",")
        assert head == "data:image/svg+xml;base64"
        root = ElementTree.fromstring(base64.b64decode(data))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len(image["alt"]) > 40
    assert len({image["alt"] for image in images}) == 11


def test_every_figure_has_its_numbers_beside_it(reader, made):
    """The link of each figure leads to a csv file with a head and rows of the same length."""
    links = [a["href"] for a in reader.of("a") if not a["href"].startswith("#")]
    assert links == [kind.table for kind in figure_kinds(made[1]).values()]
    for name in links:
        with open(made[0] / name, newline="") as file:
            head, *rows = csv.reader(file)
        assert rows
        assert {len(row) for row in rows} == {len(head)}, name


def test_the_contents_lead_to_every_section(reader):
    links = [a["href"][1:] for a in reader.of("a") if a["href"].startswith("#")]
    assert links == [section["id"] for section in reader.of("section")]
    assert {"results", "figures", "how-to-cite"} <= set(links)


@pytest.mark.parametrize(("plain", "markup"), [
    ("rho_s", "<i>ρ</i><sub>s</sub>"), ("<-k_x>", "⟨−<i>k</i><sub>x</sub>⟩"), ("p", "<i>p</i>"),
    ("chi2/N", "<i>χ</i><sup>2</sup>/N"), ("L_tau = 8", "<i>L</i><sub>τ</sub> = 8"),
    ("G_k0", "<i>G</i><sub>k0</sub>"),
    ("a process, 3 of x", "a process, 3 of x"), ("1/E_J & <b>", "1/<i>E</i><sub>J</sub> &amp; &lt;b&gt;"),
])  # fmt: skip
def test_symbols_are_typeset(plain, markup):
    assert symbols(plain) == markup


def test_headings_come_in_order(reader):
    orders = [int(tag[1]) for tag in reader.tags if re.fullmatch("h[1-6]", tag)]
    assert orders.count(1) == 1
    assert all(b <= a + 1 for a, b in zip([0, *orders], orders, strict=False))
    assert reader.of("html")[0]["lang"] == "en"
    assert "width=device-width" in str(reader.of("meta"))
    assert all(cell["scope"] == "col" for cell in reader.of("th"))


def test_names_are_text_and_not_tags(reader):
    assert "out <b>" in reader.words
    assert "b" not in reader.tags
    assert page.tag("p", page.text("<i>"), title='"') == '<p title="&quot;">&lt;i&gt;</p>'


def test_numbers_warnings_configuration_provenance_are_told(reader, made):
    out, results = made
    table = (out / "table.txt").read_text()
    for word in re.findall(r"\d\.\d+\(\d+\)", table):
        assert word in reader.words
    found = remarks(results)
    whole = (out / "report.html").read_text(encoding="utf-8")
    assert all(symbols(remark) in whole for remark in found)
    assert all(any(w in remark for remark in found) for r in results.results for w in r.warnings)
    numba = results.header.history[0]["numba"]
    for word in ("therm_sweeps", "alpha_rule", "sweeps_per_measurement", numba, "git"):
        assert word in reader.text
    assert results.results[0].warnings             # 12 samples and 8 bins are too few


def test_every_average_is_explained(made):
    """The page explains each scalar average."""
    section = Reader("".join(report._averages(made[1])))
    for r in made[1].results:
        for name, e in r.averages.values.items():
            if np.ndim(e.value) == 0:
                assert name in section.words
                assert AVERAGES[name].text in section.text, name


def test_a_clean_run_says_so_and_an_incomplete_one_what_is_missing(made):
    _, results = made
    clean = results.replaced(replace(r, warnings=(), spectra={}) for r in results.results)
    assert remarks(clean) == []
    with few_figures("samples"):
        assert "All checks passed." in report_page(clean)
    disorder = replace(results.config.disorder, samples=20)
    failure = {"model": {}, "seed": 3, "sample": 7, "error": "worm lost", "host": "here"}
    config = replace(results.config, disorder=disorder)
    header = replace(results.header, table=config.resolved())
    lacking = replace(clean, header=header, failures=(failure,))
    assert remarks(lacking) == [
        "excluded from all averages: 1 sample (7)", "unfinished: 24 of 40 samples; 2 points lack some",
    ]  # fmt: skip
    with few_figures("samples"):
        assert "All checks passed." not in report_page(lacking)


def test_a_point_without_spectrum_is_reported_all_the_same(made):
    """A single point that could not be continued has neither a scan nor a spectrum, but it has a page."""
    bare = replace(made[1].results[0], spectra={}, warnings=("sigma(omega) was not computed",))
    single = made[1].replaced([bare])
    assert "scan" not in figure_kinds(single)
    reader = Reader(report_page(single))
    assert len(reader.of("img")) == 10
    assert "was not computed" in reader.text
    assert figure_kinds(made[1].replaced([])) == {}


def test_unresolved_peaks_are_named(made, monkeypatch):
    """A peak narrower than the resolution is not resolved, nor is a value below its error."""
    peak = PeakValue(Estimate(5.0, 0.1), Estimate(0.1, 0.01), 1.2, 0.1)
    for module in (report, tables):
        monkeypatch.setattr(module, "main_peak", lambda r: peak)

    def with_resolution(width):
        points = []
        for r in made[1].results:
            s = replace(r.spectrum, resolution=np.full(r.spectrum.omega.size, width))
            points.append(replace(r, warnings=(), spectra={"maxent": s}))
        return made[1].replaced(points)

    seen = [with_resolution(width) for width in (2.0, 0.1)]
    heads = ["".join(report._header(one)) for one in seen]
    assert "not resolved: the peak of" in heads[0]
    assert "All checks passed" not in heads[0]
    assert "All checks passed" in heads[1]
    assert tables.peak_texts(seen[0].results[0]) == ("n.r.", "n.r.")
    assert tables.peak_texts(seen[1].results[0]) == ("5.00(10)", "0.628(63)")
    assert "wider than the peak" in tables.final_table(seen[0])
    assert "n.r." not in tables.final_table(seen[1])
    assert not is_resolved(seen[1].results[0], replace(peak, height=Estimate(30.0, 180.0)))


def test_a_curve_is_strong_where_the_kernel_is_narrower_than_the_peak(made):
    s = made[1].results[0].spectrum
    shape = np.exp(-0.5 * ((s.omega - 5) / 0.5) ** 2)        # 1.18 wide
    resolution = np.where(s.omega < 5, 1.0, 2.0)
    curve = Curve.of(replace(s, values=shape, resolution=resolution))
    assert curve.resolved.tolist() == ((s.omega < 5) & (s.omega * s.beta >= 1)).tolist()


@pytest.fixture(scope="module")
def scanned(made):
    """Three points of a scan, their scalar response continued together under few priors."""
    first, second = made[1].results
    third = replace(second, averages=replace(second.averages, model=replace(second.model, p=0.3)))
    chosen = replace(made[1].config, continuation=replace(made[1].config.continuation, method="process"))
    points = [first, second, third]
    jobs = scan_jobs(chosen, points)
    assert [job.name for job in jobs] == ["sigma", "chi_s", "P"]
    assert all(job.places == (0, 1, 2) and job.at == (0.0, 0.2, 0.3) for job in jobs)
    assert scan_jobs(chosen, points[:2]) == []
    off = replace(chosen, continuation=replace(chosen.continuation, scan=False))
    assert scan_jobs(off, points) == []
    assert scan_jobs(made[1].config, points) == []             # method "maxent"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(priors, "LENGTHS", (0.6,))
        patch.setattr(priors, "AMPLITUDES", (1.0,))
        return made[1].replaced(with_scans(points, [continue_job(jobs[1])]))


def test_a_scan_is_reported_beside_its_single_points(scanned, tmp_path):
    assert all(set(r.joint) == {"chi_s"} for r in scanned.results)
    assert {"higgs"} == set(figure_kinds(scanned)) & {"higgs", "pair"}
    with few_figures("sigma", "higgs"):
        words = Reader(report_page(scanned)).words
    assert "P(two peaks)" in words
    assert "points continued together, and alone" in words
    rows = [line.split(",") for line in tables.as_csv(numbers.response_rows("chi_s", scanned)).splitlines()]
    place = rows[0].index("chi_s")
    value, low, high = np.array([row[place : place + 3] for row in rows[1:]], dtype=float).T
    assert np.all((low <= value) & (value <= high))
    assert len(rows) == 1 + sum(r.joint["chi_s"].together.omega.size for r in scanned.results)
    broken = ScanFound("chi_s", (0, 1, 2), reason="data too poor")
    assert "chi_s: the points were not continued together: data too poor" in (
        with_scans(list(scanned.results), [broken])[0].warnings
    )


def test_scales_hold_every_correlator(made):
    rows = list(tables.scale_rows(made[1]))
    column = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))
    pairs = set(zip(column["correlator"], column["quantity"], strict=True))
    for name in ("rho", "chi_s", "G_k0"):
        assert (name, "sigma_low" if name == "rho" else "low") in pairs
        assert (name, "midpoint_frequency") in pairs
    found = {(row[-4], row[-3]): row[-2] for row in rows[1:]}
    for name in {name for name, quantity in pairs if quantity == "weight_low_most"}:
        assert 0 <= found[name, "weight_low_least"] <= found[name, "weight_low_most"]


def test_low_frequency_value_is_shown(reader, made):
    """beta^2 Lambda(beta/2)/pi by the plain alternating sum over all slices."""
    r = made[1].results[1]
    rho = r.averages.values["rho"].value
    both = np.concatenate([rho, rho[1:-1]])        # n and -n; the last of an even number of slices is its own
    signs = (-1.0) ** np.concatenate([np.arange(len(rho)), np.arange(1, len(rho) - 1)])
    expected = -2 * r.model.beta * (signs @ both)
    shown = f"{low_frequency(r)}"
    digits = len(shown.split("(")[0].partition(".")[2])
    assert float(shown.split("(")[0]) == pytest.approx(expected, abs=0.51 * 10.0**-digits)
    assert shown in reader.words


def test_command(made, capsys, tmp_path):
    out, _ = made
    assert cli.main(["report", str(out), "-o", str(tmp_path / "r.html"), "--format", "png, svg"]) == 0
    said = capsys.readouterr().out
    assert (out / "table.txt").read_text() in said
    assert str(tmp_path / "r.html") in said.splitlines()[-1]
    expected = [".csv"] * 12 + [".html"] + [".png"] * 11 + [".svg"] * 11 + [".txt"] * 2
    assert sorted(p.suffix for p in tmp_path.iterdir()) == expected
    assert (tmp_path / "r.html").read_text() == (out / "report.html").read_text()
    for name in ("table.txt", "averages.csv", "sigma.csv", "scales.csv"):
        assert (tmp_path / name).read_text() == (out / name).read_text()


@pytest.mark.parametrize(("arguments", "word"), [
    (["nowhere"], "no run found"), (["{out}", "-o", "no/such/r.html"], "does not exist"),
])  # fmt: skip
def test_bad_input(made, capsys, tmp_path, monkeypatch, arguments, word):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["report", *(a.format(out=made[0]) for a in arguments)]) == 2
    assert word in capsys.readouterr().err


def test_unknown_format_is_refused(capsys):
    with pytest.raises(SystemExit):
        cli.main(["report", "anywhere", "--format", "jpg"])
    assert "'jpg' is not one of png, pdf, svg" in capsys.readouterr().err


def test_figures_fit_a_column(made):
    """One panel is a column of 89 mm wide, and the type in the PDF is embedded TrueType."""
    figure = figures.draw("sigma", made[1])
    assert figure.get_figwidth() * MM == pytest.approx(89)
    pdf = (made[0] / "sigma.pdf").read_bytes()
    width = float(re.search(rb"/MediaBox \[\s*0\s+0\s+([\d.]+)", pdf).group(1)) / 72 * MM
    assert width == pytest.approx(89, abs=0.1)
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    sizes = [text.get_fontsize() for axis in figure.axes for text in axis.get_xticklabels()]
    assert min(sizes) >= 6


def test_two_panels_take_the_page(made):
    first, second = made[1].results
    bigger = replace(second, averages=replace(second.averages, model=replace(second.model, charging=4.0)))
    results = made[1].replaced([first, second, bigger])
    figure = figures.draw("rho", results)
    assert figure.get_figwidth() * MM == pytest.approx(183)
    assert len([axis for axis in figure.axes if axis.get_visible()]) == 4        # residuals below each panel
    ranks = [results.space.rank(r.model) for r in results.results]
    assert ranks[0] != ranks[1] == ranks[2]


def test_many_points_share_a_figure_with_one_panel_each(made):
    first = made[1].results[0]
    points = [replace(first, averages=replace(first.averages, model=replace(first.model, p=i / 100)))
              for i in range(MOST_PANELS + 8)]  # fmt: skip
    many = made[1].replaced(points)
    kind = figures.KINDS["sigma"]
    titles = [*figures.members_of_panels(kind, many)]
    assert len(titles) == MOST_PANELS
    assert (titles[0], titles[-1]) == ("$p$ = 0", "$p$ = 0.19")
    assert f"{MOST_PANELS} of {MOST_PANELS + 8} points are shown" in figures.caption(kind, many)


def test_the_crossing_of_two_sizes_is_marked(made):
    """Curves <W_x^2> = 1 + L (0.2 - p) cross at p = 0.2, whatever the size."""
    rng, first, points = np.random.default_rng(5), made[1].results[0], []
    for size in (4, 8):
        for p in (0.1, 0.15, 0.2, 0.25, 0.3):
            model = replace(first.model, Lx=size, Ly=size, p=p)
            rho_s = (1 + size * (0.2 - p) + 0.05 * rng.normal(size=50)) / model.beta
            samples = first.averages.samples | {"rho_s": rho_s}
            points.append(replace(first, averages=replace(first.averages, model=model, samples=samples)))
    results = made[1].replaced(points)
    found = panels.critical_point(results)
    assert found.sizes == (4, 8)
    assert abs(found.coupling.value - 0.2) < 4 * found.coupling.error < 0.04
    legend = figures.draw("scan", results).axes[0].get_legend().get_texts()
    assert "crossing of" in legend[0].get_text() + legend[-1].get_text()
    assert panels.critical_point(made[1]) is None


def test_drift_and_autocorrelation_of_bins():
    """AR(1) series of known correlation 0.6^t, with a drift of -1 in the first bin, given in two pieces."""
    rng = np.random.default_rng(7)
    n, count, a = 4000, 40, 0.6
    bins = np.empty((n, count))
    bins[:, 0] = rng.normal(size=n)
    for t in range(1, count):
        bins[:, t] = a * bins[:, t - 1] + np.sqrt(1 - a**2) * rng.normal(size=n)
    bins += rng.normal(size=(n, 1))                # disorder: a constant of each chain
    plain = chains.summary_of([bins[:1000], bins[1000:]])
    assert np.allclose(plain.means, bins.mean(axis=1))
    # The mean of a correlated chain takes tau_int times the variance of independent bins.
    assert np.allclose(plain.correlation[:4], a ** np.arange(4), atol=0.08)
    assert np.all(np.abs(plain.drift) < 4.5 * plain.drift_error)
    assert plain.drift_error.max() < 0.02
    bins[:, 0] -= 1
    assert chains.summary_of([bins]).drift[0] == pytest.approx(-1, abs=0.1)
    assert chains.summary_of([bins[:1]]) is None
