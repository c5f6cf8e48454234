// Opens pages in a real browser and tells what it saw: one JSON line per page and view.
//
// Read from standard input: {"chromium": path, "origin": "http://…", "pages": ["/docs", …],
// "views": [{"name", "width", "height", "scheme"}], "shots": folder or null, "full": whole
// pages, "barriers": paths to look at with axe, "actions": also search, and send a request from the explorer}
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(new URL("../../gateway/explorer/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const task = JSON.parse(readFileSync(0, "utf8"));
const EXPLORER = "/docs/explorer";
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({
  executablePath: task.chromium,
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

/** Opens a page that takes note of everything that a reader should never see. */
async function open(context) {
  const page = await context.newPage();
  const errors = [];
  const outside = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("requestfailed", (request) => errors.push(`${request.url()}: ${request.failure()?.errorText}`));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(task.origin) && !/^(data|blob|about):/.test(url)) outside.push(url);
  });
  return { page, errors, outside };
}

async function show(page, path) {
  const response = await page.goto(task.origin + path, { waitUntil: "load" });
  if (path === EXPLORER) {
    await page.getByText("Places an order").first().waitFor({ timeout: 30_000 });
    await page.waitForLoadState("networkidle");
  }
  return response.status();
}

const looks = () => ({
  title: document.title,
  dark: getComputedStyle(document.body).backgroundColor,
  text: document.body.innerText.length,
  // Nothing but blocks that scroll by themselves may be wider than the window.
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  // Of a reference's row, nothing may have to be scrolled to.
  unseen: [...document.querySelectorAll(".stack > tbody > tr > td")]
    .filter((cell) => cell.getBoundingClientRect().right > innerWidth)
    .map((cell) => cell.parentElement.id || cell.innerText.slice(0, 40)),
  unnamed: [...document.querySelectorAll("button, a[href], input")]
    .filter((one) => one.checkVisibility())
    .filter((one) => !(one.getAttribute("aria-label") || one.title || one.textContent.trim() || one.labels?.length))
    .map((one) => one.outerHTML.slice(0, 120)),
});

/** Looks for what keeps people out, by the rules of WCAG 2.1 AA. */
async function barriers(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }),
  );
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)}`);
}

/** Finds a place with the keyboard alone, and goes there. */
async function search(page) {
  await page.keyboard.press("/");
  await page.keyboard.type("rate limited");
  await page.locator("#found li").first().waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL("**/docs/errors#RATE_LIMITED");
  return { found: new URL(page.url()).pathname + new URL(page.url()).hash };
}

/** Sends a public request from the explorer. */
async function attempt(page) {
  await page.evaluate(() => (location.hash = "#tag/sessionservice/GET/v1/time"));
  await page.getByRole("button", { name: /Test Request.*get .v1.time/i }).click();
  const sent = page.waitForResponse((response) => response.url().endsWith("/v1/time"));
  await page.getByRole("button", { name: /^Send/ }).first().click();
  return { answered: (await sent).status() };
}

const tell = (record) => console.log(JSON.stringify(record));

for (const path of task.pages) {
  const schemes = path === EXPLORER ? [...new Set(task.views.map((view) => view.scheme))] : [undefined];
  for (const scheme of schemes) {
    const context = await browser.newContext({ colorScheme: scheme ?? "light", reducedMotion: "reduce" });
    const { page, errors, outside } = await open(context);
    const status = await show(page, path);
    for (const view of task.views.filter((view) => !scheme || view.scheme === scheme)) {
      await page.emulateMedia({ colorScheme: view.scheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width: view.width, height: view.height });
      const seen = await page.evaluate(looks);
      if (task.shots) {
        const name = path.replace("/docs", "").replaceAll("/", "_") || "_overview";
        await page.screenshot({ path: `${task.shots}/${view.name}${name}.png`, fullPage: Boolean(task.full) });
      }
      // Contrast is tested for all colours at once, so one view of a page will do.
      const first = view === task.views[0] && task.barriers?.includes(path);
      tell({ path, view: view.name, status, errors, outside, barriers: first ? await barriers(page) : [], ...seen });
    }
    await context.close();
  }
}
if (task.actions) {
  for (const [path, name, act] of [
    ["/docs", "search", search],
    [EXPLORER, "attempt", attempt],
  ]) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce" });
    const { page, errors, outside } = await open(context);
    await show(page, path);
    const done = await act(page);
    if (task.shots) await page.screenshot({ path: `${task.shots}/${name}.png` });
    tell({ action: name, errors, outside, ...done });
    await context.close();
  }
}
await browser.close();
