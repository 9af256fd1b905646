"""Settings for all tests, and a count of the models that they compile."""

import pickle
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("acmodels", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("acmodels")

COMPILED: list[str] = []
"""Files of tests that compiled a model for NUTS, once for each model: 15 to 60 seconds each."""


_MADE: dict[bytes, Any] = {}
"""What was compiled, by all that it was compiled from: tests of one process share it."""


@pytest.fixture(autouse=True, scope="module")
def _count_compilations(request: pytest.FixtureRequest) -> Any:
    from acmodels.engines.nuts import sampling

    known = sampling.prepare

    def counted(*args: Any, **kwargs: Any) -> Any:
        key = pickle.dumps((args, kwargs))  # the same model, priors and data
        if key not in _MADE:
            COMPILED.append(request.node.name)
            _MADE[key] = known(*args, **kwargs)
        return _MADE[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "prepare", counted)
        yield


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the count of a worker to the one that reports."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["compiled"] = list(COMPILED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take a worker's count."""
    COMPILED.extend(getattr(node, "workeroutput", {}).get("compiled", ()))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many models were compiled, and by which files."""
    if COMPILED:
        files = {f: COMPILED.count(f) for f in sorted(COMPILED)}
        said = ", ".join(f"{f} {n}" for f, n in files.items())
        terminalreporter.write_line(f"NUTS models compiled: {len(COMPILED)} ({said})")
