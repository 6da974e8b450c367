// A command line made with npm's openid-client, which knows nothing of Rolegate, is let in through a real browser: by a code that comes to a
// loopback address, and by a code that a person types.
//
// usage: command_line.mjs GATEWAY_URL IDP_URL
// env:   SCREENSHOTS  a folder for pictures (optional)
//
// Prints `ok STEP` lines and at last one line of JSON: the secrets that crossed, for a search of what must not hold them.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import * as oauth from 'openid-client';
import { Walk, heading, tabTo } from './browser.mjs';

const [gateway, idp] = process.argv.slice(2);
const walk = new Walk(gateway, [idp]);
const CONSENT = 'Let a command line act for you?';
const DEVICE_CONSENT = 'Let a command line on another machine act for you?';

const config = await oauth.discovery(new URL(gateway), 'rolegate-cli', undefined, oauth.None(), {
  algorithm: 'oauth2',
  execute: [oauth.allowInsecureRequests],
});

/** What waits for the browser on the command line's machine. */
async function listen() {
  let arrived;
  const arrival = new Promise((resolve) => {
    arrived = resolve;
  });
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8').end('<!DOCTYPE html><title>Done</title><h1>Back to the terminal</h1>');
    if (request.url.startsWith('/callback')) arrived(new URL(request.url, redirect));
  });
  await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const redirect = `http://127.0.0.1:${server.address().port}/callback`;
  walk.origins.add(new URL(redirect).origin);
  return { redirect, arrival, close: () => server.close() };
}

/** Begins as `rolegate login` does: the address to open, and what is needed when the answer comes. */
async function begin(redirect, more = {}) {
  const pkceCodeVerifier = oauth.randomPKCECodeVerifier();
  const expectedState = oauth.randomState();
  walk.secrets.add(pkceCodeVerifier);
  const url = oauth.buildAuthorizationUrl(config, {
    redirect_uri: redirect,
    code_challenge: await oauth.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    device_name: 'ana-laptop',
    ...more,
  });
  return { url: url.href, checks: { pkceCodeVerifier, expectedState } };
}

async function signInAtProvider(page, person, { firstTime = true } = {}) {
  await heading(page, 'Example identity provider');
  await page.getByLabel('User name').fill(person);
  await page.getByLabel('Password').fill('any password will do');
  await page.getByRole('button', { name: 'Sign in' }).click();
  if (!firstTime) return;
  await heading(page, 'Allow access');
  await page.getByRole('button', { name: 'Allow' }).click();
}

function token(answer) {
  assert.match(answer.access_token, /^rgs_[A-Za-z0-9_-]{43}$/);
  assert.equal(answer.token_type.toLowerCase(), 'bearer');
  assert.ok(answer.expiresIn() > 7 * 3600);
  walk.secrets.add(answer.access_token);
  return answer.access_token;
}

async function refused(work, error) {
  await assert.rejects(work, (thrown) => {
    assert.equal(thrown.error, error, thrown);
    return true;
  });
}

