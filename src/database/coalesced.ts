interface Waiting<Input, Output> {
  input: Input;
  resolve: (output: Output) => void;
  reject: (reason: unknown) => void;
}

/**
 * Makes one statement of the calls of one turn of the event loop: what a worker asks for a hundred rollouts side by side is
 * asked for once. A call by itself is sent by the end of the same turn.
 */
export class Coalesced<Input, Output> {
  readonly #send: (inputs: Input[]) => Promise<Output[]>;
  #waiting: Waiting<Input, Output>[] = [];

  /** @param send answers in the order of its inputs */
  constructor(send: (inputs: Input[]) => Promise<Output[]>) {
    this.#send = send;
  }

  /** @throws what `send` raises, to every caller whose input was in it */
  call(input: Input): Promise<Output> {
    if (this.#waiting.length === 0) setImmediate(() => void this.#sendAll());
    return new Promise((resolve, reject) => this.#waiting.push({ input, resolve, reject }));
  }

  async #sendAll(): Promise<void> {
    const sent = this.#waiting;
    this.#waiting = [];
    try {
      const outputs = await this.#send(sent.map(({ input }) => input));
      sent.forEach(({ resolve }, index) => {
        const output = outputs[index];
        if (output !== undefined) resolve(output);
      });
    } catch (error) {
      for (const { reject } of sent) reject(error);
    }
  }
}
