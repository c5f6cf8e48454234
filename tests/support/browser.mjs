// Opens pages in a real browser and tells what went wrong: one JSON line per page, then the end.
//
// Read from standard input: {"chromium": path, "origin": "http://…", "pages": ["/docs", …],
// "views": [{"name", "width", "height", "scheme", "script"}], "shots": folder or null}
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(new URL("../../gateway/explorer/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const task = JSON.parse(readFileSync(0, "utf8"));

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
for (const view of task.views) {
  const context = await browser.newContext({
    viewport: { width: view.width, height: view.height },
    colorScheme: view.scheme,
    javaScriptEnabled: view.script ?? true,
    reducedMotion: "reduce",
  });
  for (const path of task.pages) {
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
    const response = await page.goto(task.origin + path, { waitUntil: "networkidle" });
    // What the explorer shows comes after its document.
    if (path === "/docs/explorer" && view.script !== false) {
      await page.waitForSelector("#explorer h1, #explorer h2", { timeout: 20_000 });
      await page.waitForTimeout(500);
    }
    const found = await page.evaluate(() => ({
      title: document.title,
      headings: document.querySelectorAll("h1").length,
      text: document.body.innerText.length,
      // Nothing but blocks that scroll by themselves may be wider than the window.
      overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      unnamed: [...document.querySelectorAll("button, a[href], input")].filter(
        (one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length),
      ).length,
    }));
    if (task.shots) {
      const name = path.replace("/docs", "").replaceAll("/", "_") || "_overview";
      await page.screenshot({ path: `${task.shots}/${view.name}${name}.png`, fullPage: Boolean(task.full) });
    }
    console.log(JSON.stringify({ view: view.name, path, status: response.status(), errors, outside, ...found }));
    await page.close();
  }
  await context.close();
}
await browser.close();
