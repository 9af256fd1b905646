"""A family is one file: a toy one, put beside the others, is read, simulated, fitted and reported.

The toy has gamma responses with a log link and two further parameters: `shape`, above 0, and a
probability `zero` of exact zeros, between 0 and 1, so that both kinds of bounds are reached. The
zero-inflated counts that ship are tested in the same ways, since they are one file each too.
"""

import dataclasses
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import acmodels as ac
from acmodels import families
from acmodels.errors import ModelError
from acmodels.estimands import Context, evaluate
from acmodels.load import load_model
from acmodels.priors import resolve_priors
from acmodels.reporting.checks import predictive_checks
from acmodels.simulation import simulate
from acmodels.spec.design import design_from_table
from acmodels.system import build_system
from fakes import fake_fit

TOY = """
from dataclasses import dataclass
from typing import Any

import numpy as np

from acmodels.families import Family, Scalar
from acmodels.spec.distribution import beta, log_normal


@dataclass(frozen=True, kw_only=True)
class Spend(Family):
    label = "gamma with zeros"
    links = ("log",)
    scalars = (
        Scalar("shape", lambda rough: log_normal(float(np.log(rough)), 1.0), label="shapes"),
        Scalar("zero", lambda _: beta(1.0, 1.0), upper=1.0, label="shares of zeros"),
    )

    shape: Any
    zero: Any

    @classmethod
    def guess(cls, y, link, codes):
        zero = 0.25 if y is None else float(np.clip(np.mean(y == 0), 0.05, 0.9))
        return {"shape": 2.0, "zero": zero}

    def mean(self, eta):
        return (1 - self.zero) * np.exp(eta)

    def variance(self, eta):
        return (1 - self.zero) * np.exp(2 * eta) * (1 / self.shape + self.zero)

    def draw(self, rng, eta):
        y = rng.gamma(np.broadcast_to(self.shape, eta.shape)) * np.exp(eta) / self.shape
        return np.where(rng.random(eta.shape) < self.zero, 0.0, y)

    def log_density(self, y, eta):
        from scipy.special import gammaln

        a, some = self.shape, np.where(y > 0, y, 1.0)
        inside = a * (np.log(a) - eta) - gammaln(a) + (a - 1) * np.log(some)
        inside = inside - a * some * np.exp(-eta)
        return np.where(y > 0, np.log1p(-self.zero) + inside, np.log(self.zero))

    def likelihood(self, pm, name, y, eta):
        m = pm.math
        law = pm.Gamma.dist(alpha=self.shape, beta=self.shape * m.exp(-eta))
        inside = m.log(1 - self.zero) + pm.logp(law, m.where(m.gt(y, 0.0), y, 1.0))
        return pm.Potential(name, m.where(m.gt(y, 0.0), inside, m.log(self.zero)))
"""

PRIOR = {"dist": "Beta", "alpha": 2.0, "beta": 6.0}
UNITS = {"g": 60, "row": {"per": "g", "n": 10}}

CASES: dict[str, dict[str, float]] = {
    "toy_spend": {"shape(y)": 3.0, "zero(y)": 0.3},
    "zero_inflated_poisson": {"zi(y)": 0.3},
    "zero_inflated_negative_binomial": {"zi(y)": 0.3, "phi(y)": 4.0},
}


@pytest.fixture(autouse=True)
def with_toy(tmp_path: Path) -> Iterator[None]:
    """The running package, with one more file in its folder of families."""
    (tmp_path / "toy_spend.py").write_text(TOY)
    families.__path__.append(str(tmp_path))
    caches: list[Any] = [families.family_names, families.scalars, families.load_class]
    for cache in caches:
        cache.cache_clear()
    yield
    families.__path__.remove(str(tmp_path))
    sys.modules.pop("acmodels.families.toy_spend", None)
    for cache in caches:
        cache.cache_clear()


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def model_of(name: str) -> dict[str, Any]:
    share = next(p for p in CASES[name] if p[:2] == "ze" or p[:2] == "zi")
    return {
        "name": "t",
        "equations": {
            "m": {"formula": "m ~ x"},
            "y": {"formula": "y ~ m + x + (1 | g)", "family": name},
        },
        "priors": {share: PRIOR},
        "estimands": {
            "e": {
                "kind": "total",
                "from": "x",
                "to": "y",
                "scale": "response",
                "values": [0.0, 1.0],
            },
            "share": {"kind": "variance_share", "parameter": "sd(y ~ 1 | g)"},
        },
    }


