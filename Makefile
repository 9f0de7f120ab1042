# make demo   the main pipeline on a real score, with everything it needs
# make test   linters and tests, with everything they need
# make man    write the man pages again
# make clean  forget what make installed and made here

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0

.PHONY: demo test man clean

demo: $(VENV)/ready
	@BIN="$(CURDIR)/$(BIN)" sh demo/run.sh

test: $(VENV)/ready-for-tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/pytest -n auto

man: $(VENV)/ready
	$(BIN)/python -m clefkit.manual man

clean:
	rm -rf $(VENV) build *.egg-info demo/out

$(VENV)/ready: pyproject.toml demo/system.sh
	@PYTHON="$(PYTHON)" sh demo/system.sh
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# The wheel of torchaudio holds one library that wants CUDA (_torchaudio.so or _torchaudio.abi3.so, by its release);
# its Python part works without it.
$(VENV)/ready-for-tests: $(VENV)/ready
	$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH) --editable '.[dev,train]'
	@$(BIN)/python -c 'import torch, sys; sys.exit(torch.version.cuda is not None)' \
		&& rm -f $(VENV)/lib/python3*/site-packages/torchaudio/lib/_torchaudio*.so || true
	@touch $@
