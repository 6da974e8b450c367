// A verifier of other people's making for a token: npm `jose`.
//
// usage: verify_jose.mjs ISSUER|JWKS_FILE TOKEN_FILE AUDIENCE
//
// ISSUER is a URL whose discovery document names the key set; the token's `iss` must be that issuer. Prints the claims as JSON. Exits
// with 1, and says why, when the token is refused.
import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, createRemoteJWKSet, jwtVerify } from 'jose';

const [source, tokenFile, audience] = process.argv.slice(2);

async function keySet() {
  if (!source.startsWith('http')) return { keys: createLocalJWKSet(JSON.parse(await readFile(source, 'utf8'))) };
  const answer = await fetch(`${source.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const document = await answer.json();
  if (document.issuer !== source) throw new Error(`the discovery document is of another issuer: ${document.issuer}`);
  return { keys: createRemoteJWKSet(new URL(document.jwks_uri)), issuer: source };
}

try {
  if (!audience) throw new Error('usage: verify_jose.mjs ISSUER|JWKS_FILE TOKEN_FILE AUDIENCE');
  const { keys, issuer } = await keySet();
  const token = (await readFile(tokenFile, 'utf8')).trim();
  const { payload } = await jwtVerify(token, keys, {
    algorithms: ['ES256', 'RS256'], audience, ...(issuer ? { issuer } : {}), requiredClaims: ['exp', 'iat', 'iss', 'sub'],
  });
  console.log(JSON.stringify(payload));
} catch (error) {
  console.error(`jose refuses: ${error.code ?? error.name}: ${error.message}`);
  process.exitCode = 1;
}
