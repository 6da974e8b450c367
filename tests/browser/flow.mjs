// A person's whole way through a running gateway, in a real browser, with npm's oidc-provider as identity provider.
//
// usage: flow.mjs GATEWAY_URL IDP_URL AWS_URL
// env:   EXPECT       JSON: { account, accountName, role, alsoShown: [...], neverShown: [...] } for the person `ana`
//        PART         `way`: sign-in, console, credentials, sign-out; or `roles`: how roles are found, and why one is missing
//        SCREENSHOTS  a folder for pictures: of the page that failed, or with PICTURES=every of every page (optional)
//        DOWNLOADS    a folder for the downloaded credential files
//
// Prints `ok STEP` lines and at last one line of JSON: the secrets that the browser saw, for a search of what must not hold them.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Walk, copied, heading, tabTo } from './browser.mjs';

const [gateway, idp, aws] = process.argv.slice(2);
const expected = JSON.parse(process.env.EXPECT);
const downloads = process.env.DOWNLOADS;
const walk = new Walk(gateway, [idp, aws]);

const SIGN_IN = /^Sign in to reach AWS/;
const PORTAL = /^Your AWS roles/;
const PROVIDER = /Example IdP/;

/** The row of a role in the list of all roles. */
const arn = (role = expected.role) => `arn:aws:iam::${expected.account}:role/${role}`;
const row = (page, role) => page.locator('#roles .roles > li').filter({ has: page.locator(`[name="role"][value="${arn(role)}"]`) });

async function signInAtProvider(page, person) {
  await heading(page, 'Example identity provider');
  await page.getByLabel('User name').fill(person);
  await page.getByLabel('Password').fill('any password will do');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await heading(page, 'Allow access');
  await page.getByRole('button', { name: 'Allow' }).click();
}

async function signIn(page, person) {
  await page.goto(`${gateway}/`);
  await heading(page, SIGN_IN);
  await page.getByRole('link', { name: PROVIDER }).click();
  await signInAtProvider(page, person);
}

async function inTheConsole(page, role = expected.role) {
  await page.waitForURL((url) => url.origin === aws);
  await heading(page, role);
  await page.getByText(/sandbox/i).first().waitFor();
  const text = await page.locator('body').innerText();
  assert.match(text, new RegExp(`assumed-role/${role}/`), 'the console shows who came in');
  assert.ok(text.includes(expected.account), 'the console shows the account');
}

async function signOutHere(page) {
  await page.locator('summary').filter({ hasText: 'Account menu' }).click();
  await page.getByRole('button', { name: 'Sign out here' }).click();
  await heading(page, /^You are signed out/);
}

async function rememberCookies(page) {
  // One is no secret: it names where the store keeps what the person chose, by the very name that it has there.
  const cookies = (await page.context().cookies(gateway)).filter((cookie) => cookie.value.length >= 32 && cookie.name !== 'rolegate-choices');
  assert.ok(cookies.some((cookie) => cookie.httpOnly), 'the session is in a cookie that scripts cannot read');
  for (const cookie of cookies) if (cookie.httpOnly) walk.secrets.add(cookie.value);
  return cookies;
}

async function signInAndPortal() {
  const page = await walk.newPage();
  await walk.step('the picker offers the provider', async () => {
    await page.goto(`${gateway}/`);
    await heading(page, SIGN_IN);
    await walk.look(page, 'sign-in');
  });
  await walk.step('sign-in at the provider leads to the portal with the roles that the rules give', async () => {
    await page.getByRole('link', { name: PROVIDER }).click();
    await page.waitForURL((url) => url.origin !== gateway);
    // The pending login is with the browser now, and gone when the answer has come.
    const pending = (cookie) => cookie.name.startsWith('rolegate-login-') && cookie.httpOnly;
    assert.ok((await rememberCookies(page)).some(pending), 'the browser keeps the pending login');
    await signInAtProvider(page, 'ana');
    await heading(page, PORTAL);
    assert.ok(!(await page.context().cookies(gateway)).some(pending), 'the answer takes the pending login away');
    for (const role of [expected.role, ...expected.alsoShown]) await page.getByText(role, { exact: true }).first().waitFor();
    for (const role of expected.neverShown) assert.equal(await page.getByText(role, { exact: true }).count(), 0, `${role} is not ana's`);
    assert.ok(!page.url().includes('code='), 'the address bar holds no code');
    await rememberCookies(page);
    await walk.look(page, 'portal');
  });
  return page;
}

