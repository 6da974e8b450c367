#!/usr/bin/env node
// Measures the start page in Chromium: from a key in the filter to the paint that shows what it found, and what moves while the page loads.
//
// usage: ROLEGATE_PAGES=target/pages cargo test --locked --lib write_pages -- --ignored && scripts/measure_portal.mjs target/pages
//
// The pages are the samples with 100 and with 5,000 roles (1,000 accounts, five roles each), served from the folder as the gateway serves them.
// Of loading it tells what Lighthouse weighs, by the browser's own performance API: first and largest contentful paint, total blocking time (what tasks
// took beyond 50 ms each, from the first paint to 1.5 s after the load), cumulative layout shift, and how many elements there are.
// A key's time is that from the event's own time stamp to the first task after the frame that it caused; CPU is that of the page's main thread, which
// other work on the machine does not change. Loopback only.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, normalize } from 'node:path';
import { gzipSync } from 'node:zlib';

const { chromium } = createRequire(new URL('../tests/browser/', import.meta.url))('playwright-core');
const folder = process.argv[2] ?? 'target/pages';
const TYPES = { css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml', html: 'text/html; charset=utf-8' };
const QUERIES = ['prod', 'readonly', 'payments prod admin', 'nothing like this', '1000731'];

const server = createServer(async (request, response) => {
  try {
    const path = normalize(new URL(request.url, 'http://x').pathname);
    let body = await readFile(join(folder, path));
    // The samples' session ended long ago, and the page would say so.
    const ends = new Date(Date.now() + 4 * 3_600_000).toISOString().slice(0, 19) + 'Z';
    if (path.endsWith('.html')) body = body.toString().replace(/datetime="[^"]+" data-session/, `datetime="${ends}" data-session`);
    response.writeHead(200, { 'content-type': TYPES[path.split('.').pop()], 'content-encoding': 'gzip' });
    response.end(gzipSync(body, { level: 1 }));
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const base = `http://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({
  executablePath: process.env.ROLEGATE_TEST_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
});

async function open(name, width) {
  const page = await (await browser.newContext({ viewport: { width, height: 900 } })).newPage();
  await page.addInitScript(() => {
    window.shift = 0;
    new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value; })
      .observe({ type: 'layout-shift', buffered: true });
    window.paints = {};
    window.tasks = [];
    const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
    watch('paint', (entry) => { window.paints[entry.name] = entry.startTime; });
    watch('largest-contentful-paint', (entry) => { window.paints.largest = entry.startTime; });
    watch('longtask', (entry) => window.tasks.push([entry.startTime, entry.duration]));
    window.keys = [];
    addEventListener('input', (event) => {
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => window.keys.push(performance.now() - event.timeStamp);
        port2.postMessage(0);
      });
    }, true);
  });
  const begun = Date.now();
  await page.goto(`${base}/${name}.html`, { waitUntil: 'load' });
  const loaded = Date.now() - begun;
  await page.waitForTimeout(1500);
  const seen = await page.evaluate(() => {
    const first = window.paints['first-contentful-paint'];
    const beyond = window.tasks.filter(([start]) => start > first).map(([, duration]) => Math.max(0, duration - 50));
    return { first, largest: window.paints.largest, blocked: beyond.reduce((sum, each) => sum + each, 0), shift: window.shift, elements: document.querySelectorAll('*').length };
  });
  return { page, loaded, seen };
}

for (const [name, width] of [['portal-100', 1440], ['portal-100', 360], ['portal-5000', 1440], ['portal-5000', 360], ['portal-5000-by-role', 1440]]) {
  const { page, loaded, seen } = await open(name, width);
  console.log(`${name}, ${width} px: loaded in ${loaded} ms; first contentful paint ${seen.first.toFixed(0)} ms, largest ${seen.largest.toFixed(0)} ms, blocked for ${seen.blocked.toFixed(0)} ms, layout shift ${seen.shift.toFixed(4)}, ${seen.elements} elements`);
  await page.keyboard.press('/');
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  const cpu = async () => (await cdp.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value;
  const before = await cpu();
  for (const query of QUERIES) {
    await page.keyboard.type(query, { delay: 120 });
    for (let i = 0; i < query.length; i += 1) await page.keyboard.press('Backspace', { delay: 20 });
  }
  await page.waitForTimeout(300);
  const keys = (await page.evaluate(() => window.keys)).sort((a, b) => a - b);
  const at = (share) => keys[Math.min(keys.length - 1, Math.floor(keys.length * share))].toFixed(0);
  const each = ((await cpu()) - before) / keys.length * 1000;
  console.log(`${name}, ${width} px: ${keys.length} keys to paint: median ${at(0.5)} ms, 95 % ${at(0.95)} ms, longest ${at(1)} ms; ${each.toFixed(1)} ms CPU of the page for each, what follows included`);
  await page.context().close();
}
await browser.close();
server.close();
