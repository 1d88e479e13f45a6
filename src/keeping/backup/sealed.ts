import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { Decrypter, Encrypter } from "age-encryption";
import { InvalidRequestError } from "../../agents/model_deployer/errors.ts";

/** The first bytes of every file in the age format, version 1. */
const AGE = "age-encryption.org/v1";
const SHORTEST = 16;

/**
 * Encrypts by the age format, version 1 (age-encryption.org/v1), so that `age -d` reads it as well.
 * @param key an age recipient (`age1...`), with which nobody can read it again, or a passphrase
 * @throws InvalidRequestError for a key that is neither
 */
export async function sealed(plain: Readable, key: string): Promise<Readable> {
  const encrypter = new Encrypter();
  if (/^AGE-SECRET-KEY-/i.test(key)) {
    throw new InvalidRequestError(
      "The key file holds an age identity, which is secret: encrypt with its recipient, age1...",
    );
  }
  if (key.startsWith("age1")) encrypter.addRecipient(key);
  else encrypter.setPassphrase(passphrase(key));
  return readableOf(await encrypter.encrypt(webStreamOf(plain)));
}

/**
 * @param key an age identity (`AGE-SECRET-KEY-...`) or a passphrase
 * @throws InvalidRequestError where the key is not the one; what was altered or cut off makes the stream fail
 */
export async function unsealed(path: string, key: string): Promise<Readable> {
  const decrypter = new Decrypter();
  if (/^AGE-SECRET-KEY-/i.test(key)) decrypter.addIdentity(key);
  else decrypter.addPassphrase(key);
  try {
    return readableOf(await decrypter.decrypt(webStreamOf(createReadStream(path))));
  } catch (cause) {
    throw new InvalidRequestError(`${path} cannot be read with this key, or its beginning was altered.`, {
      cause,
    });
  }
}

export async function isSealed(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer } = await file.read(Buffer.alloc(AGE.length), 0, AGE.length, 0);
    return buffer.toString("latin1") === AGE;
  } finally {
    await file.close();
  }
}

function passphrase(key: string): string {
  if (key.length >= SHORTEST) return key;
  throw new InvalidRequestError(
    `The key file holds ${key.length} characters: a passphrase has ${SHORTEST} or more, an age recipient begins with age1.`,
  );
}

/** Node's own `Readable.toWeb` has another type of stream than the library asks for. */
function webStreamOf(stream: Readable): ReadableStream<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next: IteratorResult<unknown> = await chunks.next();
      if (next.done === true) controller.close();
      else if (next.value instanceof Uint8Array) controller.enqueue(next.value);
    },
    cancel: () => void stream.destroy(),
  });
}

function readableOf(stream: ReadableStream<Uint8Array>): Readable {
  return Readable.from(chunksOf(stream));
}

async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  for (;;) {
    const next = await reader.read();
    if (next.done) return;
    yield next.value;
  }
}
