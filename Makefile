# Every target is a command of dev.py; `python3 dev.py` does the same without make.
PYTHON ?= python3

.PHONY: help run test check lint soak planted bench mutants setup

help:
	@echo "make run     start Cobro on http://127.0.0.1:8000 (PORT moves it)"
	@echo "make test    run the tests that need no service"
	@echo "make check   lint, then test"
	@echo "make lint    format, style, types, import contracts, migrations, packages, API description"
	@echo "make soak    attack, kill and time the whole, up to 35 minutes (BLOCKS=\"crashes races\")"
	@echo "make planted take safeguards away one by one; a test must notice each"
	@echo "make bench   measure speed as ratios to the barest code, up to 20 minutes (QUICK=1: two)"
	@echo "make mutants change the code that decides about money: does a test notice? (MODULES=\"money sync\")"
	@echo "make setup   make .venv with everything for development"

run test check lint planted setup:
	@$(PYTHON) dev.py $@

soak:
	@$(PYTHON) dev.py soak $(BLOCKS)

bench:
	@$(PYTHON) dev.py bench $(if $(QUICK),--quick) $(PARTS)

mutants:
	@$(PYTHON) dev.py mutants $(MODULES)
