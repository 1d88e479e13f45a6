import { readFile } from "node:fs/promises";
import { Socket } from "node:net";
import pg from "pg";
import { ServiceUnavailableError } from "../../src/errors.ts";
import { type EmbeddedServer, SCHEMA } from "../../src/testing/in_memory/database/embedded_server.ts";
import { kindOf } from "../../src/testing/in_memory/database/postgres_messages.ts";
import { createScratchDatabase } from "../support/services/scratch_database.ts";

export interface NativeServer {
  server: EmbeddedServer;
  /** Ends the connection and drops the database. */
  end(): Promise<void>;
}

/** A real PostgreSQL for the kit's databases, which works at a statement in a fraction of the time of the one in this process. */
export async function startNativeServer(serverUrl: string): Promise<NativeServer> {
  const scratch = await createScratchDatabase(serverUrl);
  await scratch.query(await readFile(SCHEMA, "utf8"));
  const socket = new Socket();
  const client = new pg.Client({
    connectionString: scratch.url,
    stream: () => socket,
    options:
      "-c search_path=deployer,pg_catalog -c synchronous_commit=off -c jit=off -c plan_cache_mode=force_generic_plan",
  });
  client.on("error", () => undefined);
  await client.connect();
  // From here on whole messages go by, and the library that has logged in hears nothing of their answers.
  socket.removeAllListeners("data");
  const conversation = new Conversation(socket);
  return {
    server: {
      isNew: true,
      send: (messages) => conversation.send(messages),
      keep: async () => undefined,
    },
    end: async () => {
      socket.destroy();
      await scratch.drop();
    },
  };
}

/** One question at a time; each batch of messages is answered up to the server's word that it is ready. */
class Conversation {
  readonly #socket: Socket;
  #heard: Buffer[] = [];
  #awaited = 0;
  #answered: ((answer: Buffer) => void) | null = null;
  #failed: ((error: Error) => void) | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (piece: Buffer) => this.#hear(piece));
    socket.on("close", () => {
      this.#failed?.(new ServiceUnavailableError("postgres", "PostgreSQL closed the walk's connection"));
    });
  }

  send(messages: Buffer): Promise<Buffer> {
    this.#awaited = countOf(messages, (message) => kindOf(message) === "end of a batch");
    return new Promise((answered, failed) => {
      this.#answered = answered;
      this.#failed = failed;
      this.#socket.write(messages);
    });
  }

  #hear(piece: Buffer): void {
    this.#heard.push(piece);
    if (piece[piece.length - 6] !== READY && piece.length >= 6) return;
    const heard = Buffer.concat(this.#heard);
    this.#heard = [heard];
    if (countOf(heard, ([kind]) => kind === READY) < this.#awaited) return;
    this.#heard = [];
    this.#answered?.(heard);
  }
}

const [READY] = Buffer.from("Z");

/** Whole messages only. */
function countOf(messages: Buffer, isCounted: (message: Buffer) => boolean): number {
  let count = 0;
  for (let at = 0; at + 5 <= messages.length;) {
    const next = at + 1 + messages.readInt32BE(at + 1);
    if (next <= messages.length && isCounted(messages.subarray(at, next))) count += 1;
    at = next;
  }
  return count;
}
