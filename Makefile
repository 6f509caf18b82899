# drrun: `make demo` shows the main job on the embedded lab, `make test` runs every test. Both need only Go, git and make.
GO   ?= go
BIN  := bin/drrun
TEST_TIMEOUT ?= 20m

.PHONY: help build demo test race lint fuzz bench sim sabotage search crash faults interop browser luals update clean

## help: this list
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## build: bin/drrun
build:
	$(GO) build -o $(BIN) ./cmd/drrun

## demo: generate a plan, lose a site, fail over, come home, on the embedded lab
demo: build
	$(BIN) demo

## test: every test
test:
	$(GO) test -timeout $(TEST_TIMEOUT) ./...

## race: every test under the race detector
race:
	$(GO) test -race -timeout 40m ./...

## lint: formatting, vet, staticcheck
lint:
	@bad="$$(gofmt -l $$(git ls-files '*.go'))"; test -z "$$bad" || { echo "gofmt would change: $$bad"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags interop ./interop
	$(GO) vet -tags browser ./plans/runner ./cmd/drrun
	$(GO) vet -tags luals ./cmd/drrun
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff

## sim: seeded simulations, SEEDS of them
SEEDS ?= 200
sim:
	$(GO) test ./plans/runner -run 'TestSim' -v -seeds $(SEEDS)

## sabotage: remove each safety behaviour in turn and see which test notices
sabotage:
	$(GO) vet -tags sabotage ./internal/sabotage
	cd internal/sabotage && $(GO) test -tags sabotage -timeout 20m -parallel 2 -run TestMatrix

## search: schedules that might do harm, SEARCHES of them
SEARCHES ?= 10000
search:
	$(GO) test -timeout 2h ./plans/runner -run 'TestSearch' -v -seeds $(SEARCHES)

## crash: drrun killed at every moment of every action, and at every moment of the resume; takes a night, CRASH_FLAGS bounds it
CRASH_FLAGS ?=
crash:
	GOGC=800 $(GO) test ./plans/runner -timeout 48h -run 'TestCrashMatrix$$' -v -crash all -write-tables $(CRASH_FLAGS)

## faults: each request of each action meets each fault, each record a full or read-only disk
faults:
	GOGC=800 $(GO) test ./plans/runner -timeout 4h -run 'TestFaultMatrix$$' -v -faults all -write-tables

## interop: foreign clients judge the lab (installs the official SDK and ansible collection from PyPI, outside the repository)
interop:
	@dir="$$(interop/setup.sh)" && cd interop && $(GO) test -tags interop -count 1 -timeout 20m -args -foreign "$$dir"

## browser: reports in a real browser, on a desk, on a telephone, by night and on paper (installs Debian's chromium where none is)
browser:
	plans/runner/browser.sh
	$(GO) test -tags browser ./plans/runner ./cmd/drrun -count 1 -timeout 20m -run 'TestBrowser' -v

## luals: a language server judges the examples and a plan with mistakes, with the types of drrun types (builds one outside the repository, from GitHub or by cargo)
luals:
	@judge="$$(cmd/drrun/luals.sh)" && $(GO) test -tags luals ./cmd/drrun -count 1 -timeout 20m -run 'TestLuaLS' -v -args -judge "$$judge"

## fuzz: every parser for FUZZTIME each
FUZZTIME ?= 20s
fuzz:
	@for pkg in engine lua plans plans/annotations ovirt; do \
	  for target in $$($(GO) test ./$$pkg -list '^Fuzz' | grep '^Fuzz'); do \
	    $(GO) test ./$$pkg -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) || exit 1; done; done

## bench: figures of speed and memory
bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

## update: rewrite the golden files; review the difference as code
update:
	$(GO) test ./lua ./plans ./plans/annotations ./plans/runner ./plans/worlds ./ovirt/lab ./cmd/drrun -update

clean:
	rm -rf bin
