// Into the console by a SAML response that the browser posts, with scripts and without.
//
// usage: console_post.mjs GATEWAY_URL IDP_URL AWS_URL
import assert from 'node:assert/strict';
import { Walk, heading } from './browser.mjs';

const [gateway, idp, aws] = process.argv.slice(2);
const ROLE = 'arn:aws:iam::111122223333:role/PlatformAdmin';
const walk = new Walk(gateway, [idp, aws]);

async function toTheConsole(page) {
  await page.goto(`${gateway}/login/main?next=%2F`);
  await heading(page, /^Your AWS roles/);
  const row = page.locator('#roles .roles > li').filter({ has: page.locator(`[name="role"][value="${ROLE}"]`) });
  await row.getByRole('button', { name: 'Console' }).click();
}

async function isIn(page) {
  await page.waitForURL((url) => url.origin === aws && url.pathname.startsWith('/console'));
  await heading(page, 'PlatformAdmin');
}

async function withScripts() {
  const page = await walk.newPage();
  await toTheConsole(page);
  await isIn(page);
  // Who comes back is not sent there again, and finds no old proof.
  await page.goBack().catch(() => {});
  await page.waitForTimeout(1500);
  assert.notEqual(new URL(page.url()).origin, aws, 'the way back ends in the console');
  assert.equal(await page.locator('form[data-onward] input[name="SAMLResponse"]').count(), 0);
}

async function withoutScripts() {
  const page = await walk.newPage({ javaScriptEnabled: false });
  await toTheConsole(page);
  await heading(page, /^Entering Production as PlatformAdmin/);
  await page.getByRole('button', { name: 'Try eu-west-1' }).click();
  await page.getByRole('button', { name: 'Try eu-central-1' }).waitFor();
  await page.getByRole('button', { name: 'Continue to AWS' }).click();
  await isIn(page);
}

await walk.start();
try {
  await withScripts();
  await withoutScripts();
  assert.deepEqual(walk.complaints, []);
  console.log('ok');
} finally {
  await walk.stop();
}
