/** The HTML report in a browser: no error, no request, filter, views, expanding, theme and print. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { driftHtml } from '../../src/report/drift/html.ts';
import { example } from '../support/drift-example.ts';
import { repository } from '../support/sandbox.ts';

interface Page {
  on(event: 'console', listener: (message: { type(): string; text(): string }) => void): void;
  on(event: 'pageerror', listener: (error: Error) => void): void;
  on(event: 'request', listener: (request: { url(): string }) => void): void;
  on(event: 'dialog', listener: (dialog: { message(): string; dismiss(): Promise<void> }) => void): void;
  goto(url: string): Promise<unknown>;
  fill(selector: string, text: string): Promise<void>;
  click(selector: string): Promise<void>;
  press(selector: string, key: string): Promise<void>;
  evaluate<T>(script: string): Promise<T>;
  emulateMedia(options: { colorScheme?: 'light' | 'dark'; media?: 'print' | 'screen' }): Promise<void>;
  screenshot(options: { path: string; fullPage: boolean }): Promise<unknown>;
}

interface Browser {
  newPage(options: { viewport: { width: number; height: number } }): Promise<Page>;
  close(): Promise<void>;
}

interface Playwright {
  readonly chromium: { launch(options: { executablePath: string; args: string[] }): Promise<Browser> };
}

function playwright(): Playwright | undefined {
  try {
    return createRequire(join(repository(), 'package.json'))('playwright-core') as Playwright;
  } catch {
    return undefined;
  }
}

const path = ['chromium', 'chromium-browser', 'google-chrome']
  .map((name) => spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim())
  .find((found) => found !== '');
const driver = playwright();
const reason = driver === undefined ? 'playwright-core' : path === undefined ? 'chromium' : undefined;
if (reason !== undefined) {
  console.log(`# SKIP drift-html: ${reason} is not installed`);
}

(reason === undefined ? test : test.skip)('the report in Chromium', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tsbox-html-'));
  const browser = await (driver as Playwright).chromium.launch({
    executablePath: path ?? '',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  try {
    const file = join(dir, 'report.html');
    writeFileSync(file, driftHtml(example().reports, '0.1.0'));
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const said: string[] = [];
    const requests: string[] = [];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    page.on('dialog', (dialog) => {
      said.push(dialog.message());
      void dialog.dismiss();
    });
    page.on('request', (request) => requests.push(request.url()));
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto(`file://${file}`);

    const shown = (selector: string) =>
      page.evaluate<number>(
        `[...document.querySelectorAll(${JSON.stringify(selector)})].filter((e) => e.checkVisibility()).length`,
      );
    assert.is(await shown('.item'), 11);
    assert.is(await shown('.plot svg'), 1, 'the plot of the stack that has a history');

    await page.fill('#filter', 'memory tenants');
    assert.is(await shown('.item'), 1);
    assert.is(await shown('details.resource'), 1);
    await page.fill('#filter', 'nothing like it');
    assert.is(await shown('.item'), 0);
    assert.is(await shown('#nothing'), 1);
    await page.press('#filter', 'Escape');
    assert.is(await shown('.item'), 11);

    await page.click('.chip input[value=security]');
    assert.is(await shown('.item'), 5);
    await page.click('.chip input[value=security]');

    await page.click('#collapse');
    assert.is(await shown('.item'), 0);
    assert.is(await shown('details.resource'), 4);
    await page.click('details.resource summary');
    assert.ok((await shown('.item')) > 0);
    await page.click('#expand');
    assert.is(await shown('.item'), 11);

    await page.click('[data-show=table]');
    assert.is(await shown('.item'), 0);
    assert.is(await shown('.table-view tbody tr'), 11);
    await page.fill('#filter', 'hostname');
    assert.is(await shown('.table-view tbody tr'), 1);
    await page.fill('#filter', '');
    await page.click('[data-show=tree]');

    const ground = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const light = await ground();
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await ground();
    assert.is.not(light, dark, 'follows the system');
    await page.click('#theme');
    assert.is(await ground(), light, 'and the button goes over it');

    assert.is(await page.evaluate('document.documentElement.scrollWidth > innerWidth'), false, 'nothing sticks out');
    await page.emulateMedia({ media: 'print' });
    assert.is(await shown('.bar'), 0);
    assert.is(await page.evaluate('document.images.length'), 0, 'no text of others became an element');

    assert.equal(said, [], 'no console message, error or dialog');
    assert.equal(requests, [`file://${file}`], 'no request but for the file itself');
  } finally {
    await browser.close();
    rmSync(dir, { recursive: true, force: true });
  }
});

test.run();