async function console_(page) {
  await walk.step('the console opens, and back leads to the portal', async () => {
    await row(page).getByRole('button', { name: 'Console' }).click();
    await inTheConsole(page);
    await walk.look(page, 'sandbox-console');
    await page.goto(`${gateway}/`);
    await heading(page, PORTAL);
  });
}

async function eachFormat(page) {
  const sections = page.locator('section.format').filter({ has: page.locator('pre') });
  const count = await sections.count();
  assert.ok(count >= 6, `bash, fish, PowerShell, cmd, profile and credential_process: ${count} formats are there`);
  const texts = [];
  for (let i = 0; i < count; i += 1) {
    const section = sections.nth(i);
    const name = (await section.getByRole('heading').innerText()).trim();
    if (!(await section.locator('details').evaluate((node) => node.open))) await section.locator('summary').click();
    const shown = await section.locator('pre').innerText();
    await section.getByRole('button', { name: 'Copy' }).click();
    await page.getByRole('status').filter({ hasText: /copied/ }).waitFor();
    await copied(page, shown, name);
    const [download] = await Promise.all([page.waitForEvent('download'), section.getByRole('button', { name: 'Download' }).click()]);
    const file = `${downloads}/${download.suggestedFilename()}`;
    await download.saveAs(file);
    assert.equal((await readFile(file, 'utf8')).trim(), shown.trim(), `${name}: what is downloaded is what is shown`);
    texts.push(shown);
  }
  return texts;
}

function secretsIn(texts) {
  const json = JSON.parse(texts.find((text) => text.trim().startsWith('{')));
  assert.equal(json.Version, 1, 'the credential_process form');
  for (const text of texts) {
    for (const value of [json.AccessKeyId, json.SecretAccessKey, json.SessionToken]) assert.ok(text.includes(value), `a format lacks a value:\n${text}`);
  }
  return [json.SecretAccessKey, json.SessionToken];
}

async function credentials(page) {
  let secrets;
  await walk.step('the credentials page shows, copies and downloads', async () => {
    await row(page).getByRole('button', { name: 'Credentials' }).click();
    await heading(page, `Credentials for ${expected.role}`);
    secrets = secretsIn(await eachFormat(page));
    secrets.forEach((secret) => walk.secrets.add(secret));
    assert.ok(secrets.every((secret) => !page.url().includes(secret)), 'no secret is in the address');
    await walk.look(page, 'credentials');
  });
  await walk.step('the back button brings no credentials back', async () => {
    const gone = async (how) => {
      const text = await page.content();
      assert.ok(secrets.every((secret) => !text.includes(secret)), `the credentials are there again after ${how}`);
    };
    await page.getByRole('link', { name: 'Back to your roles' }).click();
    await heading(page, PORTAL);
    await page.goBack();
    await heading(page, 'These credentials were shown once');
    await gone('back');
    await walk.look(page, 'credentials-gone');
    await page.reload();
    await gone('a reload');
    await page.goto(`${gateway}/`);
  });
}

async function signOut(page) {
  await walk.step('signing out ends the session, for a copy of its cookie too', async () => {
    const cookies = await rememberCookies(page);
    await signOutHere(page);
    await walk.look(page, 'signed-out');
    const thief = await walk.newPage();
    await thief.context().addCookies(cookies);
    await thief.goto(`${gateway}/`);
    await heading(thief, SIGN_IN);
    await thief.context().close();
    await page.context().close();
  });
}

async function signOutAtProvider() {
  await walk.step('signing out at the provider too goes there and comes back', async () => {
    const page = await walk.newPage();
    await signIn(page, 'ana');
    await heading(page, PORTAL);
    await page.locator('summary').filter({ hasText: 'Account menu' }).click();
    await page.getByRole('button', { name: /^Sign out of .* too$/ }).click();
    await heading(page, 'Sign out');
    await page.getByRole('button', { name: 'Yes, sign me out' }).click();
    await heading(page, /^You are signed out/);
    assert.equal(new URL(page.url()).origin, gateway);
    await page.goto(`${gateway}/login/main`);
    await heading(page, 'Example identity provider');
    await page.context().close();
  });
}

async function byEmail() {
  await walk.step('an e-mail address finds its provider, which is told the address', async () => {
    const page = await walk.newPage();
    await page.goto(`${gateway}/`);
    await page.getByLabel('Work e-mail').fill('ana@nowhere.example');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText(/No identity provider serves this domain/).waitFor();
    await walk.look(page, 'unknown-domain');
    await page.getByLabel('Work e-mail').fill('ana@example.org');
    await page.getByRole('button', { name: 'Continue' }).click();
    await heading(page, 'Example identity provider');
    assert.equal(await page.getByLabel('User name').inputValue(), 'ana@example.org');
    await page.goto(`${gateway}/`);
    await page.getByRole('link', { name: /Example IdP.*last used/i }).waitFor();
    await page.context().close();
  });
}

