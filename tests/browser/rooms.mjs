// Roles on request and for emergencies, and the rooms of administrators and auditors, in a real browser: who asks, who grants, who takes, who looks.
//
// usage: rooms.mjs GATEWAY_URL IDP_URL AWS_URL
// env:   SCREENSHOTS  a folder for pictures: of the page that failed, or with PICTURES=every of every page (optional)
//
// Prints `ok STEP` lines and at last one line of JSON: the secrets that the browser saw, for a search of what must not hold them.
import assert from 'node:assert/strict';
import { Walk, heading } from './browser.mjs';

const [gateway, idp, aws] = process.argv.slice(2);
const walk = new Walk(gateway, [idp, aws]);
const PORTAL = /^Your AWS roles/;

async function signIn(person) {
  const page = await walk.newPage();
  await page.goto(`${gateway}/login/main`);
  await heading(page, 'Example identity provider');
  await page.getByLabel('User name').fill(person);
  await page.getByLabel('Password').fill('any password will do');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await heading(page, 'Allow access');
  await page.getByRole('button', { name: 'Allow' }).click();
  await heading(page, PORTAL);
  for (const cookie of await page.context().cookies(gateway)) {
    if (cookie.httpOnly && cookie.value.length >= 32 && cookie.name !== 'rolegate-choices') walk.secrets.add(cookie.value);
  }
  return page;
}

async function open(page, path, title) {
  await page.goto(`${gateway}${path}`);
  await heading(page, title);
}

/** The credentials of the page that shows them once. */
async function takeCredentials(page) {
  await page.getByRole('button', { name: 'Credentials' }).click();
  await heading(page, 'Credentials for PlatformAdmin');
  const profile = await page.locator('#f-profile').textContent();
  for (const [, secret] of profile.matchAll(/(?:secret_access_key|session_token) = (\S+)/g)) walk.secrets.add(secret);
}

async function requests(dev, ana) {
  await walk.step('what may be asked for, and what is for emergencies, stands apart and is found by the filter', async () => {
    await walk.glance(dev, 'portal-on-request');
    const apart = (name) => dev.getByRole('region', { name });
    for (const [words, asked, alarm] of [['production platformadmin', true, false], ['staging platformadmin', false, true], ['nothing', false, false]]) {
      await dev.getByRole('searchbox').fill(words);
      assert.deepEqual([await apart('On request').isVisible(), await apart('Break-glass').isVisible()], [asked, alarm], words);
      assert.equal(await dev.getByText('No account or role matches').isVisible(), !asked && !alarm, words);
    }
    await dev.getByRole('searchbox').fill('');
    await apart('On request').waitFor();
  });
  await walk.step('who asks says why and for how long, in place', async () => {
    await dev.getByText('Request…').click();
    await dev.getByLabel(/^Reason: the ticket/).fill('OPS-4711');
    await walk.glance(dev, 'portal-asking');
    await dev.getByRole('button', { name: 'Request' }).click();
    await dev.getByRole('status').filter({ hasText: 'Your request was made' }).waitFor();
    await open(dev, '/go?account=Production&role=PlatformAdmin', /^Ask for PlatformAdmin/);
    await walk.glance(dev, 'go-on-request');
  });
  await walk.step('somebody else reads what is asked, and grants it', async () => {
    await open(ana, '/requests', 'Requests');
    for (const words of ['OPS-4711', 'admin-on-request', 'for the console and credentials']) await ana.getByText(words).first().waitFor();
    await walk.glance(ana, 'requests-to-decide');
    await ana.getByRole('button', { name: 'Grant' }).click();
    await ana.getByRole('status').filter({ hasText: 'It is granted' }).waitFor();
  });
  await walk.step('what was granted is taken, and shown as recent', async () => {
    await open(dev, '/requests', 'Requests');
    await walk.glance(dev, 'requests-granted');
    await dev.getByRole('link', { name: 'To the role' }).click();
    await heading(dev, /^Enter Production as PlatformAdmin/);
    await walk.glance(dev, 'go-granted');
    await takeCredentials(dev);
    await open(dev, '/', PORTAL);
    await dev.getByRole('region', { name: 'Recent' }).getByRole('link', { name: 'PlatformAdmin' }).waitFor();
  });
  await walk.step('breaking glass takes a page that says so, and a reason', async () => {
    await dev.getByRole('region', { name: 'Break-glass' }).getByRole('link', { name: 'Continue' }).click();
    await heading(dev, /^Enter Staging as PlatformAdmin/);
    await dev.getByText('to take it is an alarm').waitFor();
    await walk.glance(dev, 'go-break-glass');
    await dev.getByLabel(/^Reason/).fill('the site is down');
    await takeCredentials(dev);
  });
}

async function rooms(dev, ana) {
  await walk.step('administrators look at their rooms', async () => {
    await open(ana, '/admin', /./);
    await walk.glance(ana, 'admin');
    await open(ana, '/admin/sessions?who=dev', /./);
    await walk.glance(ana, 'admin-sessions');
    await open(ana, '/admin/playground', 'Playground');
    await ana.getByLabel('Claims, a JSON object').fill('{"sub": "x", "groups": ["developers"]}');
    await ana.getByLabel('Role, for near misses').fill('Production/PlatformAdmin');
    await ana.getByRole('button', { name: 'Try', exact: true }).first().click();
    await ana.getByRole('heading', { name: 'What may be asked for' }).waitFor();
    await walk.glance(ana, 'admin-playground');
  });
  await walk.step('auditors find the emergency, its event and the chart', async () => {
    await open(ana, '/audit', /./);
    await walk.glance(ana, 'audit');
    await ana.getByRole('row').filter({ hasText: 'break-glass' }).getByRole('link').first().click();
    await ana.getByText('the site is down').first().waitFor();
    await walk.glance(ana, 'audit-event');
    await open(ana, '/audit/chart', /./);
    await walk.glance(ana, 'audit-chart');
  });
  await walk.step('an administrator revokes what was granted', async () => {
    await open(ana, '/admin/requests', 'Requests and grants');
    await walk.glance(ana, 'admin-requests');
    await ana.getByRole('button', { name: 'Revoke' }).click();
    await ana.getByRole('status').filter({ hasText: 'The grant was revoked' }).waitFor();
    await open(dev, '/requests', 'Requests');
    await dev.getByText('revoked', { exact: true }).waitFor();
  });
}

await walk.go(async () => {
  const [dev, ana] = [await signIn('dev'), await signIn('ana')];
  await requests(dev, ana);
  await rooms(dev, ana);
});
