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
import { connect, createInbox, nanos, nkeyAuthenticator } from "@nats-io/transport-node";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";

const CONTRACT = process.env.TELLONCE_CONTRACT ?? "docs/reference";
const TENANT = process.env.TELLONCE_TENANT ?? "demo";
const NAME = process.env.TELLONCE_NAME ?? "example-node";
const INBOX = `_INBOX.${NAME}`;
const STREAM = "LEDGER";
const REPLY_MS = 5_000;
const WITHIN_MS = 30_000;
const PAUSE_MS = 200;
const HEARTBEAT_MS = 2_000; // so often the server says that the consumer is there
const SILENT_MS = 3 * HEARTBEAT_MS;
const CONSUMER_KEPT_MS = 60_000;

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

/** Follow for ever: whatever ends a consumer, another one begins where the journal ends. */
async function follow(bus, contract, journal) {
  for (;;) {
    try {
      for await (const { sequence, event } of entries(bus, contract, journal.sequence)) {
        journal.write(sequence, event, contract.check(event.type, event));
      }
    } catch (error) {
      if (bus.isClosed() || !isOfTheBus(error)) throw error;
      console.error(`another consumer is made: ${error.message}`);
    }
    await pause(PAUSE_MS);
  }
}

/**
 * The entries after a sequence, by a new consumer, until one is missing or the consumer is silent. It delivers to an inbox
 * of its own, so that nothing of another consumer is taken for its.
 */
async function* entries(bus, contract, after) {
  const inbox = createInbox(INBOX);
  const arriving = bus.subscribe(inbox);
  let heard = Date.now();
  const watch = setInterval(() => Date.now() - heard > SILENT_MS && arriving.unsubscribe(), HEARTBEAT_MS);
  try {
    await makeConsumer(bus, contract.address("ledger", { tenant: TENANT }), inbox, after);
    let number = 0;
    for await (const message of arriving) {
      heard = Date.now();
      if (message.headers?.code) {
        // A heartbeat, or the question whether more may come.
        const answer = message.reply || message.headers.get("Nats-Consumer-Stalled");
        if (answer) bus.publish(answer);
        if (Number(message.headers.get("Nats-Last-Consumer") || number) !== number) return;
        continue;
      }
      // $JS.ACK.<stream>.<consumer>.<deliveries>.<sequence in the stream>.<number of the consumer>.<time>.<pending>
      const [sequence, counted] = message.reply.split(".").slice(5, 7).map(Number);
      if (counted !== ++number) return;
      yield { sequence, event: message.json() };
    }
  } finally {
    clearInterval(watch);
    arriving.unsubscribe();
  }
}

async function makeConsumer(bus, subjects, inbox, after) {
  await api(bus, `DELETE.${STREAM}.${NAME}`, {}).catch(() => {}); // mostly there is none
  await api(bus, `CREATE.${STREAM}.${NAME}.${subjects}`, {
    stream_name: STREAM,
    config: {
      name: NAME,
      filter_subject: subjects,
      deliver_subject: inbox,
      deliver_policy: "by_start_sequence",
      opt_start_seq: after + 1,
      ack_policy: "none",
      flow_control: true,
      idle_heartbeat: nanos(HEARTBEAT_MS),
      inactive_threshold: nanos(CONSUMER_KEPT_MS),
      mem_storage: true,
    },
  });
}

async function api(bus, call, body) {
  const subject = `$JS.API.CONSUMER.${call}`;
  const { error } = (await bus.request(subject, JSON.stringify(body), { timeout: REPLY_MS })).json();
  if (error) throw new RefusedByServer(`${call}: ${error.description}`);
}

class RefusedByServer extends Error {
  name = "RefusedByServer";
}

/** Send a command, the same bytes again until somebody answers: it has one effect, however often it is sent. */
async function send(bus, contract, name, given) {
  const own = { command_id: randomUUID(), issued_at: new Date().toISOString(), actor: `service:${NAME}` };
  const command = { ...own, ...given };
  contract.check(`cmd.${name}`, command);
  const subject = contract.address(`cmd.${name}`, { tenant: TENANT });
  for (const deadline = Date.now() + WITHIN_MS; ; await pause(PAUSE_MS)) {
    try {
      const reply = (await bus.request(subject, JSON.stringify(command), { timeout: REPLY_MS })).json();
      contract.check(reply.error ? "refused" : "done", reply);
      if (!reply.error?.retryable) return reply;
    } catch (error) {
      if (bus.isClosed() || !isOfTheBus(error) || Date.now() > deadline) throw error;
    }
  }
}

const OF_THE_BUS = new Set(["RequestError", "TimeoutError", "NoRespondersError", "ConnectionError", "RefusedByServer"]);

/** Whether the bus failed, and not this service: no reply, nobody there, connection lost. */
function isOfTheBus(error) {
  return OF_THE_BUS.has(error.name);
}

const [what, ...rest] = process.argv.slice(2);
const seed = process.env.TELLONCE_NKEY_SEED_FILE;
const bus = await connect({
  servers: process.env.TELLONCE_NATS_URL ?? "nats://127.0.0.1:4222",
  name: NAME,
  inboxPrefix: INBOX,
  maxReconnectAttempts: -1,
  ...(seed && { authenticator: nkeyAuthenticator(readFileSync(seed)) }),
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