async function deepLink() {
  await walk.step('a deep link survives sign-in', async () => {
    const page = await walk.newPage();
    await page.goto(`${gateway}/go?account=example-prod&role=${expected.role}`);
    await heading(page, SIGN_IN);
    await page.getByRole('link', { name: PROVIDER }).click();
    await signInAtProvider(page, 'ana');
    await heading(page, new RegExp(`Enter ${expected.accountName} as ${expected.role}`));
    await walk.look(page, 'go');
    await page.getByRole('button', { name: 'Open the console' }).click();
    await inTheConsole(page);
    await page.context().close();
  });
}

async function keyboardOnly() {
  await walk.step('the keyboard alone leads in, into the console, and out', async () => {
    const page = await walk.newPage();
    await page.goto(`${gateway}/`);
    await heading(page, SIGN_IN);
    await tabTo(page, 'Skip to content');
    await tabTo(page, 'Example IdP');
    await page.keyboard.press('Enter');
    await heading(page, 'Example identity provider');
    await page.keyboard.type('ana');
    await page.keyboard.press('Tab');
    await page.keyboard.type('any password will do');
    await page.keyboard.press('Enter');
    await heading(page, 'Allow access');
    await page.keyboard.press('Enter');
    await heading(page, PORTAL);
    await tabTo(page, 'Console', `#roles li:has([value="${arn()}"])`);
    await page.keyboard.press('Enter');
    await inTheConsole(page);
    await page.goto(`${gateway}/`);
    await heading(page, PORTAL);
    await tabTo(page, 'Account menu');
    await page.keyboard.press('Enter');
    await tabTo(page, 'Sign out here');
    await page.keyboard.press('Enter');
    await heading(page, /^You are signed out/);
    await page.context().close();
  });
}

async function withoutJavaScript() {
  await walk.step('everything works without JavaScript', async () => {
    const page = await walk.newPage({ javaScriptEnabled: false });
    await signIn(page, 'ana');
    await heading(page, PORTAL);
    await row(page).getByRole('button', { name: 'Credentials' }).click();
    await heading(page, `Credentials for ${expected.role}`);
    const section = page.locator('section.format').first();
    const [download] = await Promise.all([page.waitForEvent('download'), section.getByRole('button', { name: 'Download' }).click()]);
    await download.saveAs(`${downloads}/without-javascript`);
    assert.match(await readFile(`${downloads}/without-javascript`, 'utf8'), /ASIA/, 'the download holds credentials');
    await page.goto(`${gateway}/`);
    await row(page).getByRole('button', { name: 'Console' }).click();
    await inTheConsole(page);
    await page.context().close();
  });
}

