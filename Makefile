# Modelport's developer interface. `make help` lists the targets; README tells which two do all the set-up.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CLUSTER ?= embedded
NAMESPACE ?= modelport-system
PYTHON ?= python3
UV_VERSION := 0.13.9

venv := .venv
run := $(venv)/bin
devcluster := PYTHONPATH=cluster $(PYTHON) -m devcluster

# The demo reaches the cluster that was asked for, and no other.
demo-access-embedded = --kubectl "$$($(devcluster) tool kubectl)" --kubeconfig "$$($(devcluster) kubeconfig)"
demo-access-kind = --kubectl "kubectl --context kind-modelport"
demo-access-current =
demo-access = $(demo-access-$(CLUSTER))

# What the demo needs; whatever else is built already is deployed, too.
demo-images := operator store converter-onnx converter-pytorch server-onnxruntime

.PHONY: help
help: ## Show this help
	@echo "make TARGET [CLUSTER=embedded|kind|current]"; echo
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  \1 — \2/p' $(MAKEFILE_LIST)

# --- set-up ---------------------------------------------------------------------------------------------------------

$(venv)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(f"Python 3.11 or newer is needed, found {v}; set PYTHON=") if v < (3, 11) else None'
	test -x $(run)/uv || { $(PYTHON) -m venv $(venv) && $(run)/pip install --quiet uv==$(UV_VERSION); }
	VIRTUAL_ENV=$(venv) $(run)/uv pip sync --quiet --require-hashes requirements.lock
	VIRTUAL_ENV=$(venv) $(run)/uv pip install --quiet --no-deps --editable .
	touch $@

numbers := images/server/modelport_server/protocol/_numbers.so
$(numbers): images/server/modelport_server/protocol/numbers.c
	command -v cc >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install --yes --quiet=2 --no-install-recommends gcc libc6-dev
	$(PYTHON) images/server/compile.py images/server --numbers

.PHONY: install
install: $(venv)/.installed $(numbers) ## Install the command line and the development tools into .venv

.PHONY: lock
lock: $(venv)/.installed ## Write the locks; what is locked stays where it fits [UPGRADE=1, UPGRADE="NAME ..."]
	$(run)/python tools/lock.py $(UPGRADE)

# --- everyday work --------------------------------------------------------------------------------------------------

.PHONY: lint
lint: install verify ## Lint, types, import rules, spelling, freshness of generated files
	$(run)/ruff check .
	$(run)/ruff format --check .
	$(run)/mypy
	PYTHONPATH=cluster $(run)/lint-imports --no-logo
	$(run)/codespell README.md CHANGELOG.md docs operator images charts/modelport/values.yaml cluster/devcluster tests

.PHONY: check
check: export PYTHONDONTWRITEBYTECODE := # some images set it; these tests start hundreds of processes of the same code
check: lint docs ## Lint, the documentation, and all tests that need neither cluster nor frameworks, side by side (under two minutes)
	$(run)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal --hypothesis-profile quick \
	  -m "not cluster and not converters and not clients and not processes and not packages"

site := build/site
$(site)/.built: mkdocs.yml tools/site_pages.py $(shell find docs examples -type f) charts/modelport/values.yaml $(venv)/.installed
	NO_MKDOCS_2_WARNING=1 $(run)/mkdocs build --quiet --strict --clean
	touch $@

.PHONY: docs
docs: install $(site)/.built ## Build the documentation's site into build/site; a warning fails it

.PHONY: format
format: install ## Format the code and mend what the linter can
	$(run)/ruff format .
	$(run)/ruff check --fix .

.PHONY: generate
generate: install ## Write the generated files: CRD, images, parts of the chart, reference pages
	$(run)/python tools/generate.py

.PHONY: verify
verify: install ## Fail if a generated file is stale
	$(run)/python tools/generate.py --check

# --- cluster --------------------------------------------------------------------------------------------------------

.PHONY: cluster
cluster: ## Start the embedded Kubernetes, or mend it
	test "$(CLUSTER)" != embedded || $(devcluster) up

.PHONY: cluster-down
cluster-down: ## Stop the embedded Kubernetes
	$(devcluster) down

.PHONY: kubeconfig
kubeconfig: ## Print the path of the embedded cluster's kubeconfig (make -s kubeconfig)
	@$(devcluster) kubeconfig

.PHONY: images
images: cluster ## Build the images and load them into the cluster
	$(devcluster) images build --cluster $(CLUSTER)

.PHONY: engines
engines: cluster ## Add metrics-server, KEDA and Prometheus to the embedded Kubernetes, or mend them
	$(devcluster) engines up

.PHONY: engines-down
engines-down: ## Take metrics-server, KEDA and Prometheus away
	$(devcluster) engines down

