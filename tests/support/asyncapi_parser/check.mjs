// Reads the AsyncAPI document in a file and prints what AsyncAPI's own parser says about it, and what
// it has found in it, as JSON.
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const text = await readFile(process.argv[2], "utf8");
const { document, diagnostics } = await new Parser().parse(text);
const found = document?.operations().all() ?? [];
console.log(
  JSON.stringify({
    diagnostics: diagnostics.map(({ code, message, path, severity }) => ({
      code,
      message,
      path: path.join("."),
      severity,
    })),
    operations: found.map((operation) => ({
      id: operation.id(),
      action: operation.action(),
      messages: operation.messages().all().map((message) => message.id()),
      replies: operation.reply()?.messages().all().map((message) => message.id()) ?? [],
    })),
  }),
);
