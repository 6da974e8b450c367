// Signing in and out by SAML in a real browser, with SimpleSAMLphp as identity provider on another site (localhost, where the gateway is
// 127.0.0.1): responses are posted across sites, so browsers leave the gateway's Lax cookies out.
//
// usage: saml.mjs GATEWAY_URL IDP_URL TILE_URL
// env:   SCREENSHOTS  a folder for pictures (optional)
import assert from 'node:assert/strict';
import { Walk, heading } from './browser.mjs';

const [gateway, idp, tile] = process.argv.slice(2);
const walk = new Walk(gateway, [idp]);
const PORTAL = /^Your AWS roles/;

/** What was answered at the address that takes responses. */
function watch(page) {
  const answers = [];
  page.on('response', (response) => {
    if (new URL(response.url()).pathname === '/saml/corp/acs') answers.push(response.status());
  });
  return answers;
}

async function atProvider(page) {
  await page.waitForURL((url) => url.origin === idp);
  await page.locator('input[name="username"]').fill('ana');
  await page.locator('input[name="password"]').fill('anapass');
  await page.locator('input[name="password"]').press('Enter');
}

async function begin(page) {
  await page.goto(`${gateway}/`);
  await page.getByRole('link', { name: /Corporate SAML/ }).click();
}

await walk.go(async () => {
  const page = await walk.newPage();
  const answers = watch(page);
  await walk.step('a sign-in that is begun here comes back through one page in between', async () => {
    await begin(page);
    await atProvider(page);
    await heading(page, PORTAL);
    await page.getByText('PlatformAdmin', { exact: true }).first().waitFor();
    assert.deepEqual(answers, [200, 303], 'the form of the other site bounced once');
  });
  await walk.step('signing out at the provider goes round', async () => {
    await page.locator('summary').filter({ hasText: 'Account menu' }).click();
    await page.getByRole('button', { name: /Sign out of/ }).click();
    await heading(page, /^You are signed out/);
    await page.goto(`${gateway}/`);
    await heading(page, /^Sign in to reach AWS/);
  });
  await walk.step('the app tile leads to a role, for somebody who was never here', async () => {
    const stranger = await walk.newPage();
    await stranger.goto(tile);
    await atProvider(stranger);
    await stranger.waitForURL((url) => url.origin === gateway && url.pathname === '/go');
    assert.equal(new URL(stranger.url()).searchParams.get('role'), 'PlatformAdmin');
    await stranger.getByRole('button', { name: 'Console' }).waitFor();
  });
  await walk.step('without scripts there is a button on each page in between', async () => {
    const plain = await walk.newPage({ javaScriptEnabled: false });
    await begin(plain);
    // By the POST binding the way there has such a page too.
    const there = plain.getByRole('button', { name: 'Continue' });
    await there.or(plain.locator('input[name="username"]')).first().waitFor();
    if (new URL(plain.url()).origin === gateway) await there.click();
    await atProvider(plain);
    await plain.locator('form[action$="/saml/corp/acs"] button[type="submit"]').click();
    await heading(plain, /^Continuing to Rolegate/);
    await walk.look(plain, 'hand-on', { axe: false });
    await plain.getByRole('button', { name: 'Continue' }).click();
    await heading(plain, PORTAL);
  });
});
