// Hold the published documents against the tools of their own: AsyncAPI's parser, and a strict reader of JSON Schema that knows
// patterns as ECMA 262 has them. `node validate.js FOLDER`; ends with 1 where one of them finds a fault.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromFile, Parser } from "@asyncapi/parser";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";

const FAULT = 1; // a diagnostic of a higher severity is a hint
const folder = process.argv[2];
const faults = [];

const { diagnostics } = await fromFile(new Parser(), join(folder, "asyncapi.json")).parse();
for (const { message, path, severity } of diagnostics) {
  if (severity <= FAULT) faults.push(`asyncapi.json ${path.join("/")}: ${message}`);
}

const schemas = readdirSync(join(folder, "schemas"), { recursive: true }).filter((name) => name.endsWith(".json"));
for (const name of schemas) {
  const schema = JSON.parse(readFileSync(join(folder, "schemas", name), "utf8"));
  const reader = addFormats(new Ajv({ strict: true }));
  try {
    const follows = reader.compile(schema);
    for (const example of schema.examples ?? []) {
      if (!follows(example)) faults.push(`${name}: ${reader.errorsText(follows.errors)}`);
    }
  } catch (error) {
    faults.push(`${name}: ${error.message}`);
  }
}

for (const fault of faults) console.error(fault);
console.log(`${faults.length === 0 ? "ok     " : "FAILED "} asyncapi.json and ${schemas.length} schemas`);
process.exitCode = faults.length === 0 ? 0 : 1;
