# make run builds story and tells the story of examples/explorer.yaml; make test installs what the tests need and runs every
# check.
export CGO_ENABLED := 0
GO ?= go
FUZZTIME ?= 20s
EXPLORER := -f examples/explorer.yaml --host-root examples/node/root --node examples/node/node.yaml --rootfs embedded
CALL := open("/test-pd/file.log", O_WRONLY)
# Debian packages that the tests use.
TEST_PACKAGES := strace acl uidmap runc crun podman qemu-system-x86 xz-utils secilc selinux-utils selinux-policy-default setools libsepol-dev gcc libc6-dev m4 checkpolicy semodule-utils policycoreutils zstd bzip2

.PHONY: build run test lab test-packages verify-long lint bench bench-start bench-seccomp fuzz generate clean

# The first process of a container is a program of its own, built into story: it starts faster than story itself.
build:
	$(GO) build -trimpath -ldflags='-s -w' -o container/embed/story-init ./cmd/story-init
	$(GO) build -trimpath -tags storyinit -o bin/story ./cmd/story

# A denial is a story too: of story's exit codes only 2, 4 and 5 are failures here.
run: build
	@bin/story explain $(EXPLORER) '$(CALL)'; case $$? in 0|1|3) ;; *) exit 1;; esac
	@echo; echo "And in a real container:"; bin/story run $(EXPLORER) -q --perform '$(CALL)'; case $$? in 0|1|5) ;; *) exit 1;; esac

test: test-packages lint
	@$(GO) test -count=1 -timeout 12m -json ./... 2>&1 | $(GO) run ./internal/testsum

test-%: test-packages
	@$(GO) test -timeout 12m -json ./$*/... 2>&1 | $(GO) run ./internal/testsum

# Every area of story verify, short, on Debian's kernels 6.1 and 6.12 in virtual machines (docs/lab.md).
lab: test-packages
	$(GO) run ./lab verify

# The tables against the kernel again and again, and each fuzz target for five minutes.
verify-long: test-packages
	$(GO) test -count=20 -run TestKernel ./...
	STORY_STRESS=1 $(GO) test -count=1 -v -run TestKernelStress ./cmd/story
	$(MAKE) fuzz FUZZTIME=5m

# As root on Debian, install what is missing, and prepare the machines of the lab, whose packages are only downloaded;
# elsewhere the tests that need them skip.
test-packages:
	@if [ "$$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then \
		missing=""; for p in $(TEST_PACKAGES); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
		if [ -n "$$missing" ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi; \
		$(GO) run ./lab fetch || { apt-get update -qq && $(GO) run ./lab fetch; }; \
	fi

lint:
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

bench:
	$(GO) test -run '^$$' -bench . ./...

# Containers from start to exit, beside runc, crun and unshare.
bench-start: build
	@[ "$$(id -u)" != 0 ] || [ ! -f /etc/debian_version ] || command -v runc crun >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends runc crun; }
	$(GO) run ./bench/start

# Compilers of seccomp profiles, their programs in the kernel, and interpreters; a module of its own, which needs libseccomp.
bench-seccomp:
	@if [ "$$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then \
		dpkg-query -W -f '$${Status}\n' gcc libc6-dev libseccomp-dev 2>/dev/null | grep -c 'ok installed' | grep -qx 3 || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev libseccomp-dev; }; \
	fi
	cd bench/seccomp && $(GO) vet . && $(GO) run .

# Making an interesting input smaller may take a minute by default, in which nothing else is tried.
fuzz:
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
		echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p || exit 1; done; done

generate:
	$(GO) generate ./...

clean:
	rm -rf bin container/embed
