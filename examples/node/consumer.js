// Another service beside Tellonce: it follows the ledger, and sends commands.
//
//     node consumer.js follow JOURNAL       one line per event, on standard output and in a file
//     node consumer.js send NAME JSON       one command; the reply on standard output
//
// All it knows of Tellonce are docs/reference/asyncapi.json and the schemas that it names: where things go stands there, and
// everything that comes and goes is held against them.

import { randomUUID } from "node:crypto";
import { existsSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connect, nkeyAuthenticator, nkeys } from "@nats-io/transport-node";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";

const CONTRACT = process.env.TELLONCE_CONTRACT ?? "docs/reference";
const TENANT = process.env.TELLONCE_TENANT ?? "demo";
const NAME = process.env.TELLONCE_NAME ?? "shop";
const WANTED = { follow: 1, send: 2 }; // how many arguments each verb takes
const REPLY_MS = 5_000; // longest wait for one try
const WITHIN_MS = 30_000; // and for all tries of a command
const PAUSE_MS = 200;
const LOOK_MS = 2_000;
const INBOX_CHARACTERS = 16; // so much of a public key tells whose inbox it is
const OF_THE_BUS = new Set(["RequestError", "TimeoutError", "NoRespondersError", "ConnectionError"]);

/** The published documents. */
class Contract {
  #document = JSON.parse(readFileSync(join(CONTRACT, "asyncapi.json"), "utf8"));
  #schemas = addFormats(new Ajv());

  /** Whether a message is known; one of a newer version is not. Throws when it does not follow its schema. */
  check(name, content) {
    const message = this.#document.components.messages[name];
    if (message === undefined) return false;
    if (this.#schemas.getSchema(name) === undefined) {
      const path = join(CONTRACT, message.payload.$ref);
      this.#schemas.addSchema(JSON.parse(readFileSync(path, "utf8")), name);
    }
    if (this.#schemas.validate(name, content)) return true;
    throw new Error(`${name}: ${this.#schemas.errorsText()}`);
  }

  /** The subject of a channel: every parameter that is not given is a wildcard. */
  address(channel, given) {
    const { address } = this.#document.channels[channel];
    return address.replace(/\{(\w+)\}/g, (_, name) => given[name] ?? "*");
  }
}

/**
 * What this service makes of the ledger: a line per event, in a file. The last whole line is also the checkpoint. Both are
 * one write, so that no event is missed or written twice, whatever dies between two.
 */
class Journal {
  constructor(path) {
    const content = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    const whole = content.subarray(0, content.lastIndexOf("\n") + 1);
    if (whole.length < content.length) truncateSync(path, whole.length);
    this.sequence = Number.parseInt(whole.toString().trimEnd().split("\n").at(-1) || "0", 10);
    this.file = openSync(path, "a");
  }

  write(sequence, event, known) {
    const line = `${sequence} ${event.type} ${event.subject} ${event.id}${known ? "" : " unknown"}\n`;
    writeSync(this.file, line);
    this.sequence = sequence;
    process.stdout.write(line);
  }
}

/**
 * Every entry of the tenant's ledger after a sequence, in order and without a gap, for ever. What the server repeats only says
 * when to ask: what is lost of it delays an entry by LOOK_MS.
 */
async function* entries(bus, contract, after) {
  let told = after;
  let wake = () => {};
  bus.subscribe(contract.address("live", { tenant: TENANT }), {
    callback: (_, message) => {
      told = Math.max(told, Number(message.headers?.get("Nats-Sequence") ?? 0));
      wake();
    },
  });
  for (;;) {
    const question = { after, min_seq: Math.max(after, told) };
    const page = await request(bus, contract, "query.entries", "answer.entries", question, Infinity);
    if (page.error) throw new Error(`${page.error.code}: ${page.error.message}`);
    for (const entry of page.entries) {
      yield entry;
      after = entry.sequence;
    }
    if (page.next !== null) continue;
    after = Math.max(after, page.position); // up to here there is nothing more of this tenant
    if (told <= after) {
      await Promise.race([new Promise((done) => (wake = done)), pause(LOOK_MS)]);
    }
  }
}

async function follow(bus, contract, journal) {
  for await (const { sequence, event } of entries(bus, contract, journal.sequence)) {
    if (event !== null) journal.write(sequence, event, contract.check(event.type, event));
  }
}

/** Send a command: it has one effect, however often the same `command_id`, `issued_at` and `actor` are sent. */
async function send(bus, contract, name, given) {
  const own = { command_id: randomUUID(), issued_at: new Date().toISOString(), actor: `integration:${NAME}` };
  return request(bus, contract, `cmd.${name}`, "done", { ...own, ...given }, Date.now() + WITHIN_MS);
}

/** Ask until there is an answer, with the same bytes: the reply, which may be a refusal. */
async function request(bus, contract, name, answer, content, deadline) {
  contract.check(name, content);
  const subject = contract.address(name, { tenant: TENANT, integration: NAME });
  const body = JSON.stringify(content);
  for (;;) {
    let failure;
    try {
      const reply = (await bus.request(subject, body, { timeout: REPLY_MS })).json();
      contract.check(reply.error ? "refused" : answer, reply);
      if (!reply.error?.retryable) return reply;
      failure = new Error(reply.error.code);
    } catch (error) {
      if (bus.isClosed() || !OF_THE_BUS.has(error.name)) throw error;
      failure = error;
    }
    if (Date.now() > deadline) throw failure;
    await pause(PAUSE_MS);
  }
}

const [what, ...rest] = process.argv.slice(2);
if (WANTED[what] !== rest.length) {
  console.error("node consumer.js follow JOURNAL\nnode consumer.js send NAME JSON");
  process.exit(1);
}
const seedFile = process.env.TELLONCE_NATS_SEED_FILE;
const seed = seedFile && new TextEncoder().encode(readFileSync(seedFile, "utf8").trim());
const inbox = seed ? nkeys.fromSeed(seed).getPublicKey().slice(0, INBOX_CHARACTERS) : NAME;
const bus = await connect({
  servers: process.env.TELLONCE_NATS_URL ?? "nats://127.0.0.1:4222",
  name: NAME,
  inboxPrefix: `_INBOX.${inbox}`,
  maxReconnectAttempts: -1,
  ...(seed && { authenticator: nkeyAuthenticator(seed) }),
});
const contract = new Contract();
if (what === "follow") {
  await follow(bus, contract, new Journal(rest[0]));
} else if (what === "send") {
  const reply = await send(bus, contract, rest[0], JSON.parse(rest[1]));
  console.log(JSON.stringify(reply));
  process.exitCode = reply.error ? 1 : 0;
}
await bus.close();
