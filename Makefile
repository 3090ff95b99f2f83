# Two commands do everything on a fresh machine: `make run` and `make test`.
.PHONY: setup run test check bench lock models clean
VENV := .venv
BIN := $(VENV)/bin

setup: $(VENV)/.ready          ## the environment alone

$(VENV)/.ready: requirements.lock pyproject.toml
	./.ci/setup $(VENV)

run: setup                     ## install, then watch the demo
	$(BIN)/ringfence demo

test: setup .tools/.ready      ## the whole suite, with a real Envoy and a real OPA
	PATH="$(CURDIR)/.tools:$$PATH" $(BIN)/pytest $(PYTEST)

check: setup                   ## style, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup                   ## figures of path, detection and models, as ratios against a baseline in the same run
	$(BIN)/ringfence bench path
	$(BIN)/ringfence bench detection
	$(BIN)/ringfence bench model

.tools/.ready: .ci/opa-version
	./.ci/tools .tools

lock:                          ## pin every dependency with its hash (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group test --group lint pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group training pyproject.toml -o training.lock

models: $(VENV)-training/.ready  ## train both models anew: DATA=folder of the raw sets, OUT=folder for arrays and checkpoints
	$(VENV)-training/bin/python -m classifiers.training all --data $(DATA) --out $(OUT)

$(VENV)-training/.ready: training.lock pyproject.toml
	REQUIREMENTS=training.lock ./.ci/setup $(VENV)-training

clean:
	rm -rf $(VENV) $(VENV)-training .tools .cache
