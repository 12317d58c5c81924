# The two images, each a static program and nothing else:
#
#   docker build --target agent --tag netdiag-agent:0.1.0 .
#
# podman and buildah take the same. `cargo xtask image` adds labels for version, revision and its time.

# Any Debian 12: its packages hold a recent compiler with the library's sources, and the LLVM that goes with it. They are
# Debian's newest, signed by Debian, and not pinned: Debian 12 keeps no older ones.
ARG BUILD_BASE=docker.io/library/debian:12.12-slim@sha256:d5d3f9c23164ea16f31852f95bd5959aad1c5e854332fe00f7b3a20fcc9f635c

# What the last stage is, see there.
ARG PROGRAM=agent

# A folder that `cargo vendor --versioned-dirs` wrote, by `--build-context crates=FOLDER`. Empty: cargo downloads.
FROM scratch AS crates

# Of the machine that builds, whatever the image is for. docker and podman know that machine; an older buildah must be told
# by `--build-arg BUILDPLATFORM=linux/amd64`.
FROM --platform=${BUILDPLATFORM} ${BUILD_BASE} AS compiler
ENV DEBIAN_FRONTEND=noninteractive
# A base that has all of these is taken as it is, so that no network is needed.
ARG COMPILER_PACKAGES="ca-certificates cargo-web gcc libc6-dev libstd-rust-web-dev rust-web-src rustc-web"
RUN dpkg-query --show ${COMPILER_PACKAGES} || { \
        apt-get update && apt-get install --yes --no-install-recommends ${COMPILER_PACKAGES} \
        && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/*; \
    }

# Links eBPF programs. One that was built elsewhere for the same LLVM can take its place: `--build-context linker=FOLDER`,
# with the program as bin/bpf-linker.
FROM compiler AS linker
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        clang-22 libpolly-22-dev libxml2-dev libzstd-dev llvm-22-dev zlib1g-dev
ARG BPF_LINKER_VERSION=0.13.0
# Of its sources, whose lock file has the checksums of all that it is made from.
ARG BPF_LINKER_SHA256=998bea250d009a4719ed16ab6d772d519b77b031a0261e69223a35013972594b
RUN LLVM_PREFIX=/usr/lib/llvm-22 cargo install bpf-linker --version ${BPF_LINKER_VERSION} --locked --root / \
        --no-default-features --features llvm-22 \
    && echo "${BPF_LINKER_SHA256}  $(ls /root/.cargo/registry/cache/*/bpf-linker-${BPF_LINKER_VERSION}.crate)" | sha256sum --check

FROM compiler AS toolchain
COPY --from=linker /bin/bpf-linker /usr/local/bin/

