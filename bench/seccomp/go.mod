module syscallstory/bench/seccomp

go 1.26.0

require (
	github.com/moby/profiles/seccomp v0.3.0 // indirect
	github.com/opencontainers/runtime-spec v1.2.1 // indirect
	golang.org/x/time v0.15.0 // indirect
)

require (
	github.com/elastic/go-seccomp-bpf v1.6.0
	golang.org/x/net v0.59.0
	golang.org/x/sys v0.49.0
	gvisor.dev/gvisor v0.0.0-20250503011706-39ed1f5ac29c
	syscallstory v0.0.0
)

replace syscallstory => ../..
