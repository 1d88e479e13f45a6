import { TooManyStreamsError } from "../api_errors.ts";
import type { ChangeFeed, FeedEvent } from "./change_feed.ts";
import { problemResponse } from "../problem.ts";

export interface StreamLimits {
  /** Streams that may be open at once; one more is refused. */
  mostStreams: number;
  /** Those of one principal, so that nobody takes all of them. */
  mostOfOne: number;
  /** The most that a reader may leave unread; beyond it the stream is ended, and the reader begins anew. */
  mostUnreadBytes: number;
  /** How often a comment keeps a silent stream open. */
  beatMs: number;
  /** How often it is looked whether a reader may still read. */
  recheckMs: number;
}

export const USUAL_LIMITS: StreamLimits = {
  mostStreams: 1000,
  mostOfOne: 100,
  mostUnreadBytes: 4 * 1024 * 1024,
  beatMs: 15_000,
  recheckMs: 30_000,
};

export interface StreamReader {
  principal: string;
  /** The same list where all of it is theirs to see. */
  filter(events: readonly FeedEvent[]): readonly FeedEvent[];
  mayRead(): Promise<boolean>;
}

const encoder = new TextEncoder();
const BEAT = encoder.encode(": here\n\n");

interface Open {
  principal: string;
  send(chunk: Uint8Array): void;
  end(): void;
}

/** Server-sent events of the feed, for a bounded number of readers. */
export class EventStreams {
  readonly #feed: ChangeFeed;
  readonly #limits: StreamLimits;
  readonly #open = new Set<Open>();
  #beat: NodeJS.Timeout | null = null;

  constructor(feed: ChangeFeed, limits: StreamLimits) {
    this.#feed = feed;
    this.#limits = limits;
  }

  get open(): number {
    return this.#open.size;
  }

  /** @throws TooManyStreamsError */
  stream(signal: AbortSignal, reader: StreamReader): Response {
    this.#requireRoom(reader);
    const gone = new AbortController();
    const until = AbortSignal.any([signal, gone.signal]);
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#begin(controller, { gone, until, reader });
        },
        cancel: () => {
          gone.abort();
        },
      },
      { highWaterMark: this.#limits.mostUnreadBytes, size: (chunk) => chunk.byteLength },
    );
    const headers = {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    };
    return new Response(body, { headers });
  }

  /** Ends all streams, so that a server that stops need not wait for them. */
  end(): void {
    for (const one of this.#open) one.end();
  }

  #requireRoom({ principal }: StreamReader): void {
    const { mostStreams, mostOfOne } = this.#limits;
    const own = [...this.#open].filter((one) => one.principal === principal).length;
    if (this.#open.size < mostStreams && own < mostOfOne) return;
    const open =
      own < mostOfOne
        ? `${this.#open.size} event streams are open`
        : `${principal} has ${own} event streams open`;
    throw new TooManyStreamsError(
      `${open}, as many as may be; ask again, or read /v1/endpoints now and then.`,
      { details: { open: this.#open.size, own } },
    );
  }

  #begin(
    controller: ReadableStreamDefaultController<Uint8Array>,
    { gone, until, reader }: { gone: AbortController; until: AbortSignal; reader: StreamReader },
  ): void {
    const rechecking = setInterval(() => {
      // A database that does not answer is told of by the feed.
      reader.mayRead().then(
        (may) => may || gone.abort(),
        () => undefined,
      );
    }, this.#limits.recheckMs).unref();
    const stream: Open = {
      principal: reader.principal,
      send: (chunk) => {
        if (until.aborted) return;
        controller.enqueue(chunk);
        if ((controller.desiredSize ?? 0) <= 0) gone.abort();
      },
      end: () => {
        gone.abort();
      },
    };
    this.#open.add(stream);
    this.#beat ??= setInterval(() => {
      for (const one of this.#open) one.send(BEAT);
    }, this.#limits.beatMs).unref();
    until.addEventListener("abort", () => {
      clearInterval(rechecking);
      this.#close(stream, controller);
    });
    stream.send(encoder.encode("retry: 2000\n\n"));
    this.#feed
      .join((events) => {
        const own = reader.filter(events);
        if (own.length > 0) stream.send(encodedOnce(own));
      }, until)
      .catch(async (error: unknown) => {
        stream.send(encoder.encode(`event: problem\ndata: ${await problemResponse(error).text()}\n\n`));
        stream.end();
      });
  }

  #close(stream: Open, controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (!this.#open.delete(stream)) return;
    try {
      controller.close();
    } catch (error) {
      // The reader has cancelled it.
      if (!(error instanceof TypeError)) throw error;
    }
    if (this.#open.size > 0 || this.#beat === null) return;
    clearInterval(this.#beat);
    this.#beat = null;
  }
}

const encodings = new WeakMap<readonly FeedEvent[], Uint8Array>();

/** The same list of events is sent to all readers, and is written out once. */
function encodedOnce(events: readonly FeedEvent[]): Uint8Array {
  const known = encodings.get(events);
  if (known !== undefined) return known;
  const text = events.map(({ event, data }) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join("");
  const chunk = encoder.encode(text);
  encodings.set(events, chunk);
  return chunk;
}
