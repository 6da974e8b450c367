#!/bin/sh
# Makes and checks what Rolegate is shipped in.
#
#   scripts/packages.sh chart          renders the Helm chart with Helm's own engine, and holds it against Kubernetes' definitions
#   scripts/packages.sh deb [BINARY]   makes a Debian package of a release build (or of the binary that is named), and looks into it
#
# What they need is installed by scripts/setup.sh packages, and into target/packages.
set -eu
cd "$(dirname "$0")/.."
home=target/packages
mkdir -p "$home"

say() { printf 'packages: %s\n' "$*"; }
die() { printf 'packages: %s\n' "$*" >&2; exit 1; }

chart() {
    stamp=$(sha256sum packaging/helm/tests/requirements.txt | cut -d' ' -f1)-$PWD
    if [ "$(cat "$home/stamp" 2> /dev/null)" != "$stamp" ]; then
        rm -rf "$home/venv"
        python3 -m venv "$home/venv"
        "$home/venv/bin/pip" install -q --disable-pip-version-check -r packaging/helm/tests/requirements.txt
        printf '%s\n' "$stamp" > "$home/stamp"
    fi
    # Debian's own sources of sprig and YAML: nothing is fetched.
    GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= GOCACHE="$PWD/$home/go" go build -o "$home/render" packaging/helm/tests/render.go
    "$home/venv/bin/python" packaging/helm/tests/check.py "$home/render" packaging/helm/rolegate
}

deb() {
    binary=${1:-}
    if [ -z "$binary" ]; then
        cargo build --release --locked --bin rolegate
        binary=target/release/rolegate
    fi
    [ -x "$home/bin/cargo-deb" ] || cargo install --locked --root "$home" --version 3.8.0 cargo-deb
    rm -rf "$home/files"
    mkdir -p "$home/files/man" "$home/files/completions"
    cp "$binary" "$home/files/rolegate"
    "$binary" man --folder "$home/files/man"
    for shell in bash zsh fish; do "$binary" completions "$shell" > "$home/files/completions/$shell"; done
    # A package has its program elsewhere than somebody who copies it by hand.
    sed 's|/usr/local/bin/|/usr/bin/|' packaging/rolegate.service > "$home/files/rolegate.service"
    "$home/bin/cargo-deb" --no-build --no-strip --output "$home/"
    made=$(ls -t "$home"/rolegate_*.deb | head -n 1)
    say "$made"
    look "$made"
}

# Unpacks a package and sees that everything is where it is looked for.
look() {
    rm -rf "$home/unpacked"
    dpkg-deb -x "$1" "$home/unpacked"
    for file in usr/bin/rolegate etc/rolegate/rolegate.toml usr/lib/systemd/system/rolegate.service usr/share/man/man1/rolegate.1.gz \
        usr/share/bash-completion/completions/rolegate usr/share/zsh/vendor-completions/_rolegate \
        usr/share/fish/vendor_completions.d/rolegate.fish usr/share/doc/rolegate/copyright usr/share/doc/rolegate/docs/configuration.md; do
        [ -s "$home/unpacked/$file" ] || die "$file is not in the package"
    done
    ! grep -q /usr/local "$home/unpacked/usr/lib/systemd/system/rolegate.service" || die 'the unit looks for the program elsewhere'
    [ "$(dpkg-deb -I "$1" conffiles)" = /etc/rolegate/rolegate.toml ] || die 'the configuration would be written over by an upgrade'
    dpkg-deb -f "$1" Depends | grep -q libxmlsec1 || die 'it does not ask for the library that verifies XML signatures'
    for script in postinst prerm postrm; do
        dpkg-deb -I "$1" "$script" > "$home/files/$script" || die "it has no $script"
    done
    grep -q 'deb-systemd-invoke.*try-restart' "$home/files/postinst" || die 'after an upgrade the old program would go on'
    ! grep -Eq 'deb-systemd-invoke (start|restart)' "$home/files/postinst" || die 'it would start before anybody has configured it'
    # Debian's scripts guard "enable" by this where a service is not to be enabled at its first installation.
    grep -q 'deb-systemd-helper debian-installed rolegate.service' "$home/files/postinst" || die 'it would start with the machine before anybody has configured it'
    # What systemd makes when it starts the service, is made here.
    grep -q '^LogsDirectory=rolegate$' "$home/unpacked/usr/lib/systemd/system/rolegate.service" || die 'nobody makes the folder of the audit trail'
    ROLEGATE_AUDIT=$(mktemp -d)
    sed "s|/var/log/rolegate|$ROLEGATE_AUDIT|" "$home/unpacked/etc/rolegate/rolegate.toml" > "$home/files/rolegate.toml"
    "$home/unpacked/usr/bin/rolegate" check --config "$home/files/rolegate.toml" || [ $? = 0 ] || die 'the configuration that it brings is no good'
    rm -rf "$ROLEGATE_AUDIT"
    # lintian knows Debian's own rules; what is passed over, with why, stands in packaging/deb/lintian-overrides.
    lintian --fail-on error "$1"
    say 'the package is as it should be'
}

case "${1:-}" in
    chart) chart ;;
    deb) shift; deb "$@" ;;
    *) die 'usage: scripts/packages.sh chart|deb [BINARY]' ;;
esac