def simulated(name: str, **truth: float) -> Any:
    model = load_model(model_of(name))
    given = {"y ~ 1": 1.0, "y ~ x": 0.3, "y ~ m": 0.2, "m ~ x": 0.5, **CASES[name], **truth}
    design = design_from_table({"model": "t", "units": UNITS, "truth": given}, "design.toml")
    return simulate(dataclasses.replace(design, model=model), 4)


def test_it_is_simulated_as_its_truth_says(name: str) -> None:
    """The share of zeros and the mean are those of the formulas, within 5 standard errors."""
    made = simulated(name, **{"sd(y ~ 1 | g)": 0.0})
    frame, t = made.study.frame, made.truth
    y = frame["y"].to_numpy(float)
    mu = np.exp(1.0 + 0.3 * frame["x"] + 0.2 * frame["m"]).to_numpy()
    share = t.get("zi(y)", t.get("zero(y)"))
    count = {
        "toy_spend": np.zeros(len(y)),
        "zero_inflated_poisson": stats.poisson(mu).pmf(0),
        "zero_inflated_negative_binomial": stats.nbinom(4, 4 / (4 + mu)).pmf(0),
    }[name]
    p = share + (1 - share) * count
    assert abs(np.mean(y == 0) - p.mean()) < 5 * np.sqrt(np.sum(p * (1 - p))) / len(y)
    left = y - (1 - share) * mu
    assert abs(left.mean()) < 5 * left.std() / np.sqrt(len(y))


def test_priors_lie_within_the_bounds(name: str) -> None:
    made = simulated(name)
    system = build_system(load_model(model_of(name)), made.study)
    priors = resolve_priors(model_of(name)["priors"], system.layout, system.responses)
    for s in families.family(name).scalars:
        p = priors[f"{s.kind}(y)"]
        assert (p.lower, p.upper) == (s.lower, s.upper)
        assert not p.allows(s.lower)
        assert not p.allows(s.upper)
    stated = next(p for p in priors.values() if p.distribution.name == "Beta")
    assert stated.upper == 1.0
    narrow = {stated.name: {"dist": "Uniform", "lower": 0.1, "upper": 0.4}}
    found = resolve_priors(narrow, system.layout, system.responses)[stated.name]
    assert (found.lower, found.upper) == (0.1, 0.4)


@pytest.mark.parametrize(
    ("prior", "said"),
    [
        ({"dist": "HalfNormal", "sigma": 1.0}, "does not fit here"),
        ({"dist": "Uniform", "lower": 0.2, "upper": 1.5}, "between 0 and 1"),
        ({"dist": "Uniform", "lower": 0.5, "upper": 0.2}, "upper must be above lower"),
        ({"dist": "Constant", "value": 1.0}, "between 0 and 1"),
    ],
)
def test_priors_that_do_not_fit_are_refused(prior: dict[str, Any], said: str) -> None:
    name = "zero_inflated_poisson"
    system = build_system(load_model(model_of(name)), simulated(name).study)
    with pytest.raises(ModelError, match=said):
        resolve_priors({"zi(y)": prior}, system.layout, system.responses)


def test_impossible_truths_are_refused() -> None:
    with pytest.raises(ModelError, match=re.escape("between 0 and 1, not 1.2")):
        simulated("zero_inflated_poisson", **{"zi(y)": 1.2})


