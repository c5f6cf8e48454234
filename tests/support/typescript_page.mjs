// Opens a page in a real browser and tells, as JSON, what it shows once it shows something.
//
// Read from standard input: {"chromium": path, "url": "http://…"}
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../gateway/explorer/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const task = JSON.parse(readFileSync(0, "utf8"));

const browser = await chromium.launch({
  executablePath: task.chromium,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
const page = await browser.newPage();
const errors = [];
page.on("console", (message) => {
  if (["error", "warning"].includes(message.type())) errors.push(message.text());
});
page.on("pageerror", (error) => errors.push(String(error)));
await page.goto(task.url);
const output = page.locator("output");
await output.filter({ hasText: /\d/ }).waitFor({ timeout: 20_000 }).catch((error) => errors.push(String(error)));
const connection = await page.locator("body").getAttribute("data-connection");
process.stdout.write(JSON.stringify({ output: await output.innerText(), connection, errors }));
await browser.close();
