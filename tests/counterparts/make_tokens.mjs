// Makes a key set and one good and several bad tokens with npm `jose`, to see that the verifiers tell them apart.
//
// usage: make_tokens.mjs FOLDER
import { writeFile } from 'node:fs/promises';
import { SignJWT, UnsecuredJWT, exportJWK, generateKeyPair } from 'jose';

const [folder] = process.argv.slice(2);
const [ours, another] = [await generateKeyPair('ES256'), await generateKeyPair('ES256')];
const now = Math.floor(Date.now() / 1000);
const sign = (key, { audience = 'sts.amazonaws.com', expires = now + 300 } = {}) => new SignJWT({ sub: 'ana' })
  .setProtectedHeader({ alg: 'ES256', kid: 'k1' }).setIssuer('http://127.0.0.1:9').setAudience(audience)
  .setIssuedAt(expires - 300).setExpirationTime(expires).sign(key.privateKey);

const good = await sign(ours);
const [header, , signature] = good.split('.');
const forged = Buffer.from(JSON.stringify({ sub: 'eve', iss: 'http://127.0.0.1:9', aud: 'sts.amazonaws.com', iat: now, exp: now + 300 }));
const tokens = {
  good,
  expired: await sign(ours, { expires: now - 600 }),
  tampered: `${header}.${forged.toString('base64url')}.${signature}`,
  other_audience: await sign(ours, { audience: 'somebody.else' }),
  other_key: await sign(another),
  none: new UnsecuredJWT({ sub: 'ana' }).setIssuer('http://127.0.0.1:9').setAudience('sts.amazonaws.com')
    .setIssuedAt(now).setExpirationTime(now + 300).encode(),
};
for (const [name, token] of Object.entries(tokens)) await writeFile(`${folder}/${name}.jwt`, token);
await writeFile(`${folder}/keys.json`, JSON.stringify({ keys: [{ ...await exportJWK(ours.publicKey), kid: 'k1', use: 'sig', alg: 'ES256' }] }));
