// A service provider of other people's making: npm `@node-saml/node-saml`.
//
// usage: verify_saml.mjs response XML_FILE CERTIFICATE_PEM ISSUER RECIPIENT AUDIENCE [DECRYPTION_KEY_PEM]
//        verify_saml.mjs redirect QUERY_FILE CERTIFICATE_PEM ISSUER
//
// Prints the profile that it read as JSON. Exits with 1, and says why, when the message is refused.
import { readFile } from 'node:fs/promises';
import { SAML } from '@node-saml/node-saml';

const [what, file, certificate, idpIssuer, recipient, audience, key] = process.argv.slice(2);

try {
  const text = await readFile(file, 'utf8');
  const saml = new SAML({
    idpCert: await readFile(certificate, 'utf8'), idpIssuer, issuer: audience ?? 'urn:sp', audience: audience ?? false,
    callbackUrl: recipient ?? 'https://sp.example.org/acs', wantAssertionsSigned: true, wantAuthnResponseSigned: false,
    validateInResponseTo: 'never', ...(key ? { decryptionPvk: await readFile(key, 'utf8') } : {}),
  });
  const { profile } = what === 'redirect'
    ? await saml.validateRedirectAsync(Object.fromEntries(new URLSearchParams(text)), text)
    : await saml.validatePostResponseAsync({ SAMLResponse: Buffer.from(text).toString('base64') });
  if (!profile) throw new Error('no profile came out');
  delete profile.getAssertionXml; delete profile.getAssertion; delete profile.getSamlResponseXml;
  console.log(JSON.stringify(profile));
} catch (error) {
  console.error(`node-saml refuses: ${error.message}`);
  process.exitCode = 1;
}
