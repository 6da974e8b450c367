#!/bin/sh
# Sees to what this machine must have, says what it installs and why, and asks nothing. With all in place it is done in a moment.
#
#   scripts/setup.sh demo   to build and run: a C compiler and linker (aws-lc-sys compiles C and assembly; no cmake needed), and xmlsec's
#                           headers, OpenSSL's and clang's library, by which xmlsec's are read
#   scripts/setup.sh test   that, and what the tests run against: Redis, rsyslog, Chromium, fonts, Python, GNOME's keyring, xmlsec1, SimpleSAMLphp,
#                           version 2 of the AWS CLI; then scripts/counterparts.sh
#   scripts/setup.sh packages  what demo needs, and what scripts/packages.sh makes and checks packages with: lintian, Go, Python
#   scripts/setup.sh faults what demo needs, and what scripts/faults/ breaks things with: Redis, HAProxy, rsyslog, Python
#   scripts/setup.sh peers  what demo needs, and what benches/peers/ measures beside: Apache with three modules, Redis, Python; then
#                           scripts/counterparts.sh, for the identity provider that all of them sign in with
#
# Installs with apt-get, as root or through sudo. Where there is no apt-get it names what is missing and stops.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

has_c() {
    probe=$(mktemp -d)
    printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' > "$probe/probe.c"
    if cc -o "$probe/probe" "$probe/probe.c" 2> /dev/null; then found=0; else found=1; fi
    rm -rf "$probe"
    return "$found"
}
has_xmlsec() {
    command -v pkg-config > /dev/null && pkg-config --exists xmlsec1-openssl libxml-2.0 openssl
}
has_libclang() {
    # Not libclang-cpp, which other packages bring along: it has another interface.
    [ -n "$(find /usr/lib \( -name 'libclang.so*' -o -name 'libclang-[0-9]*.so*' \) 2> /dev/null | head -n 1)" ]
}
has_browser() {
    [ -x "${ROLEGATE_TEST_CHROMIUM:-/usr/bin/chromium}" ]
}
has_fonts() {
    [ -n "$(find /usr/share/fonts /usr/local/share/fonts -name '*.[to]tf' 2> /dev/null | head -n 1)" ]
}
has_simplesamlphp() {
    [ -d /usr/share/simplesamlphp/www ] && php -r 'exit((int) !(extension_loaded("dom") && extension_loaded("mbstring") && extension_loaded("curl")));' 2> /dev/null
}
has_aws_cli() {
    /usr/bin/aws --version 2> /dev/null | grep -q '^aws-cli/2'
}
has_rsyslog() {
    [ -x /usr/sbin/rsyslogd ] && [ -n "$(find /usr/lib /usr/lib64 -name lmnsd_ossl.so 2> /dev/null | head -n 1)" ]
}
has_go() {
    command -v go > /dev/null && [ -d /usr/share/gocode/src/github.com/Masterminds/sprig ] && [ -d /usr/share/gocode/src/gopkg.in/yaml.v3 ]
}
has_module() { # of Apache, and Apache itself
    [ -x /usr/sbin/apache2 ] && [ -e "/usr/lib/apache2/modules/mod_$1.so" ]
}
has_python() {
    python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2> /dev/null
}

missing=
want() { # PACKAGES WHY
    missing="$missing $1"
    say "missing: $1 ($2)"
}

