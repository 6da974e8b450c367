#!/bin/sh
# Debian's SimpleSAMLphp as a SAML 2.0 identity provider on PHP's built-in server, on loopback, in a folder of its own; nothing under /etc
# is read or touched. It becomes the server, so whoever started it ends it by its process id.
#
# usage: simplesamlphp.sh FOLDER PORT
# env:   HOST                         localhost without; for browsers that is another site than 127.0.0.1
#        SP_ENTITY_ID SP_ACS SP_SLO   whom it signs people in for
#        SP_CERTIFICATE               a PEM file: the key that verifies requests, and that assertions are encrypted for
#        VALIDATE=true|false          whether it wants requests and logout messages signed by that key
#        SIGN_RESPONSE=true|false SIGN_ASSERTION=true|false
#        ENCRYPT=true|false           assertions are encrypted, by AES-128-CBC: with a public key it knows nothing else
#        NAME_ID_FORMAT               the last part of its URI; persistent without
#
# Metadata and entity ID: http://HOST:PORT/saml2/idp/metadata.php. FOLDER/cert/idp.key and idp.crt are read anew at each request, so
# another key is put in place by replacing them. People: ana (platform admin), bob (developer), carol (200 groups); passwords NAMEpass.
set -eu
folder=$1 port=$2 host=${HOST:-localhost}
mkdir -p "$folder/config/metadata" "$folder/config/attributemap" "$folder/cert" "$folder/log" "$folder/data" "$folder/tmp" "$folder/sessions"
folder=$(cd "$folder" && pwd)
[ -f "$folder/cert/idp.key" ] || openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 30 -subj /CN=simplesamlphp \
    -keyout "$folder/cert/idp.key" -out "$folder/cert/idp.crt" 2> /dev/null

keys=
if [ -n "${SP_CERTIFICATE:-}" ]; then
    base64=$(grep -v CERTIFICATE "$SP_CERTIFICATE" | tr -d '\n')
    keys="'keys' => [['type' => 'X509Certificate', 'signing' => true, 'encryption' => true, 'X509Certificate' => '$base64']],"
fi
format="urn:oasis:names:tc:SAML:2.0:nameid-format:${NAME_ID_FORMAT:-persistent}"
validate=${VALIDATE:-false}

cat > "$folder/config/config.php" << PHP
<?php
\$config = [
  'baseurlpath' => 'http://$host:$port/',
  'certdir' => '$folder/cert/', 'loggingdir' => '$folder/log/', 'datadir' => '$folder/data/', 'tempdir' => '$folder/tmp',
  'metadatadir' => '$folder/config/metadata/', 'attributenamemapdir' => '$folder/config/attributemap/',
  'secretsalt' => 'for-tests-on-loopback', 'auth.adminpassword' => 'for-tests-on-loopback',
  'technicalcontact_name' => 'tests', 'technicalcontact_email' => 'tests@example.org', 'timezone' => 'UTC',
  'logging.level' => SimpleSAML\Logger::INFO, 'logging.handler' => 'file', 'logging.logfile' => 'simplesamlphp.log',
  'enable.saml20-idp' => true,
  'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
  // Cookies belong to a host, not to one of its ports: each instance has names of its own.
  'session.cookie.secure' => false, 'session.cookie.samesite' => null, 'session.cookie.name' => 'SSPID_$port',
  'session.phpsession.savepath' => '$folder/sessions', 'session.phpsession.cookiename' => 'SSP_$port',
  'session.authtoken.cookiename' => 'SSPAT_$port',
  'language.default' => 'en', 'language.available' => ['en'], 'language.cookie.secure' => false,
  'store.type' => 'phpsession', 'metadata.sources' => [['type' => 'flatfile']],
  'authproc.idp' => [], 'authproc.sp' => [], 'admin.checkforupdates' => false, 'trusted.url.domains' => null,
];
PHP
cat > "$folder/config/authsources.php" << 'PHP'
<?php
function person($name, $groups) {
  return ['uid' => [$name], 'mail' => ["$name@example.org"], 'displayName' => [ucfirst($name)], 'groups' => $groups];
}
$many = array_map(function ($n) { return sprintf('group-%03d', $n); }, range(1, 200));
$config = [
  'admin' => ['core:AdminPassword'],
  'people' => ['exampleauth:UserPass',
    'ana:anapass' => person('ana', ['aws-platform-admins', 'staff & more']),
    'bob:bobpass' => person('bob', ['developers']),
    'carol:carolpass' => person('carol', $many),
  ],
];
PHP
bindings="['urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect', 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST']"
cat > "$folder/config/metadata/saml20-idp-hosted.php" << PHP
<?php
\$metadata['http://$host:$port/saml2/idp/metadata.php'] = [
  'host' => '__DEFAULT__', 'auth' => 'people', 'privatekey' => 'idp.key', 'certificate' => 'idp.crt',
  'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  'sign.logout' => true, 'validate.logout' => $validate,
  'SingleSignOnServiceBinding' => $bindings, 'SingleLogoutServiceBinding' => $bindings,
];
PHP
cat > "$folder/config/metadata/saml20-sp-remote.php" << PHP
<?php
\$metadata['$SP_ENTITY_ID'] = [
  'AssertionConsumerService' => [['Binding' => 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST', 'Location' => '$SP_ACS', 'index' => 0]],
  'SingleLogoutService' => [
    ['Binding' => 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect', 'Location' => '$SP_SLO'],
    ['Binding' => 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST', 'Location' => '$SP_SLO'],
  ],
  'NameIDFormat' => '$format',
  'authproc' => [1 => ['class' => 'saml:AttributeNameID', 'attribute' => 'uid', 'Format' => '$format']],
  'attributes.NameFormat' => 'urn:oasis:names:tc:SAML:2.0:attrname-format:basic',
  'saml20.sign.response' => ${SIGN_RESPONSE:-true}, 'saml20.sign.assertion' => ${SIGN_ASSERTION:-true},
  'validate.authnrequest' => $validate, 'sign.logout' => true, 'validate.logout' => $validate,
  'assertion.encryption' => ${ENCRYPT:-false},
  $keys
];
PHP
# PHP's own server knows no aliases and takes what stands behind a script's name for a part of it: both are resolved here.
cat > "$folder/router.php" << 'PHP'
<?php
$root = '/usr/share/simplesamlphp/www';
$path = rawurldecode(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
if (strpos($path, '..') !== false) { http_response_code(400); return true; }
if ($path === '' || $path === '/') $path = '/index.php';
if (preg_match('#^(/.*?\.php)(/.*)?$#', $path, $m) && is_file($root . $m[1])) {
  $_SERVER['SCRIPT_NAME'] = $m[1]; $_SERVER['PHP_SELF'] = $path; $_SERVER['SCRIPT_FILENAME'] = $root . $m[1];
  if (isset($m[2])) $_SERVER['PATH_INFO'] = $m[2]; else unset($_SERVER['PATH_INFO']);
  chdir(dirname($root . $m[1])); require $root . $m[1]; return true;
}
return false;
PHP
# Several workers (PHP_CLI_SERVER_WORKERS) would stay behind when this process is ended.
export SIMPLESAMLPHP_CONFIG_DIR="$folder/config"
exec php -d display_errors=0 -d log_errors=1 -d error_log="$folder/log/php.log" -d error_reporting=22527 \
    -d session.save_path="$folder/sessions" -S "127.0.0.1:$port" -t /usr/share/simplesamlphp/www "$folder/router.php"
