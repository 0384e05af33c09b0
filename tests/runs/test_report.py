"""The page that tells a run, the figures in it and beside it."""

import base64
import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from helpers import write_config
from sitqmc.qmc import Model
from sitqmc.qmc.observables import AVERAGES
from sitqmc.runs.cli import main as cli
from sitqmc.runs.config.config import load_config
from sitqmc.runs.results import html as page
from sitqmc.runs.results import report
from sitqmc.runs.results.families import families, named, shared
from sitqmc.runs.results.figures import run as figures
from sitqmc.runs.results.report import problems, report_page, told_of, unresolved
from sitqmc.runs.results.run import load
from sitqmc.runs.simulate.run import run

VOID = {"meta", "img", "br"}
MM = 25.4


class Reader(HTMLParser):
    """What a page is made of; AssertionError where tags do not match."""

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
    """A tiny run made to its end: its folder and what is told of it."""
    folder = tmp_path_factory.mktemp("report")
    config = load_config(write_config(folder))
    config = replace(config, output=replace(config.output, path=str(folder / "out <b>")))
    run(config, processes=1, quiet=True)
    return folder / "out <b>", told_of(load(folder / "out <b>"))


@pytest.fixture(scope="module")
def reader(made):
    return Reader((made[0] / "report.html").read_text(encoding="utf-8"))


def test_nothing_is_loaded_from_elsewhere(reader):
    assert not {"script", "link", "iframe", "object", "base"} & set(reader.tags)
    for _, attributes in reader.attributes:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "action"):
                assert value.startswith("data:")
    assert "url(" not in page.STYLE
    assert "@import" not in page.STYLE


def test_every_figure_is_inside_and_described(reader, made):
    images = reader.of("img")
    assert len(images) == len(figures.drawings(made[1].results)) == 5
    for image in images:
        head, _, data = image["src"].partition(",")
        assert head == "data:image/svg+xml;base64"
        root = ElementTree.fromstring(base64.b64decode(data))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len(image["alt"]) > 40
    assert len({image["alt"] for image in images}) == 5


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
    out, told = made
    table = (out / "table.txt").read_text()
    for word in re.findall(r"\d\.\d+\(\d+\)", table):
        assert word in reader.words
    for found in problems(told):
        assert found in reader.words
    assert all(any(w in found for found in problems(told)) for r in told.results for w in r.warnings)
    for word in ("therm_sweeps", "alpha_rule", "sweeps_per_measurement", told.history[0]["numba"], "git"):
        assert word in reader.text
    assert told.results[0].warnings                # 12 samples, 8 bins: the tiny run must complain


def test_every_average_is_explained(made):
    """Each scalar of the averages has a meaning, and stands in the page with it."""
    for r in made[1].results:
        told = Reader("".join(report._averages([r])))
        for name, e in r.averages.values.items():
            if np.ndim(e.value) == 0:
                assert name in told.words
                assert AVERAGES[name].text in told.text, name


def test_a_clean_run_says_so_and_a_damaged_one_what_is_missing(made):
    _, told = made
    clean = replace(told, results=[replace(r, warnings=[]) for r in told.results])
    assert problems(clean) == []
    assert "All checks passed." in report_page(clean)
    disorder = replace(told.config.disorder, samples=20)
    failure = {"model": {}, "seed": 3, "sample": 7, "error": "worm lost", "host": "here"}
    lacking = replace(clean, config=replace(told.config, disorder=disorder), failed=[failure])
    assert problems(lacking) == [
        "set aside, in no average: 1 samples (7)", "unfinished: 24 of 40 samples; 2 points lack some",
    ]  # fmt: skip
    assert "All checks passed." not in report_page(lacking)


def test_a_point_without_spectrum_is_told_all_the_same(made):
    """One point that could not be continued: no scan, no line, but a page."""
    bare = replace(made[1].results[0], spectrum=None, maxent=None, warnings=["sigma(omega) was not computed"])
    assert "scan" not in figures.drawings([bare])
    told = Reader(report_page(replace(made[1], results=[bare])))
    assert len(told.of("img")) == 4
    assert any("sigma(omega) was not computed" in word for word in told.words)
    assert figures.drawings([]) == {}


