# The few commands a newcomer needs. `make run` and `make test` set up whatever is missing first.

CARGO ?= cargo
PYTHON ?= python3
OUT ?= out/demo
# What is set on the command line is for this file; models/training has a PYTHON of its own.
MAKEOVERRIDES =
# One set of features and one profile for all of them: the world is compiled once.
FLAGS := --locked --features mujoco
# The crate trt needs a C++ compiler, which nothing else does: it has a target of its own.
WORKSPACE := --workspace --exclude trt

export CARGO PYTHON
.DEFAULT_GOAL := help
.PHONY: help run demo-fireboy test storm test-tensorrt test-router-sidecar hil hil-berries hil-vcan hil-vcan-tests soak fuzz fuzz-law \
	bench flood lint \
	doctor deb setup setup-tensorrt setup-router-sidecar setup-piper-sdk build train evaluate gallery check-lerobot \
	check-piper-sdk check-tools clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## show a simulated Piper arm picking up a berry (pictures go to OUT=out/demo)
	@$(CARGO) run --quiet $(FLAGS) --bin reflexd -- demo --out $(OUT)

demo-fireboy: build ## show a simulated Fire Boy finding a berry and eating it (pictures go to out/demo-fireboy)
	@$(CARGO) run --quiet $(FLAGS) --bin reflexd -- demo --config config/fireboy.toml --skill find_and_eat_berry \
		--out out/demo-fireboy

test: setup ## build and run every test; each bench runs once, tiny
	@$(PYTHON) setup/test_fetch.py
	$(CARGO) test $(FLAGS) $(WORKSPACE) --benches
	$(CARGO) test $(FLAGS) $(WORKSPACE)

test-tensorrt: setup ## test TensorRT engines without a GPU, or with one (needs a C++ compiler)
	@setup/check-tools.sh --quiet --tensorrt
	$(CARGO) test --locked -p trt -p engine --features engine/tensorrt

test-router-sidecar: build setup-router-sidecar ## test MiniCPM-V's encoder in Python, and that Rust agrees with it (minutes)
	third_party/router/bin/python router/test_minicpm.py
	third_party/router/bin/python router/check.py --router target/debug/reflexd-router --out out/router-check
	third_party/router/bin/python router/check_process.py --reflexd target/debug/reflexd --model out/router-check/model

# `cargo test`, with the test program running in the guest of hil-tests/qemu: cargo calls that a runner. What is timed
# is timed by the guest's clock, however busy this machine is.
GUEST = "$(PYTHON)", "$(CURDIR)/hil-tests/qemu/run.py", "--tests", "--steady", "--limit", "1800", "--"
IN_GUEST = $(CARGO) --config 'target."cfg(unix)".runner = [$(GUEST)]' test $(FLAGS) $(WORKSPACE)

hil: setup ## test the daemon against a virtual Piper on a CAN bus, over socketcand (minutes)
	$(CARGO) build $(FLAGS) $(WORKSPACE)
	$(CARGO) test $(FLAGS) $(WORKSPACE) --test hil -- --test-threads=1 --nocapture

hil-berries: setup ## pick up EPISODES=50 berries through the CAN protocol (minutes)
	$(CARGO) build $(FLAGS) $(WORKSPACE)
	$(CARGO) test $(FLAGS) $(WORKSPACE) --test hil -- --ignored --nocapture fifty_berries

hil-vcan: setup ## test on real CAN sockets, in a small virtual machine (QEMU; skipped where there is none)
	@$(PYTHON) hil-tests/qemu/run.py -- $(PYTHON) hil-tests/qemu/smoke.py; case $$? in \
		0) $(MAKE) hil-vcan-tests ;; 77) ;; *) exit 1 ;; esac

# VCAN names some of the daemon's tests, for want of time; without it, all are run.
hil-vcan-tests:
	$(CARGO) build $(FLAGS) $(WORKSPACE)
	REFLEX_VCAN=vcan0 $(IN_GUEST) --lib --test arm -- --ignored on_vcan0
	REFLEX_HIL_BUS=vcan0 $(IN_GUEST) --test hil -- --test-threads=1 $(VCAN)

# What libFuzzer looks at is instrumented, which needs switches that a stable compiler has not; the law's ticks need neither.
FUZZ := $(CARGO) +nightly fuzz
FUZZ_OUTSIDE := messages words daemon_config robot_config manifest registry router_manifest urdf recording \
	signatures
TARGET ?= law can_frames tape
SECONDS ?= 60
TICKS ?= 100000000

fuzz: ## let libFuzzer look for trouble for SECONDS=60 in each TARGET (fuzz/README.md; needs cargo-fuzz, nightly Rust)
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { \
		echo 'fuzz: cargo-fuzz is not installed. Remedy: cargo install cargo-fuzz --version 0.13.2 --locked' >&2; exit 1; }
	@$(CARGO) +nightly --version >/dev/null 2>&1 || { \
		echo 'fuzz: there is no nightly Rust. Remedy: rustup toolchain install nightly --profile minimal' >&2; exit 1; }
	@for target in $(TARGET); do case " $(FUZZ_OUTSIDE) " in *" $$target "*) more='--features outside' ;; *) more= ;; esac; \
		mkdir -p out/fuzz/$$target && $(FUZZ) run $$more $$target out/fuzz/$$target fuzz/corpus/$$target -- \
			-max_total_time=$(SECONDS) -timeout=10 -print_final_stats=1 || exit 1; done