async function beside(page) {
  const local = await listen();
  let begun = await begin(local.redirect);
  await walk.step('who is not signed in does so first, and comes back to the question', async () => {
    await page.goto(begun.url);
    await heading(page, /^Sign in to reach AWS/);
    await page.getByRole('link', { name: /Example IdP/ }).click();
    await signInAtProvider(page, 'ana');
    await heading(page, CONSENT);
    await page.getByText('ana-laptop').waitFor();
    await walk.look(page, 'consent');
  });
  await walk.step('the keyboard says yes, and the command line has its token', async () => {
    await tabTo(page, 'Allow', 'main');
    await page.keyboard.press('Enter');
    await heading(page, 'Back to the terminal');
    const arrived = await local.arrival;
    token(await oauth.authorizationCodeGrant(config, arrived, begun.checks));
    // Whoever sees the address later has nothing of it.
    await refused(oauth.authorizationCodeGrant(config, arrived, begun.checks), 'invalid_grant');
  });
  local.close();
  await walk.step('who is signed in is asked again, and may say no', async () => {
    const again = await listen();
    begun = await begin(again.redirect);
    await page.goto(begun.url);
    await heading(page, CONSENT);
    await page.getByRole('button', { name: 'Refuse' }).click();
    await heading(page, 'Back to the terminal');
    await refused(oauth.authorizationCodeGrant(config, await again.arrival, begun.checks), 'access_denied');
    again.close();
  });
  await walk.step('a command line that wants a fresh sign-in has one', async () => {
    const fresh = await listen();
    begun = await begin(fresh.redirect, { prompt: 'login' });
    await page.goto(begun.url);
    await signInAtProvider(page, 'ana', { firstTime: false });
    await heading(page, CONSENT);
    await page.getByRole('button', { name: 'Allow' }).click();
    await heading(page, 'Back to the terminal');
    const answer = token(await oauth.authorizationCodeGrant(config, await fresh.arrival, begun.checks));
    await oauth.tokenRevocation(config, answer);
    fresh.close();
  });
  await walk.step('a request that is not a command line\'s leads nowhere', async () => {
    await page.goto((await begin('http://localhost:1/callback')).url);
    await heading(page, 'This is not a command line that can be let in');
    await walk.look(page, 'no-command-line');
  });
}

async function elsewhere(page) {
  const ask = async () => {
    const asked = await oauth.initiateDeviceAuthorization(config, { device_name: 'build-host' });
    walk.secrets.add(asked.device_code);
    return asked;
  };
  await walk.step('a device\'s code is typed, compared and allowed by the keyboard alone', async () => {
    const asked = await ask();
    const polled = oauth.pollDeviceAuthorizationGrant(config, asked);
    await page.goto(asked.verification_uri);
    await heading(page, /^Enter the code/);
    await walk.look(page, 'device');
    await tabTo(page, '', 'input[name="user_code"]');
    await page.keyboard.type('bcdf ghjk');
    await page.keyboard.press('Enter');
    await page.getByText('No command line waits under this code').waitFor();
    await walk.look(page, 'device-wrong');
    await page.getByLabel('Code').fill(asked.user_code.replace('-', '').toLowerCase());
    await page.keyboard.press('Enter');
    await heading(page, DEVICE_CONSENT);
    await page.getByText(asked.user_code, { exact: true }).waitFor();
    await walk.look(page, 'device-consent');
    await tabTo(page, 'Allow', 'main');
    await page.keyboard.press('Enter');
    await heading(page, 'The command line may act for you');
    await walk.look(page, 'device-allowed');
    token(await polled);
  });
  await walk.step('a link with the code leads to the same question, and no is no', async () => {
    const asked = await ask();
    const polled = refused(oauth.pollDeviceAuthorizationGrant(config, asked), 'access_denied');
    await page.goto(asked.verification_uri_complete);
    await heading(page, DEVICE_CONSENT);
    await page.getByRole('button', { name: 'Refuse' }).click();
    await heading(page, 'The command line was refused');
    await walk.look(page, 'device-refused');
    await polled;
  });
}

async function withoutScripts() {
  await walk.step('all of it works without JavaScript', async () => {
    const page = await walk.newPage({ javaScriptEnabled: false });
    const local = await listen();
    const begun = await begin(local.redirect);
    await page.goto(begun.url);
    await page.getByRole('link', { name: /Example IdP/ }).click();
    await signInAtProvider(page, 'ana');
    await page.getByRole('button', { name: 'Allow' }).click();
    await heading(page, 'Back to the terminal');
    token(await oauth.authorizationCodeGrant(config, await local.arrival, begun.checks));
    local.close();
  });
}

await walk.go(async () => {
  const page = await walk.newPage();
  await beside(page);
  await elsewhere(page);
  await withoutScripts();
});
// After a failure something may still listen.
process.exit();
