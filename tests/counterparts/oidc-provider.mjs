// The certified npm `oidc-provider` as the identity provider of the tests: loopback only, everything in memory, any password will do.
//
// Started by tests/support; by hand: `node tests/counterparts/oidc-provider.mjs` after `make test` has installed it. Environment:
//   PORT              where to listen on 127.0.0.1 (18201)
//   CLIENT_ID         the one client (rolegate)
//   CLIENT_SECRET     its secret, for client_secret_basic and client_secret_post
//   CLIENT_AUTH       client_secret_basic | client_secret_post | none | private_key_jwt (client_secret_basic)
//   CLIENT_JWKS       the client's public key set as JSON, for private_key_jwt
//   REDIRECT_URIS     space separated
//   POST_LOGOUT_URIS  space separated
//   BACKCHANNEL_URI   where to announce that a session has ended
//   ALG               how ID tokens are signed: RS256 | ES256 | PS256 (RS256)
//   GROUPS_IN         id_token | userinfo: where the groups claim is (id_token)
//   PEOPLE            JSON that adds people to those below or replaces them: {"eve": {"groups": ["x"]}}
//   AUTO              1: no pages; whom login_hint or AUTO_USER names is signed in at once (ana)
//   EXIT_WITH_STDIN   1: end when standard input closes, so that it cannot outlive the test that started it
// Prints `ready ISSUER` when it listens.
import { Provider } from 'oidc-provider';
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';

const env = process.env;
const words = (text) => (text ?? '').split(' ').filter(Boolean);
const issuer = `http://127.0.0.1:${Number(env.PORT ?? 18201)}`;
const MFA = 'urn:example:mfa';

const people = {
  ana: { name: 'Ana Admin', groups: ['aws-platform-admins', 'developers'], amr: ['pwd', 'otp', 'mfa'], acr: MFA },
  dev: { name: 'Dev Developer', groups: ['developers'], department: 'Checkout' },
  cory: { name: 'Cory Contractor', groups: ['developers', 'contractors'] },
  nora: { name: 'Nora Newcomer', groups: [] },
  many: {
    name: 'Many Groups',
    groups: Array.from({ length: 200 }, (_, i) => `aws-${String(100000000001 + i)}-role${String(i + 1).padStart(3, '0')}`),
  },
  ...JSON.parse(env.PEOPLE ?? '{}'),
};

function claimsOf(id) {
  const { amr, acr, ...rest } = people[id];
  return { sub: id, email: `${id}@example.org`, email_verified: true, preferred_username: id, ...rest };
}

async function signingKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(privateKey);
  // Relying parties keep key sets by `kid`, and each start makes another key: its thumbprint is the one name that cannot lie.
  return { ...jwk, use: 'sig', alg, kid: await calculateJwkThumbprint(jwk) };
}

function client() {
  const method = env.CLIENT_AUTH ?? 'client_secret_basic';
  return {
    client_id: env.CLIENT_ID ?? 'rolegate',
    token_endpoint_auth_method: method,
    ...(method.startsWith('client_secret') ? { client_secret: env.CLIENT_SECRET ?? 'for-loopback-tests-only' } : {}),
    ...(method === 'private_key_jwt' ? { jwks: JSON.parse(env.CLIENT_JWKS), token_endpoint_auth_signing_alg: undefined } : {}),
    redirect_uris: words(env.REDIRECT_URIS ?? 'http://127.0.0.1:8700/callback/main'),
    post_logout_redirect_uris: words(env.POST_LOGOUT_URIS),
    ...(env.BACKCHANNEL_URI ? { backchannel_logout_uri: env.BACKCHANNEL_URI, backchannel_logout_session_required: true } : {}),
    response_types: ['code'],
    grant_types: ['authorization_code'],
    id_token_signed_response_alg: env.ALG ?? 'RS256',
  };
}

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