def test_claims_that_hold_whatever_the_data_are_refused() -> None:
    table = model_of("zero_inflated_poisson")
    table["estimands"]["z"] = {"kind": "coefficient", "parameter": "zi(y)"}
    table["propositions"] = {"H": {"estimand": "z", "region": {"between": [0.0, 1.0]}}}
    with pytest.raises(ModelError, match="whatever the data say"):
        load_model(table)


def test_predictions_checks_and_effects_are_of_the_mean(name: str) -> None:
    """Everything that follows a fit, from draws made by hand."""
    made = simulated(name)
    fit = fake_fit(model_of(name), made.study.frame)
    e = fit.system.layout.equation("y")
    found = ac.predictions(fit, response="y", groups="observed")
    eta = _predictors(fit)
    given = e.conditional(lambda n: fit.draws[n].reshape(-1))
    np.testing.assert_allclose(found["mean"], given.mean(eta).mean(axis=0), rtol=1e-9)
    check = next(c for c in predictive_checks(fit) if c.response == "y")
    assert check.statistics
    share = fit.draws[f"{e.scalars[-1]}(y)"]
    assert np.all((share > 0) & (share < 1))


def _predictors(fit: Any) -> np.ndarray:
    d = {n: fit.draws[n].reshape(-1, 1) for n in fit.draws.names}
    v = {k: fit.system.layout.variables[k].values for k in ("x",)}
    m = fit.system.responses["m"]
    block = fit.system.layout.blocks[0]
    u = fit.draws.group_effects[block.key]
    u = u.reshape(-1, *u.shape[2:])[:, block.code, 0]
    return d["y ~ 1"] + d["y ~ m"] * m + d["y ~ x"] * v["x"] + u


def test_effects_on_the_response_scale_have_a_closed_form(name: str) -> None:
    """E y = (1 - zi) exp(eta + variances / 2), since m and group effects are normal."""
    made = simulated(name)
    model, t = load_model(model_of(name)), made.truth
    system = build_system(model, made.study)
    at = {n: np.full((1, 200), v) for n, v in t.items()}
    known = model.estimands
    context = Context(system.layout, system.responses, at.__getitem__, known, "t")
    (row,) = evaluate("e", context)
    found = row.draws
    total = 0.3 + 0.2 * 0.5
    at_zero = 1.0 + 0.2 * t["m ~ 1"] + 0.5 * ((0.2 * t["sigma(m)"]) ** 2 + t["sd(y ~ 1 | g)"] ** 2)
    wanted = (1 - t.get("zi(y)", t.get("zero(y)"))) * np.exp(at_zero) * (np.exp(total) - 1)
    assert abs(found.mean() - wanted) < 4.5 * found.std() / np.sqrt(found.size)


def test_the_graphs_density_is_the_familys(name: str) -> None:
    """The likelihood given to PyMC, without compiling: the NumPy density is checked elsewhere."""
    pm = pytest.importorskip("pymc")
    from acmodels.engines.nuts.likelihood import Densities

    rng = np.random.default_rng(1)
    known = {n.partition("(")[0]: v for n, v in CASES[name].items()}
    response = families.family(name)(link="log", **known)
    eta = rng.normal(0.5, 1.0, 40)
    y = response.draw(rng, eta)
    found = response.likelihood(Densities(pm), "", y, pm.math.as_tensor(eta))
    np.testing.assert_allclose(
        found.eval(mode="FAST_COMPILE"), response.log_density(y, eta), rtol=1e-6
    )


def test_no_other_file_names_a_zero_inflated_family() -> None:
    """Each is known by its file alone."""
    root = Path(families.__file__).parents[1]
    command = ["grep", "-rlE", "--include=*.py", "zero_inflated|ZeroInflated", str(root)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert {Path(f).name for f in found} == {
        "zero_inflated_poisson.py",
        "zero_inflated_negative_binomial.py",
    }
