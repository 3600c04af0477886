# Neural Networks by Hand. `make lab` to learn, `make test` to trust.
PYTHON ?= python3
ENV    := .venv
BIN    := $(ENV)/bin
READY  := $(ENV)/.ready
ARGS   ?=

.PHONY: mutants lab test browser course site messages bench grade-demo lint lock

lab: $(READY)            ## JupyterLab on a working copy of the course (ARGS="--no-browser --port 8899")
	@$(BIN)/grader lab $(ARGS)

test: $(READY)           ## the whole test suite
	@$(BIN)/python -m pytest $(ARGS)

browser: $(READY)        ## every lesson in JupyterLab and Chromium (GRADER_SHOTS=folder keeps screenshots)
	@GRADER_LESSONS=all $(BIN)/python -m pytest -n 0 grader/tests/browser/test_lessons.py $(ARGS)

course: $(READY)         ## rebuild solutions/*.ipynb and course/ from the text
	@$(BIN)/grader build $(ARGS)

site: $(READY)           ## pages to read without a kernel, in site/ (ARGS=02: one chapter)
	@$(BIN)/grader site $(ARGS)

grade-demo: $(READY)     ## make a class of 30 submissions for chapter 02 and grade it
	@$(BIN)/grader demo $(ARGS)

messages: $(READY)       ## every message of every exercise, as pages in build/messages/
	@$(BIN)/grader messages $(ARGS)

mutants: $(READY)        ## change every answer everywhere, and see that the checks notice
	@$(BIN)/grader mutants $(ARGS)

bench: $(READY)          ## how fast everything is, as tables
	@$(BIN)/python -m grader.bench

lint: $(READY)
	@$(BIN)/ruff check grader && $(BIN)/ruff format --check grader && $(BIN)/mypy

lock:                    ## refresh the locked versions (needs uv)
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra test \
	   --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	   pyproject.toml -o requirements.lock

# The environment is built once; it is rebuilt only when the lock or the metadata changes.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	   { echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "Setting up $(ENV) (once, about a minute) ..."
	@$(PYTHON) -m venv $(ENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)
