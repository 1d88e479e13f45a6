import type { BrowserContextOptions, Page } from "playwright-core";
import type { FeedEvent } from "../../../src/api/streams/change_feed.ts";
import { givenContext, watchedPage } from "./given_pages.ts";
import { type ServedConsole, TOKENS } from "./served_console.ts";

/** A page that is told these events instead of those of its server, by a stream that stays open. */
export async function toldPage(
  served: ServedConsole,
  events: readonly FeedEvent[],
  options: BrowserContextOptions = {},
): Promise<Page> {
  const page = await watchedPage(served, await givenContext(options));
  await page.addInitScript(`
    const events = ${JSON.stringify(events)};
    window.EventSource = class extends EventTarget {
      constructor() {
        super();
        setTimeout(() => {
          this.dispatchEvent(new Event("open"));
          for (const { event, data } of events)
            this.dispatchEvent(new MessageEvent(event, { data: JSON.stringify(data) }));
        });
      }
      close() {}
    };
  `);
  await page.goto(`${served.url}/#token=${TOKENS.omar}`);
  return page;
}