async function findingARole() {
  const page = await walk.newPage();
  const focus = () => page.evaluate(() => document.activeElement.closest('.roles > li')?.querySelector('[name=role]').value ?? document.activeElement.id);
  const shown = () => page.locator('#roles .roles > li:visible').count();
  await walk.step('a filter finds roles by all that is known of them, and the keyboard goes on from there', async () => {
    await signIn(page, 'ana');
    await heading(page, PORTAL);
    await rememberCookies(page);
    const whole = await shown();
    assert.ok(whole >= 2, 'there is something to choose from');
    await page.keyboard.press('/');
    for (const words of [expected.account, 'prod platformadmin', 'PRODUCTION', 'example-prod platform']) {
      await page.keyboard.type(words);
      assert.ok(await row(page).isVisible(), `${words} finds it`);
      await page.getByText(/^\d+ of \d+ roles? in/).waitFor();
      await page.keyboard.press('Escape');
      assert.equal(await shown(), whole, 'Escape shows all again');
    }
    await page.keyboard.type('nothing like this');
    await page.getByText('No account or role matches.').waitFor();
    await page.getByRole('link', { name: 'Clear the filter' }).click();
    assert.equal(await shown(), whole);
    await page.keyboard.press('ArrowDown');
    const first = await focus();
    await page.keyboard.press('ArrowDown');
    assert.notEqual(await focus(), first, 'the arrow goes on');
    await page.keyboard.press('ArrowUp');
    assert.equal(await focus(), first);
    await page.keyboard.press('l');
    await page.getByRole('status').filter({ hasText: 'Link copied' }).waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /\/go\?account=\d{12}&role=/);
    await page.keyboard.press('ArrowUp');
    assert.equal(await focus(), 'filter');
    await page.keyboard.type(expected.role);
    await page.keyboard.press('ArrowDown');
    assert.equal(await focus(), arn());
    await page.keyboard.press('c');
    await heading(page, `Credentials for ${expected.role}`);
    await page.goto(`${gateway}/`);
    await page.keyboard.press('/');
    await page.keyboard.type(`${expected.account} ${expected.role}`);
    await page.keyboard.press('Enter');
    await inTheConsole(page);
  });
  await walk.step('favourites, what was taken last, the length and the region are found again, by another browser too', async () => {
    await page.goto(`${gateway}/`);
    await page.getByRole('region', { name: 'Recent' }).getByRole('link', { name: expected.role }).waitFor();
    const other = expected.alsoShown[0];
    const starred = page.locator('#roles .roles > li').filter({ hasText: other }).first();
    await starred.getByRole('button', { name: 'Favourite' }).click();
    await page.getByRole('status').filter({ hasText: 'Now a favourite' }).waitFor();
    await page.getByLabel('Session up to').selectOption({ index: 0 });
    await page.getByLabel('Region').selectOption('eu-west-1');
    await page.getByLabel('Console opens').selectOption('ec2');
    await row(page).getByRole('button', { name: 'Console' }).click();
    await page.waitForURL((url) => url.origin === aws && url.pathname.endsWith('/ec2/home') && url.searchParams.get('region') === 'eu-west-1');
    const elsewhere = await walk.newPage({ javaScriptEnabled: false });
    await signIn(elsewhere, 'ana');
    await heading(elsewhere, PORTAL);
    await elsewhere.getByRole('region', { name: 'Favourites' }).getByRole('link', { name: other }).waitFor();
    assert.equal(await elsewhere.getByLabel('Session up to').inputValue(), '900');
    assert.equal(await elsewhere.getByLabel('Region').inputValue(), 'eu-west-1');
    await page.goto(`${gateway}/`);
    await page.getByRole('region', { name: 'Favourites' }).waitFor();
    // axe needs scripts.
    await walk.look(page, 'portal-picks');
    await elsewhere.getByRole('region', { name: 'Favourites' }).getByRole('link', { name: other }).click();
    await elsewhere.getByRole('button', { name: 'Remove from your favourites' }).click();
    await elsewhere.getByRole('button', { name: 'Add to your favourites' }).waitFor();
    await elsewhere.goto(`${gateway}/?q=${expected.account}+${expected.role}`);
    assert.equal(await elsewhere.locator('#roles .roles > li').count(), 1, 'the gateway narrows the list as well');
    await elsewhere.goto(`${gateway}/`);
    await elsewhere.getByRole('button', { name: 'Role', exact: true }).click();
    await elsewhere.getByRole('heading', { level: 2, name: expected.role }).waitFor();
    await elsewhere.context().close();
    await page.goto(`${gateway}/`);
    await walk.look(page, 'portal-by-role');
    assert.equal(await page.getByRole('region', { name: 'Favourites' }).count(), 0);
    await page.getByRole('heading', { level: 2, name: expected.role }).waitFor();
    await page.getByRole('button', { name: 'Account', exact: true }).click();
    await page.getByRole('heading', { level: 2, name: expected.accountName }).waitFor();
  });
  await walk.step('several roles are had at once, with scripts and without', async () => {
    await page.getByRole('link', { name: 'Several at once' }).click();
    await heading(page, 'Several roles at once');
    await walk.look(page, 'several');
    await page.getByRole('button', { name: 'Take what is ticked' }).click();
    await page.getByRole('alert').filter({ hasText: 'Tick the roles first' }).waitFor();
    for (const box of await page.getByRole('checkbox').all()) await box.check();
    const ticked = await page.getByRole('checkbox').count();
    await page.getByText(`${ticked} ticked`).waitFor();
    await page.getByRole('button', { name: 'Take what is ticked' }).click();
    await heading(page, `Credentials for ${ticked} roles`);
    const profiles = await page.locator('#f-all').innerText();
    assert.equal(profiles.match(/^\[.+\]$/gm).length, ticked);
    for (const [, secret] of profiles.matchAll(/(?:secret_access_key|session_token) = (\S+)/g)) walk.secrets.add(secret);
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download' }).click()]);
    await download.saveAs(`${downloads}/several`);
    assert.equal((await readFile(`${downloads}/several`, 'utf8')).trim(), profiles.trim());
    await walk.look(page, 'several-taken');
    await page.reload();
    await heading(page, 'These credentials were shown once');
    await page.context().close();
    const plain = await walk.newPage({ javaScriptEnabled: false });
    await signIn(plain, 'ana');
    await plain.goto(`${gateway}/several`);
    await plain.getByRole('checkbox', { name: expected.role }).first().check();
    await plain.getByRole('button', { name: 'Take what is ticked' }).click();
    await heading(plain, 'Credentials for 1 role');
    const [again] = await Promise.all([plain.waitForEvent('download'), plain.getByRole('button', { name: 'Download' }).click()]);
    await again.saveAs(`${downloads}/several-plain`);
    assert.match(await readFile(`${downloads}/several-plain`, 'utf8'), /^\[.+\]\n(#.*\n)?aws_access_key_id/m);
    await plain.context().close();
  });
}

async function askingWhy() {
  await walk.step('who asks why a role is missing is told, without JavaScript too', async () => {
    const page = await walk.newPage({ javaScriptEnabled: false });
    await signIn(page, 'ana');
    await heading(page, PORTAL);
    await page.getByRole('link', { name: 'A role is missing?' }).click();
    await heading(page, /^Why don’t I see a role/);
    await page.getByLabel('Role', { exact: true }).fill(`${expected.accountName}/${expected.neverShown[0]}`);
    await page.getByRole('button', { name: 'Tell me' }).click();
    await heading(page, 'You do not have this role');
    await page.getByText(/None of your groups gives you this role/).first().waitFor();
    await page.context().close();
  });
  await walk.step('who asks about a role that they have is told by what they have it, and copies the report', async () => {
    const page = await walk.newPage();
    await signIn(page, 'ana');
    await page.goto(`${gateway}/explain`);
    await heading(page, /^Why don’t I see a role/);
    await walk.look(page, 'explain');
    await page.getByLabel('Role', { exact: true }).fill('nonsense');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
    await walk.look(page, 'explain-unreadable');
    await page.goto(`${gateway}/explain?role=${expected.accountName}/${expected.neverShown[0]}`);
    await heading(page, 'You do not have this role');
    await page.getByText('Report for whoever helps you').click();
    await walk.look(page, 'explain-refused');
    await page.getByRole('button', { name: 'Copy the report' }).click();
    await page.getByRole('status').filter({ hasText: /copied/ }).waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^Report: [A-Z2-7]{10}\n[^]*Answer: not granted/);
    await page.goto(`${gateway}/explain?role=${expected.accountName}/${expected.role}`);
    await heading(page, 'You have this role');
    await walk.look(page, 'explain-granted');
    await page.getByRole('link', { name: 'Go to the role' }).click();
    await heading(page, new RegExp(`Enter ${expected.accountName} as ${expected.role}`));
    await page.context().close();
  });
}

