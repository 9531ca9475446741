// Hold an AsyncAPI document against AsyncAPI's own parser: `node validate.js DOCUMENT`. Ends with 1 where it finds a fault.

import { fromFile, Parser } from "@asyncapi/parser";

const FAULT = 1; // a diagnostic of a higher severity is a hint
const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
const faults = diagnostics.filter(({ severity }) => severity <= FAULT);
for (const { message, path } of faults) {
  console.error(`${path.join("/")}: ${message}`);
}
if (document === undefined || faults.length > 0) process.exit(1);
console.log(`ok      asyncapi (${document.allOperations().length} operations, ${document.allMessages().length} messages)`);
