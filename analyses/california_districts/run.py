"""Fit the two models to the data that ship with statsmodels and compare with its GLM.

Writes comparison.csv (coefficients beside GLM) and estimands.csv (the path model).
usage: python run.py
"""

from pathlib import Path

import pandas as pd
import statsmodels.api as sm

import acmodels as ac

HERE = Path(__file__).parent


def districts() -> pd.DataFrame:
    """One row a district, with the columns the two models name."""
    d = sm.datasets.star98.load_pandas().data
    return d.assign(
        tested=d["NABOVE"] + d["NBELOW"],
        spending=d["PERSPENK"],
        low_income=d["LOWINC"] / 10,
        district=[f"{i + 1:03d}" for i in range(len(d))],
    )


def compare(fitted: ac.fit, data: pd.DataFrame) -> pd.DataFrame:
    """Posterior means beside maximum likelihood, with their distance in standard errors."""
    names = fitted.estimates["name"].str.removeprefix("NABOVE ~ ")
    columns = []
    for name in names:
        column = pd.Series(1.0, index=data.index)
        for part in [] if name == "1" else name.split(":"):
            column = column * data[part]
        columns.append(column.rename(name))
    X = pd.concat(columns, axis=1)
    y = data[["NABOVE", "NBELOW"]]
    glm = sm.GLM(y, X, family=sm.families.Binomial()).fit()
    out = pd.DataFrame(
        {
            "name": names,
            "mean": fitted.estimates["mean"],
            "sd": fitted.estimates["sd"],
            "glm": glm.params.to_numpy(),
            "se": glm.bse.to_numpy(),
        }
    )
    return out.assign(distance=(out["mean"] - out["glm"]) / out["se"], ratio=out["sd"] / out["se"])


def main() -> None:
    """Run both models."""
    data = districts()
    binomial = ac.fit(ac.load_model(HERE / "binomial.toml"), data, seed=1)
    table = compare(binomial, data)
    table.to_csv(HERE / "comparison.csv", index=False, float_format="%.6g")
    print(table.round(4).to_string(index=False))
    print(f"largest distance {table['distance'].abs().max():.3f} standard errors")
    print(binomial.diagnostics)
    resources = ac.fit(ac.load_model(HERE / "resources.toml"), data, seed=1)
    effects = ac.estimate(resources)
    effects.table.to_csv(HERE / "estimands.csv", index=False, float_format="%.6g")
    print(effects.table.round(4).to_string(index=False))
    print(ac.judge(effects, resources.spec.propositions).T)
    print(resources.diagnostics)
    print(resources.estimates.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
