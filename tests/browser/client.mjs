// One page of a person's who uses the client: Chromium opens what the client wants opened, and does what the person does.
//
// usage: client.mjs GATEWAY_URL login TAB            an address that `rolegate login` opened
//        client.mjs GATEWAY_URL device PAGE CODE     what `rolegate login --device` says
//        client.mjs GATEWAY_URL console TAB AWS_URL  an address that `rolegate console --open` opened
import assert from 'node:assert/strict';
import { Walk, heading } from './browser.mjs';

const [gateway, way, address, more] = process.argv.slice(2);
const walk = new Walk(gateway, [new URL(address).origin]);

async function signIn(page) {
  await page.getByRole('link', { name: /Example IdP/ }).click();
  await heading(page, 'Example identity provider');
  await page.getByLabel('User name').fill('ana');
  await page.getByLabel('Password').fill('any password will do');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await heading(page, 'Allow access');
  await page.getByRole('button', { name: 'Allow' }).click();
}

const ways = {
  async login(page) {
    await page.goto(address);
    await signIn(page);
    await heading(page, 'Let a command line act for you?');
    await page.getByRole('button', { name: 'Allow' }).click();
    await heading(page, 'Back to the command line');
    assert.equal(new URL(page.url()).pathname, '/callback');
  },
  async device(page) {
    await page.goto(address);
    await signIn(page);
    await heading(page, /^Enter the code/);
    await page.getByLabel('Code').fill(more);
    await page.keyboard.press('Enter');
    await heading(page, 'Let a command line on another machine act for you?');
    await page.getByText(more, { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Allow' }).click();
    await heading(page, 'The command line may act for you');
  },
  async console(page) {
    await page.goto(address);
    await page.waitForURL((url) => url.origin === more);
    await heading(page, 'PlatformAdmin');
    assert.match(await page.locator('body').innerText(), /assumed-role\/PlatformAdmin\//, 'the console shows who came in');
    // Who finds the address later gets nothing.
    const again = await page.goto(address).catch(() => null);
    assert.ok(again === null || again.status() === 404, 'it leads there once');
  },
};

await walk.start();
try {
  const page = await walk.newPage();
  await walk.step(way, () => ways[way](page));
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await walk.stop();
}