def test_unresolved_peaks_are_named(made):
    """A peak narrower than the resolution; the same data with a resolution much finer than the peak."""
    first = made[1].results[0]
    s = first.spectrum
    shape = np.exp(-0.5 * ((s.omega - 5) / 0.5) ** 2)
    coarse = replace(s, values=shape, resolution=np.full(s.omega.size, 2.0))
    fine = replace(coarse, resolution=np.full(s.omega.size, 0.1))
    assert "the shape of the peak" in unresolved([replace(first, spectrum=coarse)])
    assert unresolved([replace(first, spectrum=fine)]) == ""
    assert "Not resolved" in report_page(replace(made[1], results=[replace(first, spectrum=coarse)]))


def test_low_frequency_value_is_shown(reader, made):
    """beta^2 Lambda(beta/2)/pi by the plain alternating sum over all slices."""
    r = made[1].results[1]
    rho = r.averages.values["rho"].value
    both = np.concatenate([rho, rho[1:-1]])        # n and -n; the last of an even number of slices is its own
    signs = (-1.0) ** np.concatenate([np.arange(len(rho)), np.arange(1, len(rho) - 1)])
    expected = -2 * r.model.beta * (signs @ both)
    shown = report._low_frequency(r)
    digits = len(shown.split("(")[0].partition(".")[2])
    assert float(shown.split("(")[0]) == pytest.approx(expected, abs=0.51 * 10.0**-digits)
    assert shown in reader.words


def test_command(made, capsys, tmp_path):
    out, _ = made
    assert cli.main(["report", str(out), "-o", str(tmp_path / "r.html"), "--format", "pdf, svg"]) == 0
    said = capsys.readouterr().out.split("\n")
    assert said[0] == str(tmp_path / "r.html")
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".html"] + 5 * [".pdf"] + 5 * [".svg"]
    assert (tmp_path / "r.html").read_text() == (out / "report.html").read_text()


@pytest.mark.parametrize(("arguments", "word"), [
    (["nowhere"], "there is no run here"), (["{out}", "-o", "no/such/r.html"], "does not exist"),
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
    figure = figures.draw("sigma", made[1].results)
    assert figure.get_figwidth() * MM == pytest.approx(89)
    pdf = (made[0] / "sigma.pdf").read_bytes()
    width = float(re.search(rb"/MediaBox \[\s*0\s+0\s+([\d.]+)", pdf).group(1)) / 72 * MM
    assert width == pytest.approx(89, abs=0.1)
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    sizes = [text.get_fontsize() for axis in figure.axes for text in axis.get_xticklabels()]
    assert min(sizes) >= 6


def test_two_families_take_the_page(made):
    first, second = made[1].results
    bigger = replace(second, averages=replace(second.averages, model=replace(second.model, charging=4.0)))
    figure = figures.draw("rho", [first, second, bigger])
    assert figure.get_figwidth() * MM == pytest.approx(183)
    assert len([axis for axis in figure.axes if axis.get_visible()]) == 2
    colours = figures.Palette(families([r.model for r in (first, second, bigger)]))
    assert colours.colour(first) != colours.colour(second) == colours.colour(bigger)


def models(**lists):
    """All combinations."""
    rows = [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]
    sizes = [row.get("Lx", 4) for row in rows]
    return [
        Model(**({"Lx": L, "Ly": L, "L_tau": 2 * L, "eps": 0.1, "charging": 3.0} | row))
        for L, row in zip(sizes, rows, strict=True)
    ]


def test_families():
    groups = families(models(Lx=[8, 4], p=[0.2, 0.1]))
    assert (groups.key, groups.values) == ("p", (0.1, 0.2))
    assert sorted(groups.members.values()) == [[1, 0], [3, 2]]
    assert set(groups.members) == {"$L$ = 8, $L_\\tau$ = 16", "$L$ = 4, $L_\\tau$ = 8"}
    assert [groups.rank(p) for p in groups.values] == [0, 1]
    assert families(models(charging=[1.0, 2.0])).key == "charging"
    sizes = families(models(Lx=[4, 6, 8]))
    assert (sizes.key, list(sizes.members.values())) == ("Lx", [[0, 1, 2]])
    diluted = families(models(p_site=[0.0, 0.1], p=[0.0, 0.1]))
    assert list(diluted.members.values()) == [[0, 1], [2, 3]]
    assert list(families(models(p=[0.1])).members) == [""]


def test_points_are_named_by_what_tells_them_apart():
    some = models(Lx=[4, 8], p=[0.1, 0.2])
    assert named(some[3], some) == "Lx = 8, Ly = 8, L_tau = 16, p = 0.2"
    assert shared(some) == "eps = 0.1, charging = 3, action cosine"
    assert named(some[0], some[:1]) == "p = 0.1"
