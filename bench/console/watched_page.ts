import type { Browser, BrowserContext, CDPSession, Page } from "playwright-core";
import { z } from "zod";

/** What the page's main thread did in a stretch. */
export interface Stretch {
  seconds: number;
  /** CPU of all of the browser's processes, and the main thread's work, ms. */
  browserCpuMs: number;
  mainThreadMs: number;
  /** Tasks of the main thread of 50 ms or more, each with its length in ms. */
  longTasks: number[];
  /** Times between frames, ms; empty unless frames were counted. */
  frames: number[];
  /** Bytes of data of events of the stream, and how many there were. */
  bytes: number;
  events: number;
  /** Bytes of all other answers of the API. */
  answerBytes: number;
}

/** How the page opened. */
export interface View {
  /** From the first request to the frame with the first card, and with all of them. */
  firstMs: number;
  wholeMs: number;
  longTasks: number[];
}

/** In the page: long tasks from its first moment on, and the time of each change of one card that was asked for. */
const instruments = (endpoints: number): string => `
  window.bench = { longTasks: [], frames: null, seen: new Map() };
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) bench.longTasks.push(one.duration);
  }).observe({ type: "longtask", buffered: true });
  bench.atFrame = (take) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => take(performance.timeOrigin + performance.now());
    channel.port2.postMessage(null);
  });
  bench.drawn = (cards) => new Promise((resolve) => {
    const looking = new MutationObserver(() => {
      if (document.querySelectorAll(".card").length < cards) return;
      looking.disconnect();
      bench.atFrame((at) => resolve(at - performance.timeOrigin));
    });
    looking.observe(document, { subtree: true, childList: true });
  });
  bench.opened = Promise.all([bench.drawn(1), bench.drawn(${endpoints})]);
  bench.watch = (name) => {
    const cards = [...document.querySelectorAll(".card")];
    const card = cards.find((one) => one.querySelector("h2").textContent === name) ?? document.querySelector("main");
    bench.watching?.disconnect();
    bench.seen.clear();
    bench.watching = new MutationObserver(() => {
      const weight = /v2 (\\d+) %/.exec(card.querySelector(".traffic-names").textContent)?.[1];
      if (bench.seen.has(weight)) return;
      bench.seen.set(weight, null);
      bench.atFrame((at) => bench.seen.set(weight, at));
    });
    bench.watching.observe(card, { subtree: true, childList: true, characterData: true });
  };
  bench.countFrames = (isOn) => {
    const before = bench.frames;
    bench.frames = isOn ? [] : null;
    let last = null;
    const beat = (at) => {
      if (bench.frames === null) return;
      if (last !== null) bench.frames.push(at - last);
      last = at;
      requestAnimationFrame(beat);
    };
    if (isOn) requestAnimationFrame(beat);
    return before;
  };
`;

const processInfo = z.object({ processInfo: z.array(z.object({ cpuTime: z.number() })) });
const metrics = z.object({ metrics: z.array(z.object({ name: z.string(), value: z.number() })) });
const finished = z.object({ encodedDataLength: z.number() });
const message = z.object({ data: z.string() });

/** The console in a browser of its own, with what it costs. */
export class WatchedPage {
  readonly page: Page;
  readonly #context: BrowserContext;
  readonly #cdp: CDPSession;
  readonly #browserCdp: CDPSession;
  #bytes = 0;
  #events = 0;
  #answerBytes = 0;

  private constructor(page: Page, context: BrowserContext, cdp: CDPSession, browserCdp: CDPSession) {
    this.page = page;
    this.#context = context;
    this.#cdp = cdp;
    this.#browserCdp = browserCdp;
    cdp.on("Network.loadingFinished", (event) => {
      this.#answerBytes += finished.parse(event).encodedDataLength;
    });
    cdp.on("Network.eventSourceMessageReceived", (event) => {
      this.#bytes += Buffer.byteLength(message.parse(event).data);
      this.#events += 1;
    });
  }

  /** Opens it, and waits until it is whole. */
  static async open(
    browser: Browser,
    address: string,
    endpoints: number,
  ): Promise<View & { watched: WatchedPage }> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    const watched = new WatchedPage(page, context, cdp, await browser.newBrowserCDPSession());
    await cdp.send("Network.enable");
    await cdp.send("Performance.enable");
    await page.addInitScript(instruments(endpoints));
    await page.goto(address);
    const [firstMs, wholeMs] = z.tuple([z.number(), z.number()]).parse(await page.evaluate("bench.opened"));
    return { watched, firstMs, wholeMs, longTasks: await watched.#longTasks() };
  }

  /** What the page did while the work was under way. */
  async during(work: () => Promise<unknown>, { frames = false } = {}): Promise<Stretch> {
    await this.page.evaluate(`bench.longTasks.length = 0; bench.countFrames(${frames})`);
    this.#bytes = 0;
    this.#events = 0;
    this.#answerBytes = 0;
    const [begun, cpu, tasks] = [performance.now(), await this.#cpu(), await this.#mainThread()];
    await work();
    const seconds = (performance.now() - begun) / 1000;
    const [browserCpuMs, mainThreadMs] = [(await this.#cpu()) - cpu, (await this.#mainThread()) - tasks];
    const counted = z
      .array(z.number())
      .nullable()
      .parse(await this.page.evaluate("bench.countFrames(false)"));
    const longTasks = await this.#longTasks();
    const told = { bytes: this.#bytes, events: this.#events, answerBytes: this.#answerBytes };
    return { seconds, browserCpuMs, mainThreadMs, longTasks, frames: counted ?? [], ...told };
  }

  /** From now on it is kept when each weight of this endpoint's candidate was drawn first, on its card or its own view. */
  async watch(endpointName: string): Promise<void> {
    await this.page.evaluate(`bench.watch(${JSON.stringify(endpointName)})`);
  }

  /** By weight, ms since 1970. */
  async seen(): Promise<Map<string, number>> {
    const pairs = z.array(z.tuple([z.string(), z.number().nullable()]));
    const found = pairs.parse(await this.page.evaluate("[...bench.seen]"));
    return new Map(found.flatMap(([weight, at]) => (at === null ? [] : [[weight, at] as const])));
  }

  close(): Promise<void> {
    return this.#context.close();
  }

  async #longTasks(): Promise<number[]> {
    return z.array(z.number()).parse(await this.page.evaluate("bench.longTasks"));
  }

  async #cpu(): Promise<number> {
    const { processInfo: all } = processInfo.parse(await this.#browserCdp.send("SystemInfo.getProcessInfo"));
    return all.reduce((sum, { cpuTime }) => sum + cpuTime * 1000, 0);
  }

  async #mainThread(): Promise<number> {
    const { metrics: all } = metrics.parse(await this.#cdp.send("Performance.getMetrics"));
    return (all.find(({ name }) => name === "TaskDuration")?.value ?? 0) * 1000;
  }
}