function page(title, body) {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title><style>:root{color-scheme:light dark}body{font:1rem/1.5 sans-serif;max-width:24rem;margin:2rem auto;padding:0 1rem}
label,input,button{display:block;width:100%;box-sizing:border-box;font:inherit;margin:.25rem 0 .75rem;padding:.4rem}</style></head>
<body><main><h1>${escape(title)}</h1>${body}</main></body></html>`;
}

const loginPage = (uid, hint, error) => page('Example identity provider', `${error ? `<p role="alert">${escape(error)}</p>` : ''}
<form method="post" action="/interaction/${escape(uid)}">
<label for="login">User name</label><input id="login" name="login" value="${escape(hint ?? '')}" autocomplete="username" required autofocus>
<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required>
<button name="step" value="login">Sign in</button></form>
<form method="post" action="/interaction/${escape(uid)}"><button name="step" value="abort">Cancel</button></form>`);

const consentPage = (uid, params) => page('Allow access', `<p>${escape(params.client_id)} asks for: ${escape(params.scope)}</p>
<form method="post" action="/interaction/${escape(uid)}">
<button name="step" value="consent" autofocus>Allow</button><button name="step" value="abort">Refuse</button></form>`);

async function body(req) {
  let text = '';
  for await (const chunk of req) text += chunk;
  return Object.fromEntries(new URLSearchParams(text));
}

function login(id) {
  return { login: { accountId: id, amr: people[id].amr ?? ['pwd'], ...(people[id].acr ? { acr: people[id].acr } : {}) } };
}

async function consent(provider, { grantId, session, params, prompt }) {
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
  if (prompt.details.missingOIDCClaims) grant.addOIDCClaims(prompt.details.missingOIDCClaims);
  return { consent: { grantId: await grant.save() } };
}

// What the person does on our pages, or what AUTO does for them, as a result that oidc-provider goes on with; or else a page.
async function step(provider, details, form) {
  const { uid, prompt, params } = details;
  const choice = env.AUTO === '1' ? { step: prompt.name, login: params.login_hint || env.AUTO_USER || 'ana', password: 'auto' } : form;
  if (choice?.step === 'abort') return { result: { error: 'access_denied', error_description: 'the person cancelled' } };
  if (prompt.name === 'consent') return choice?.step === 'consent' ? { result: await consent(provider, details) } : { html: consentPage(uid, params) };
  if (choice?.step !== 'login') return { html: loginPage(uid, params.login_hint) };
  if (!Object.hasOwn(people, choice.login) || !choice.password) return { html: loginPage(uid, choice.login, 'Nobody has that name and password.') };
  return { result: login(choice.login) };
}

async function interactions(ctx, next) {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const details = await provider.interactionDetails(ctx.req, ctx.res);
  const { result, html } = await step(provider, details, ctx.method === 'POST' ? await body(ctx.req) : undefined);
  ctx.set('cache-control', 'no-store');
  if (html) {
    ctx.type = 'html';
    ctx.body = html;
    return undefined;
  }
  ctx.respond = false;
  return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: true });
}

const provider = new Provider(issuer, {
  clients: [client()],
  jwks: { keys: [await signingKey(env.ALG ?? 'RS256')] },
  cookies: { keys: ['for-loopback-tests-only'] },
  acrValues: [MFA],
  scopes: ['openid', 'profile', 'email', 'groups'],
  claims: {
    openid: ['sub', 'acr', 'amr', 'auth_time'], profile: ['name', 'preferred_username', 'department'],
    email: ['email', 'email_verified'], groups: ['groups'],
  },
  // A conforming token leaves scope claims to userinfo; most providers in the field put groups into the ID token.
  conformIdTokenClaims: env.GROUPS_IN === 'userinfo',
  pkce: { required: () => true },
  // Its own fetch refuses loopback, where the gateway under test stands: needed for back-channel logout.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (ctx, id) => (Object.hasOwn(people, id) ? { accountId: id, claims: () => claimsOf(id) } : undefined),
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'PS256'] },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => {
        ctx.body = page('Sign out', `<p>Sign out of the example identity provider?</p>${form}
<button autofocus type="submit" form="op.logoutForm" name="logout" value="yes">Yes, sign me out</button>
<button type="submit" form="op.logoutForm">No, stay signed in</button>`);
      },
      postLogoutSuccessSource: (ctx) => {
        ctx.body = page('Signed out', '<p>You are signed out of the example identity provider.</p>');
      },
    },
  },
  renderError: (ctx, out) => {
    ctx.type = 'html';
    ctx.body = page('The identity provider refuses', Object.entries(out).map(([k, v]) => `<p>${escape(k)}: ${escape(v)}</p>`).join(''));
  },
});

for (const event of ['authorization.error', 'grant.error', 'userinfo.error', 'end_session.error', 'server_error', 'backchannel.error']) {
  provider.on(event, (...details) => console.log(event, details.map((d) => d?.error_description ?? d?.message ?? '').join(' ')));
}
for (const event of ['backchannel.success', 'end_session.success', 'grant.success']) provider.on(event, () => console.log(event));
provider.use(interactions);

if (env.EXIT_WITH_STDIN === '1') process.stdin.resume().on('end', () => process.exit(0));
const server = provider.listen(Number(new URL(issuer).port), '127.0.0.1', () => console.log(`ready ${issuer}`));
server.on('error', (error) => {
  console.error(`the identity provider cannot listen: ${error.message}`);
  process.exit(1);
});
process.on('SIGTERM', () => process.exit(0));