async function others() {
  await walk.step('somebody without a role is told why', async () => {
    const page = await walk.newPage();
    await signIn(page, 'nora');
    await heading(page, 'You are signed in, but have no roles yet');
    await page.getByText('Report for whoever helps you').click();
    await walk.look(page, 'no-roles');
    await page.getByRole('button', { name: 'Copy the report' }).click();
    await page.getByRole('status').filter({ hasText: /copied/ }).waitFor();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^Report: [A-Z2-7]{10}\n[^]*Answer: no roles at all/);
    await page.context().close();
  });
  await walk.step('who cancels at the provider comes back to a page that says so', async () => {
    const page = await walk.newPage();
    await page.goto(`${gateway}/`);
    await page.getByRole('link', { name: PROVIDER }).click();
    await heading(page, 'Example identity provider');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.waitForURL((url) => url.origin === gateway);
    await walk.look(page, 'cancelled');
    await page.context().close();
  });
  await walk.step('a page that is not there says so', async () => {
    const page = await walk.newPage();
    const answer = await page.goto(`${gateway}/no-such-page`);
    assert.equal(answer.status(), 404);
    await walk.look(page, 'not-found');
    await page.context().close();
  });
}

const PARTS = {
  async way() {
    const page = await signInAndPortal();
    await console_(page);
    await credentials(page);
    await signOut(page);
    await signOutAtProvider();
    await byEmail();
    await deepLink();
    await keyboardOnly();
    await withoutJavaScript();
    await others();
  },
  async roles() {
    await findingARole();
    await askingWhy();
  },
};

await walk.go(PARTS[process.env.PART]);
