import { expect } from "vitest";

type Ask = (url: string, init: RequestInit) => Promise<Response>;

/** A browser of somebody who signs in at the provider as `login` and agrees to everything: cookies, redirects, forms. */
export class BrowserOfPerson {
  readonly #login: string;
  readonly #ask: Ask;
  readonly #cookies = new Map<string, Map<string, string>>();

  /** @param ask what answers; the network unless given */
  constructor(login: string, ask: Ask = fetch) {
    this.#login = login;
    this.#ask = ask;
  }

  /** The value of a cookie of that place; undefined where there is none. */
  cookie(host: string, name: string): string | undefined {
    return this.#cookies.get(host)?.get(name);
  }

  /** Goes on until a page has neither a redirect nor a form of the provider's. */
  async open(address: string): Promise<{ url: string; response: Response }> {
    let url = address;
    let form: string | null = null;
    for (let step = 0; step < 25; step += 1) {
      const response = await this.#request(url, form);
      form = null;
      const location = response.headers.get("location");
      if (location !== null) {
        url = new URL(location, url).href;
        continue;
      }
      const page = await response.clone().text();
      const next = formIn(page, url, this.#login);
      if (next === null) return { url, response };
      ({ url, form } = next);
    }
    return expect.fail(`the sign-in does not end: ${url}`);
  }

  async #request(url: string, form: string | null): Promise<Response> {
    const { host } = new URL(url);
    const jar = this.#cookies.get(host) ?? new Map<string, string>();
    this.#cookies.set(host, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await this.#ask(url, {
      method: form === null ? "GET" : "POST",
      redirect: "manual",
      headers: {
        ...(cookie !== "" && { cookie }),
        ...(form !== null && { "content-type": "application/x-www-form-urlencoded" }),
      },
      ...(form !== null && { body: form }),
    });
    for (const set of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === "" || /max-age=0/i.test(set)) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }
}

/** The provider's forms: who one is, whether one agrees, and the code of a device. */
function formIn(page: string, url: string, login: string): { url: string; form: string } | null {
  const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1];
  if (action === undefined) return null;
  const hidden = [...page.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([input]): [string, string] => [
    /name="([^"]+)"/.exec(input)?.[1] ?? "",
    /value="([^"]*)"/.exec(input)?.[1] ?? "",
  ]);
  const form = new URLSearchParams(hidden);
  if (page.includes('name="login"')) {
    form.set("login", login);
    form.set("password", "any");
  }
  return { url: new URL(action.replaceAll("&amp;", "&"), url).href, form: form.toString() };
}
