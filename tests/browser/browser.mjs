// What the walks through the pages share: a browser that notes what must not happen, looks at pages, and keyboard steps.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const executablePath = process.env.ROLEGATE_TEST_CHROMIUM ?? '/usr/bin/chromium';
const screenshots = process.env.SCREENSHOTS;
const pictures = screenshots && process.env.PICTURES === 'every';
const EVERY_LOOK = [['light', 1440], ['light', 768], ['light', 360], ['dark', 1440], ['dark', 768], ['dark', 360]];
// A walk over the same pages with another store looks once at each.
const LOOKS = process.env.LOOKS === 'one' ? [['light', 1440]] : EVERY_LOOK;

export class Walk {
  /** Secrets that crossed the browser: they may stand in no log, no store and no audit file. */
  secrets = new Set();
  /** What must not have happened, such as a request to an origin that nobody named. */
  complaints = [];
  steps = 0;
  #browser;
  #page;

  constructor(gateway, origins) {
    this.gateway = gateway;
    this.origins = new Set([gateway, ...origins]);
  }

  async start() {
    if (screenshots) await mkdir(screenshots, { recursive: true });
    // No sandbox: the tests often run as root, where Chromium's own refuses to. It opens pages of this machine only.
    this.#browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] });
  }

  async stop() {
    await this.#browser?.close();
  }

  /** All of a walk. Its last line is JSON: how many steps it had, and the secrets that crossed, for a search of what must not hold them. */
  async go(work) {
    await this.start();
    try {
      await work();
      assert.deepEqual(this.complaints, [], 'what must not have happened');
      console.log(JSON.stringify({ steps: this.steps, secrets: [...this.secrets] }));
    } catch (error) {
      console.error(error);
      process.exitCode = 1;
    } finally {
      await this.stop();
    }
  }

  /** A browser as a person opens it anew: no cookies. */
  async newPage(options = {}) {
    const context = await this.#browser.newContext({ viewport: { width: 1440, height: 900 }, acceptDownloads: true, ...options });
    context.setDefaultTimeout(20_000);
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: this.gateway });
    const page = await context.newPage();
    this.#page = page;
    page.on('request', (request) => this.#note(request));
    page.on('pageerror', (error) => this.complaints.push(`a script failed on ${page.url()}: ${error.message}`));
    page.on('console', (message) => {
      // Chromium reports each answer of 400 and above; steps that want such an answer say so themselves.
      const expected = message.text().startsWith('Failed to load resource');
      if (message.type() === 'error' && message.location().url.startsWith(this.gateway) && !expected) {
        this.complaints.push(`the browser complains on ${page.url()}: ${message.text()}`);
      }
    });
    return page;
  }

  #note(request) {
    const url = new URL(request.url());
    if (url.protocol.startsWith('http') && !this.origins.has(url.origin)) this.complaints.push(`a request left for ${request.url()}`);
    for (const name of ['code', 'SigninToken']) {
      const value = url.searchParams.get(name);
      if (value) this.secrets.add(value);
    }
  }

  async step(name, work) {
    try {
      await work();
      this.steps += 1;
      console.log(`ok ${name}`);
    } catch (error) {
      if (screenshots) await this.#page?.screenshot({ path: `${screenshots}/FAILED.png`, fullPage: true }).catch(() => {});
      const seen = await this.#page?.locator('body').innerText({ timeout: 1000 }).catch(() => '');
      console.error(`FAILED ${name}\nat ${this.#page?.url()}\n--- the page ---\n${seen?.slice(0, 1500)}\n--- the error ---`);
      throw error;
    }
  }

  /** Both colour schemes at three widths: nothing sticks out sideways, axe finds nothing, and a picture if people want to look at it. */
  async look(page, name, { axe = true } = {}) {
    for (const [colorScheme, width] of LOOKS) await this.#see(page, name, { colorScheme, width, axe });
    await this.#asBefore(page);
  }

  /** Both colour schemes, each at one width, and room for everything in the narrowest window and at twice the size (WCAG 2.2, 1.4.10 and 1.4.4). */
  async glance(page, name) {
    for (const [colorScheme, width] of [['light', 360], ['dark', 1440]]) await this.#see(page, name, { colorScheme, width, axe: true });
    for (const width of [320, 720]) await this.#fits(page, name, width);
    await this.#asBefore(page);
  }

  async #see(page, name, { colorScheme, width, axe }) {
    await page.emulateMedia({ colorScheme });
    await this.#fits(page, name, width);
    if (axe) {
      // Without a page of its own for the last step of each run, which is for frames of other origins: there are none.
      const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
      const found = violations.map((v) => `${v.id}: ${v.help} (${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join('; ')})`);
      assert.deepEqual(found, [], `axe on ${name}, ${colorScheme}, ${width} px`);
    }
    if (pictures) await page.screenshot({ path: `${screenshots}/${name}-${width}-${colorScheme}.png`, fullPage: true });
  }

  async #fits(page, name, width) {
    await page.setViewportSize({ width, height: width === 1440 || width === 768 ? 900 : 780 });
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(beyond <= 0, `${name} is ${beyond} px wider than a window of ${width} px`);
  }

  async #asBefore(page) {
    await page.emulateMedia({ colorScheme: null });
    await page.setViewportSize({ width: 1440, height: 900 });
  }
}

/** Presses Tab until what has the focus is called `name`; every stop on the way must be seen to have the focus. */
export async function tabTo(page, name, within = 'body') {
  for (let i = 0; i < 80; i += 1) {
    await page.keyboard.press('Tab');
    const focus = await page.evaluate((selector) => {
      const node = document.activeElement;
      if (!node || node === document.body) return null;
      const style = getComputedStyle(node);
      return {
        name: (node.getAttribute('aria-label') ?? node.textContent ?? '').replace(/\s+/g, ' ').trim(),
        inside: Boolean(node.closest(selector)),
        seen: style.outlineStyle !== 'none' || style.boxShadow !== 'none',
      };
    }, within);
    if (!focus) continue;
    assert.ok(focus.seen, `nothing shows that "${focus.name}" has the focus`);
    if (focus.inside && focus.name.includes(name)) return;
  }
  assert.fail(`Tab never reaches "${name}"`);
}

/** The heading that tells which page this is, and all of the page: its scripts listen for keys, and its first field has the focus. */
export async function heading(page, text) {
  await page.getByRole('heading', { level: 1, name: text }).waitFor();
  await page.waitForLoadState();
}

/** Waits until the clipboard holds this. That something was copied may still be told of what was copied before. */
export async function copied(page, text, what) {
  const holds = async (wanted) => (await navigator.clipboard.readText()).trim() === wanted;
  await page.waitForFunction(holds, text.trim()).catch(() => assert.fail(`${what}: what is copied is not what is shown`));
}
