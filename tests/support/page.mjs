// A page in a real browser, driven by lines of JSON: one command on standard input, one answer on standard output.
//
// First line: {"chromium": path}. Then {"do": verb, ...}; the verbs stand below. An answer is {"value": ...} or
// {"error": text}. Places are Playwright's selectors. Nothing here waits for time: each verb waits for a state.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../../gateway/explorer/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const TIMEOUT_MS = 20_000;

let browser;
let context;
let page;
let problems = [];
let outside = [];

/** Takes note of everything that a user should never see. */
function watch(origin) {
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("request", (request) => {
    const host = new URL(request.url()).host;
    if (!request.url().startsWith("data:") && host !== new URL(origin).host) outside.push(request.url());
  });
}

const verbs = {
  async open({ origin, path, width, height, scheme = "light", motion = "reduce" }) {
    await context?.close();
    [problems, outside] = [[], []];
    context = await browser.newContext({
      baseURL: origin,
      viewport: { width, height },
      colorScheme: scheme,
      reducedMotion: motion,
    });
    context.setDefaultTimeout(TIMEOUT_MS);
    page = await context.newPage();
    await page.addInitScript(() => {
      globalThis.broken = [];
      document.addEventListener("securitypolicyviolation", (event) =>
        globalThis.broken.push(`${event.violatedDirective}: ${event.blockedURI || event.sourceFile}`),
      );
    });
    watch(origin);
    const response = await page.goto(path, { waitUntil: "load" });
    return response.status();
  },
  resize: ({ width, height }) => page.setViewportSize({ width, height }),
  scheme: ({ scheme }) => page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" }),
  click: ({ at }) => page.locator(at).click(),
  fill: ({ at, text }) => page.locator(at).fill(text),
  select: ({ at, value }) => page.locator(at).selectOption(value),
  check: ({ at }) => page.locator(at).check({ force: true }),
  press: ({ key }) => page.keyboard.press(key),
  type: ({ text }) => page.keyboard.type(text),
  wait: ({ at, state = "visible" }) => page.locator(at).first().waitFor({ state }),
  text: ({ at }) => page.locator(at).first().innerText(),
  texts: ({ at }) => page.locator(at).allInnerTexts(),
  value: ({ at }) => page.locator(at).inputValue(),
  count: ({ at }) => page.locator(at).count(),
  evaluate: ({ code }) => page.evaluate(code),
  shot: ({ path }) => page.screenshot({ path }),
  /** What keeps people out, by the rules of WCAG 2.2 AA. */
  async barriers({ within = "html" }) {
    // Not as a script of the page, which its policy forbids.
    if (!(await page.evaluate("typeof axe !== 'undefined'"))) await page.evaluate(axe);
    const found = await page.evaluate(
      ([part, rules]) => globalThis.axe.run(part, { runOnly: rules, resultTypes: ["violations"] }),
      [within, RULES],
    );
    return found.violations.flatMap(({ id, nodes }) =>
      nodes.slice(0, 4).map((node) => `${id}: ${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`),
    );
  },
  /** Messages of the console, errors, breaches of the page's policy, requests to elsewhere. */
  async problems() {
    return { console: problems, policy: await page.evaluate("globalThis.broken"), outside };
  },
};

const lines = createInterface({ input: process.stdin });
for await (const line of lines) {
  const command = JSON.parse(line);
  try {
    if (command.chromium) {
      browser = await chromium.launch({
        executablePath: command.chromium,
        args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"],
      });
      console.log(JSON.stringify({ value: null }));
    } else {
      console.log(JSON.stringify({ value: (await verbs[command.do](command)) ?? null }));
    }
  } catch (error) {
    console.log(JSON.stringify({ error: `${command.do} ${command.at ?? ""}: ${String(error).slice(0, 2000)}` }));
  }
}
await browser?.close();