look() {
    has_c || want 'gcc libc6-dev' 'a C compiler and linker, for the cryptography library and for linking'
    has_xmlsec || want 'libxmlsec1-dev libxml2-dev libssl-dev pkg-config' 'verifies XML signatures, for SAML'
    has_libclang || want libclang-dev "reads xmlsec's headers when it is built"
    [ "$1" != demo ] || return 0
    if [ "$1" = packages ]; then
        command -v lintian > /dev/null || want lintian "knows Debian's rules for packages"
        has_go || want 'golang-go golang-github-masterminds-sprig-dev golang-gopkg-yaml.v3-dev' "what Helm's templates are made of"
        has_python || want 'python3 python3-venv' "holds manifests against Kubernetes' definitions, in target/packages"
        return 0
    fi
    command -v redis-server > /dev/null || want redis-server 'the session store that the tests start on a port of their own'
    command -v openssl > /dev/null || want openssl 'makes the certificates of the tests that speak TLS to Redis'
    if [ "$1" = peers ]; then
        has_module auth_mellon || want 'apache2-bin libapache2-mod-auth-mellon' 'signs people in by SAML, in the process of Apache; measured beside Rolegate'
        has_module shib || want 'apache2-bin libapache2-mod-shib' 'signs people in by SAML, with the daemon shibd; measured beside Rolegate'
        has_module auth_openidc || want 'apache2-bin libapache2-mod-auth-openidc' 'signs people in by OpenID Connect; measured beside Rolegate'
        has_python || want 'python3 python3-venv' 'runs the scripts, and what they play'
        return 0
    fi
    if [ "$1" = faults ]; then
        command -v haproxy > /dev/null || want haproxy 'stands before two gateways while they are restarted, on a port of its own'
        has_rsyslog || want 'rsyslog rsyslog-openssl' 'a syslog collector that is killed, on a port of its own'
        command -v python3 > /dev/null || want python3 'runs the scripts, by its standard library alone'
        return 0
    fi
    command -v gnome-keyring-daemon > /dev/null && command -v dbus-run-session > /dev/null || want 'gnome-keyring dbus-daemon' \
        "the keyring that the client's session is put into, on a bus of the test's own"
    command -v xmlsec1 > /dev/null || want xmlsec1 'signs the SAML documents that the tests attack, and verifies and decrypts ours'
    has_simplesamlphp || want 'simplesamlphp php-cli php-xml php-mbstring php-curl php-sqlite3' \
        'the SAML identity provider that the tests sign in with, each on a port of its own'
    has_browser || want chromium 'the browser that the tests walk through the pages'
    has_fonts || want fonts-dejavu-core 'without a font the browser shows, and measures, empty pages'
    has_rsyslog || want 'rsyslog rsyslog-openssl' "the syslog collector that the audit trail is sent to, as a process of the tests' own"
    command -v groff > /dev/null || want groff-base 'reads the manual pages that the client writes'
    has_aws_cli || want awscli 'version 2 of the AWS CLI, beside version 1 from PyPI: most people have it, and PyPI has it not'
    has_python || want 'python3 python3-venv' 'runs the AWS CLI, moto and the foreign verifiers, all in target/counterparts'
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

policy=/usr/sbin/policy-rc.d
mark='# put here for one installation by scripts/setup.sh of rolegate'
unguard() {
    trap - EXIT
    if grep -qs "$mark" "$policy"; then as_root rm -f "$policy"; fi
}

install() {
    command -v apt-get > /dev/null || die "there is no apt-get here. Install these (Debian's names), then run this again:$missing"
    [ "$(id -u)" = 0 ] || command -v sudo > /dev/null || die "to install:$missing, run 'apt-get install$missing' as root, then this again"
    [ "$(id -u)" = 0 ] || say "using sudo; it may want your password"
    if [ ! -e "$policy" ]; then
        # Debian starts a service as it installs it; the tests start their own Redis and want no other.
        trap unguard EXIT
        printf '#!/bin/sh\n%s\nexit 101\n' "$mark" | as_root sh -c "cat > $policy && chmod 755 $policy"
    fi
    log=$(mktemp)
    say "installing:$missing (takes a minute; log in $log)"
    # shellcheck disable=SC2086 # a list of packages
    { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update \
        && as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $missing; } > "$log" 2>&1 < /dev/null \
        || { tail -n 20 "$log" >&2; die "apt-get could not install:$missing"; }
    unguard
    case "$missing" in
        *redis-server*) as_root systemctl disable redis-server > /dev/null 2>&1 || true ;; # nor at the next boot
    esac
    case "$missing" in
        *rsyslog*) as_root systemctl disable rsyslog > /dev/null 2>&1 || true ;;
    esac
    case "$missing" in
        *haproxy*) as_root systemctl disable haproxy > /dev/null 2>&1 || true ;;
    esac
    case "$missing" in
        *mod-shib*) as_root systemctl disable shibd > /dev/null 2>&1 || true ;;
    esac
    rm -f "$log"
}

case "${1:-}" in demo | test | faults | packages | peers) ;; *) die 'usage: scripts/setup.sh demo|test|faults|packages|peers' ;; esac
command -v cargo > /dev/null || die 'there is no cargo here: install the Rust toolchain from https://rustup.rs, then run this again'
look "$1"
if [ -n "$missing" ]; then
    install
    missing=
    look "$1"
    [ -z "$missing" ] || die "still missing after the installation:$missing"
    say 'all there'
fi
case "$1" in test | peers) exec scripts/counterparts.sh ;; esac