.PHONY: deploy
deploy: ## Bring the embedded Kubernetes up, build the images beside it, and install the chart [IMAGES="operator ..."]
	$(devcluster) deploy --cluster $(CLUSTER) --namespace $(NAMESPACE) $(if $(IMAGES),--images $(IMAGES)) $(with-engines)

.PHONY: demo
demo: ## Convert, verify and serve a real model on the cluster
	$(MAKE) --no-print-directory --jobs 2 install deploy IMAGES="$(demo-images)"
	$(run)/python examples/demo.py $(demo-access)

# --- tests and benchmarks -------------------------------------------------------------------------------------------

compiled := build/server
$(compiled)/.compiled: $(shell find images/server/modelport_server operator/modelport -name '*.py' -o -name '*.c') images/server/compile.py $(venv)/.installed
	test -e "$$($(run)/python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" || \
	  apt-get install --yes --quiet=2 --no-install-recommends python3-dev
	rm -rf $(compiled) && mkdir -p $(compiled)
	cp -r images/server/modelport_server operator/modelport $(compiled)
	$(run)/python images/server/compile.py $(compiled)
	touch $@

.PHONY: compiled
compiled: $(compiled)/.compiled ## Compile the server as its image does, into build/server

.PHONY: test
test: with-engines = $(if $(filter embedded,$(CLUSTER)),--engines)
test: lint compiled deploy ## All tests, on a fresh machine too: units, converters, end to end on the embedded cluster
	MODELPORT_SERVER_CODE=$(CURDIR)/$(compiled) $(run)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

.PHONY: matrix
matrix: install ## Measure models in every form that they are stored in into docs/conversion-matrix.md [ONLY="lstm/* bert/*" AGAIN=1]
	PYTHONPATH=tests:tools $(run)/python -m matrix $(if $(ONLY),--only '$(ONLY)') $(if $(AGAIN),--again)

.PHONY: fuzz
fuzz: install ## Ask mutated files of every format of all steps that open them [COUNT=2000 WHOLE=100 SEED=1 FORMATS="onnx keras" STAGE=inspect CASE=7]
	PYTHONPATH=tests:tools $(run)/python -m fuzz $(foreach each,COUNT WHOLE SEED STAGE CASE,$(if $($(each)),--$(shell echo $(each) | tr A-Z a-z) $($(each)))) $(FORMATS)

.PHONY: bench
bench: deploy install ## Measure what docs/performance.md reports
	PYTHONPATH=cluster $(run)/python bench/main_job.py

.PHONY: bench-starting
bench-starting: deploy install ## Measure how long the pods of each runtime take to be Ready
	PYTHONPATH=cluster $(run)/python bench/starting.py

.PHONY: bench-gate
bench-gate: install ## Draw what the gate measures on real models, right and broken, into docs/images/gate.svg
	PYTHONPATH=tests $(run)/python bench/gate.py

.PHONY: bench-gate-cost
bench-gate-cost: install ## Measure what the gate costs beside one export of a network of MiniLM's size
	$(run)/python bench/gate_cost.py

.PHONY: bench-exporting
bench-exporting: install ## Measure whole conversions of real models beside the frameworks' own exporters
	PYTHONPATH=tests $(run)/python bench/exporting.py

.PHONY: bench-hops
bench-hops: install ## Measure what a further hop adds to a whole conversion
	PYTHONPATH=tests $(run)/python bench/hops.py

.PHONY: bench-tuning
bench-tuning: install ## Measure models that TVM was tuned for beside ONNX Runtime [OPTIONS=--help]
	PYTHONPATH=tests $(run)/python bench/tuning.py $(OPTIONS)

.PHONY: bench-h2o
bench-h2o: install ## Measure the JVM runtime beside H2O's own scorer called in a loop [OPTIONS=--help]
	PYTHONPATH=tests:tools:bench $(run)/python -m jvm $(OPTIONS)

.PHONY: bench-serving
bench-serving: cluster install ## Measure the inference server, from its image, beside MLServer and KServe [OPTIONS=--help]
	PYTHONPATH=cluster:bench $(run)/python -m serving $(OPTIONS)

.PHONY: bench-scaling
bench-scaling: with-engines = --engines
bench-scaling: deploy install ## Measure what scaling costs: requests lost, load to replica, waking from zero [OPTIONS="--minutes 1"]
	PYTHONPATH=cluster:tests:bench $(run)/python bench/scaling.py $(OPTIONS)

.PHONY: bench-scale
bench-scale: deploy install ## Measure the operator with thousands of resources, whose Jobs are played [OPTIONS="--resources 1000 --steady 5000"]
	KUBECONFIG="$$($(devcluster) kubeconfig)" PYTHONPATH=cluster:bench $(run)/python -m scale $(OPTIONS)

.PHONY: soak
soak: cluster install ## Half an hour of load, faults and restarts for the inference server [OPTIONS="--minutes 5"]
	PYTHONPATH=cluster:bench $(run)/python -m serving.soak $(OPTIONS)