fuzz-law: ## TICKS=100000000 ticks of the law with arbitrary bits, every promise judged in each (minutes; SEED=1 begins)
	$(CARGO) run --release --locked --manifest-path fuzz/Cargo.toml --no-default-features --example law_ticks -- \
		$(TICKS) $(SEED)

MINUTES ?= 5
SEED ?= 1

soak: build ## try a simulated robot for MINUTES=5 under load, with people and a router; figures, histograms, what it ate (out/soak)
	@$(CARGO) run --quiet $(FLAGS) --bin reflexd -- soak --minutes $(MINUTES) --seed $(SEED) --out out/soak

# Without SEED=n it begins where nobody has been.
HOURS ?= 1
STORM_SEED = $(if $(filter file,$(origin SEED)),$(shell date +%s),$(SEED))

storm: setup ## the whole daemon in seeded trouble on virtual time, for HOURS=1 (SEED=n: from that seed on)
	STORM_HOURS=$(HOURS) STORM_SEED=$(STORM_SEED) \
		$(CARGO) test $(FLAGS) $(WORKSPACE) --test it storm::a_storm -- --nocapture

bench: setup ## measure: the law, inference, the simulator, a whole tick (minutes)
	$(CARGO) bench $(FLAGS) $(WORKSPACE)

flood: setup ## measure what 20,000 bad messages a second do to the loop (9 minutes; CPU=n pins the loop)
	$(if $(CPU),CPU=$(CPU)) $(CARGO) bench $(FLAGS) --bench flood

# `dev` packs the development build, which is there already.
DEB_PROFILE ?= release

deb: setup ## build the Debian package into target/debian (needs cargo-deb; DEB_PROFILE=dev is faster to build, slower to run)
	@$(CARGO) deb --version >/dev/null 2>&1 || { \
		echo 'deb: cargo-deb is not installed. Remedy: cargo install cargo-deb --version 3.8.0 --locked' >&2; exit 1; }
	$(CARGO) build $(FLAGS) --profile $(DEB_PROFILE)
	systemd/stage-deb.sh
	$(CARGO) deb --no-build --locked --profile $(DEB_PROFILE)

lint: setup ## formatting, clippy, and licences if cargo-deny is installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(FLAGS) $(WORKSPACE) --all-targets -- -D warnings
	$(CARGO) clippy --locked $(WORKSPACE) --all-targets -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --locked --all-features check; \
	else echo 'lint: cargo-deny is not installed; licences and sources were not checked'; fi

doctor: build ## grade this machine for real-time work, and say how to mend what is found
	@$(CARGO) run --quiet $(FLAGS) --bin reflexd -- doctor

setup: ## fetch the native libraries into third_party/ (pinned, hash-checked, no root)
	@setup/check-tools.sh --quiet
	@$(PYTHON) setup/fetch.py --quiet

setup-tensorrt: ## fetch TensorRT-RTX, to build engines with on any x86-64 machine (95 MB; optional)
	@$(PYTHON) setup/fetch.py --tensorrt

setup-router-sidecar: ## set up PyTorch for the processor, for MiniCPM-V's encoder (600 MB, 1.7 GB on disk; optional)
	@$(PYTHON) router/install.py

build: setup ## build the daemon and the client
	$(CARGO) build $(FLAGS)

train: build ## train the shipped heads again (under an hour on 2 cores)
	@$(MAKE) -C models/training train

evaluate: build ## measure every skill under every condition (many minutes; pictures go to out/evaluate)
	@failed=; for robot in daemon fireboy; do for skill in pick_up find_and_eat_berry walk_to run_around; do \
		$(CARGO) run --quiet $(FLAGS) --bin reflexd -- eval --config config/$$robot.toml --skill $$skill \
			--stratum all --episodes 200 --seed 1 --require 0.98 --media out/evaluate || failed="$$failed $$skill"; \
	done; done; test -z "$$failed" || { echo "below 98 %, or without a head:$$failed" >&2; exit 1; }

gallery: build ## play every skill, take pictures, write docs/gallery.md (docs/images/gallery/)
	$(CARGO) run --quiet $(FLAGS) --bin reflexd -- gallery \
		$(foreach file,$(wildcard config/daemon.toml config/fireboy.toml),--config $(file))

check-lerobot: build ## load rollouts with the lerobot package (downloads some GB once, into .venv-lerobot)
	@$(PYTHON) -m venv .venv-lerobot
	@.venv-lerobot/bin/python -m pip install --quiet --requirement hil-tests/requirements-lerobot.txt
	@rm -rf out/check-lerobot
	$(CARGO) run --quiet $(FLAGS) --bin reflexd -- rollouts --skill pick_up --episodes 3 --seed 1 --delay 2 \
		--size 320x240 --instruction "pick up the berry" --instruction "take the thing" --out out/check-lerobot
	.venv-lerobot/bin/python hil-tests/check_lerobot.py out/check-lerobot

setup-piper-sdk: ## set up the vendor's own piper_sdk, pinned, in .venv-piper-sdk (10 MB; optional)
	@$(PYTHON) -m venv .venv-piper-sdk
	@.venv-piper-sdk/bin/python -m pip install --quiet --requirement hil-tests/requirements-piper-sdk.txt

check-piper-sdk: setup setup-piper-sdk ## drive a virtual Piper with the vendor's own piper_sdk, for four firmwares
	$(CARGO) build $(FLAGS) $(WORKSPACE)
	.venv-piper-sdk/bin/python hil-tests/check_piper_sdk.py

check-tools: ## say which tools are missing on this machine
	@setup/check-tools.sh

clean: ## remove what was built, fetched and written
	$(CARGO) clean
	rm -rf out third_party .venv*