# Other crates than ours, which change seldom.
FROM toolchain AS dependencies
WORKDIR /netdiag
ENV CARGO_HOME=/cargo CARGO_TARGET_DIR=/target CARGO_TERM_COLOR=never
# No path of this build may be in the programs. A static program cannot be told from where it is linked.
ENV RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=/vendor=crates --remap-path-prefix=/cargo=cargo --remap-path-prefix=/netdiag=netdiag"
# What builds for arm64 on amd64. The C library is the one of the target's own packages, which security updates reach.
ARG ARM64_PACKAGES="gcc-aarch64-linux-gnu libc6-dev:arm64 libstd-rust-web-dev:arm64"
ENV CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
ARG TARGETARCH
RUN here=$(dpkg --print-architecture) && target=${TARGETARCH:-${here}} \
    && case ${target} in \
        amd64) echo x86_64-unknown-linux-gnu ;; \
        arm64) echo aarch64-unknown-linux-gnu ;; \
        *) echo "no image for ${target}" >&2; exit 1 ;; \
    esac >/triple \
    && case "${here} to ${target}" in \
        amd64\ to\ amd64 | arm64\ to\ arm64) ;; \
        amd64\ to\ arm64) dpkg-query --show ${ARM64_PACKAGES} || { \
                dpkg --add-architecture arm64 \
                && apt-get update && apt-get install --yes --no-install-recommends ${ARM64_PACKAGES} \
                && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/*; \
            } ;; \
        *) echo "no cross-build from ${here} to ${target}" >&2; exit 1 ;; \
    esac
# For tests, `dev` builds sooner.
ARG PROFILE=image
ARG PROGRAMS="netdiag-agent netdiag-controller"
ENV PROFILE=${PROFILE} PROGRAMS=${PROGRAMS}
COPY Cargo.toml Cargo.lock ./
COPY agent/Cargo.toml agent/
COPY agent/diagnosis/Cargo.toml agent/diagnosis/
COPY client/Cargo.toml client/
COPY controller/Cargo.toml controller/
COPY crds/Cargo.toml crds/
COPY e2e/Cargo.toml e2e/
COPY e2e/xtask/Cargo.toml e2e/xtask/
COPY ebpf/Cargo.toml ebpf/
COPY ebpf/abi/Cargo.toml ebpf/abi/
COPY fuzz/Cargo.toml fuzz/
COPY telemetry/Cargo.toml telemetry/
# The compiler's own library has crates too, which cargo wants to see when it builds that for eBPF.
RUN --mount=type=bind,from=crates,target=/crates \
    if [ -n "$(ls /crates)" ]; then \
        mkdir -p /vendor ${CARGO_HOME} \
        && ln -s $(rustc --print sysroot)/lib/rustlib/src/rust/library/vendor/* /vendor \
        && ln -sf /crates/* /vendor \
        && printf '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "/vendor"\n' \
            >${CARGO_HOME}/config.toml; \
    fi \
    && mkdir -p agent/src agent/diagnosis/src client/src controller/src crds/src/bin e2e/src e2e/xtask/src ebpf/abi/src fuzz/src telemetry/src \
    && touch agent/src/lib.rs agent/diagnosis/src/lib.rs client/src/lib.rs controller/src/lib.rs crds/src/lib.rs e2e/src/lib.rs \
        e2e/xtask/src/lib.rs ebpf/abi/src/lib.rs telemetry/src/lib.rs \
    && echo 'fn main() {}' | tee agent/build.rs agent/src/main.rs controller/src/main.rs crds/src/bin/crdgen.rs fuzz/src/main.rs \
    && cargo build --profile ${PROFILE} --locked --target $(cat /triple) $(printf -- "--package %s " ${PROGRAMS})

FROM dependencies AS build
COPY . .
# A builder that stamps its layers with a fixed time made the dependencies look older than what they were made from.
RUN --mount=type=bind,from=crates,target=/crates \
    find /target -exec touch --date=@$(date +%s) {} + \
    && find . -name '*.rs' -exec touch {} + \
    && cargo build --profile ${PROFILE} --locked --target $(cat /triple) $(printf -- "--package %s " ${PROGRAMS}) \
    && for program in ${PROGRAMS}; do install -D /target/$(cat /triple)/*/${program} /out/${program} || exit; done \
    && touch --date=@0 /out/* \
    && rm -rf /target

# Root, since the kernel gives the capabilities that it needs to nobody else; the chart says which.
FROM scratch AS agent
LABEL org.opencontainers.image.title="netdiag-agent" \
      org.opencontainers.image.description="Explains packet loss inside a node's own network stack" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.url="https://netdiag.dev" \
      org.opencontainers.image.source="https://netdiag.dev"
COPY --from=build /out/netdiag-agent /netdiag-agent
# So that `kubectl debug node/.. -- netdiag-agent diagnose` finds it.
ENV PATH=/
USER 0
ENTRYPOINT ["/netdiag-agent"]

FROM scratch AS controller
LABEL org.opencontainers.image.title="netdiag-controller" \
      org.opencontainers.image.description="Assigns network diagnoses to nodes and sums up what their agents report" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.url="https://netdiag.dev" \
      org.opencontainers.image.source="https://netdiag.dev"
COPY --from=build /out/netdiag-controller /netdiag-controller
ENV PATH=/
USER 65532:65532
ENTRYPOINT ["/netdiag-controller"]

# What is built when no target is named. buildah 1.28 puts labels of the command line on the last stage alone, so
# `cargo xtask image` chooses here.
FROM ${PROGRAM}
