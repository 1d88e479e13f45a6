import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";

export interface SeenRequest {
  method: string;
  /** Path and query as they came. */
  url: string;
  authorization: string | undefined;
}

type Answer = (response: ServerResponse, request: SeenRequest) => void;

/** A server that answers what a test tells it, and remembers what it was asked. For faults that no real server shows. */
export class StubServer {
  readonly requests: SeenRequest[] = [];
  readonly #server: Server;
  #answer: Answer = (response) => response.writeHead(404).end();

  constructor() {
    this.#server = createServer((request: IncomingMessage, response) => {
      const seen = {
        method: request.method ?? "",
        url: request.url ?? "",
        authorization: request.headers.authorization,
      };
      this.requests.push(seen);
      request.resume();
      request.on("end", () => this.#answer(response, seen));
    });
  }

  /** The URL to reach it at. */
  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  }

  answerWith(answer: Answer): void {
    this.#answer = answer;
  }

  /** Gives the answers one after the other; the last one stays. */
  answerInTurn(...answers: Answer[]): void {
    let next = 0;
    this.#answer = (response, request) => {
      const answer = answers[Math.min(next, answers.length - 1)];
      next += 1;
      answer?.(response, request);
    };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, "close");
  }
}

export function json(body: unknown, status = 200): Answer {
  return (response) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

export function text(body: string, status = 200): Answer {
  return (response) => response.writeHead(status, { "content-type": "text/plain" }).end(body);
}

/** Takes the request and never answers. */
export const blackHole: Answer = () => undefined;

/** Promises more bytes than it sends, and ends the connection. */
export function cutAfter(part: string, promised: number): Answer {
  return (response) => {
    response.writeHead(200, { "content-length": promised });
    response.write(part, () => response.destroy());
  };
}
