# Each target sets itself up: .venv is made from uv.lock when it is missing or
# older than what it is made from. Plain make and sh; macOS's make 3.81 will do.

BIN = .venv/bin
STAMP = .venv/.stamp

help: ## show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## make .venv (PYTHON=/path/to/python3.12 to choose)

demo: $(STAMP) ## simulate a study, fit it, judge it, write demo/report.html
	$(BIN)/acmodels demo --out demo

test: $(STAMP) ## the tests that take seconds, and the doctests, on every core
	$(BIN)/pytest -n auto --dist loadfile --durations 10

test-statistical: $(STAMP) ## recovery and calibration: minutes
	$(BIN)/pytest -m statistical

test-slow: $(STAMP) ## what takes minutes for other reasons
	$(BIN)/pytest -m slow

recovery: $(STAMP) ## refit the demonstration's design 30 times; resumes; about ten minutes
	$(BIN)/python analyses/demo_recovery/run.py 30

benchmark: $(STAMP) ## where the time of a first fit goes
	$(BIN)/python benchmarks/first_fit.py

benchmark-engines: $(STAMP) ## both engines and their peers on the reference problem; ten minutes
	$(BIN)/python benchmarks/engines.py

calibration: $(STAMP) ## simulation-based calibration of the exact engine; minutes
	$(BIN)/python analyses/collapsed_calibration/run.py

hmc-calibration: $(STAMP) ## the same of the engine hmc; resumes; about ten minutes
	$(BIN)/python analyses/hmc_calibration/run.py 400

hmc-agreement: $(STAMP) ## hmc against PyMC, 80 models; resumes; about two hours
	$(BIN)/python analyses/hmc_agreement/run.py

averages: $(STAMP) ## what averages of items cost beside latent constructs; resumes; a night
	$(BIN)/python analyses/averages/run.py

mediation-recovery: $(STAMP) ## coverage of indirect effects at every pattern of levels; resumes; minutes
	$(BIN)/python analyses/mediation_recovery/run.py 200

claim-rates: $(STAMP) ## error rates of verdicts by kind of claim, at three sizes; resumes; a night
	$(BIN)/python analyses/claim_rates/run.py 200 --districts 30,60,120 --workers 2

lag-rates: $(STAMP) ## false support of lagged effects under traits alone, and power; slow, resumes
	$(BIN)/python analyses/lag_rates/run.py 200 100

feedback: $(STAMP) ## what data/synthetic/panel says of feedback, beside its truth; minutes
	$(BIN)/python analyses/feedback/run.py

docs: $(STAMP) ## the documentation site, in docs/site/_build
	$(BIN)/sphinx-build -q -W --keep-going docs/site docs/site/_build

pages: $(STAMP) ## run the blocks of the site's tutorials and put their output on the pages
	$(BIN)/python scripts/run_pages.py

check-pages: $(STAMP) ## the tutorials show what their blocks print; minutes
	$(BIN)/python scripts/run_pages.py --check

course: $(STAMP) ## run the six lessons
	cd course && for f in lesson_*.py; do echo $$f; ../$(BIN)/python $$f || exit 1; done

lint: $(STAMP) ## style, format, and which room may import which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

format: $(STAMP) ## let ruff format and fix
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

types: $(STAMP) ## pyright
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

data: $(STAMP) ## write data/synthetic anew
	$(BIN)/python scripts/make_data.py

models: $(STAMP) ## write models/framework anew: what the framework's claims compile to
	$(BIN)/python scripts/make_models.py

check-models: $(STAMP) ## models/framework is what the framework's claims compile to
	$(BIN)/python scripts/make_models.py --check

check-data: $(STAMP) ## the shipped synthetic data are what the generator makes
	$(BIN)/python scripts/make_data.py --check

lock: ## rewrite uv.lock after pyproject.toml changed
	sh scripts/bootstrap.sh lock

$(STAMP): pyproject.toml uv.lock scripts/bootstrap.sh
	sh scripts/bootstrap.sh
	$(BIN)/acmodels compile
	@touch $(STAMP)

.PHONY: help setup course docs pages check-pages demo test test-statistical test-slow lint format types data check-data models check-models lock recovery calibration \
	hmc-calibration hmc-agreement averages mediation-recovery benchmark benchmark-engines claim-rates lag-rates feedback
