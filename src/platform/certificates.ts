import { connect } from "node:tls";

/** A certificate that ends sooner than this is told of. */
const SOON_DAYS = 21;
const DAY_MS = 24 * 3_600_000;

/**
 * A sentence for each TLS address whose certificate ends soon or has ended; an address that does not answer has none.
 * @param urls those without TLS are left out
 * @param now milliseconds since 1970
 */
export async function endingCertificates(
  urls: readonly string[],
  now: number,
  signal: AbortSignal,
): Promise<string[]> {
  const places = new Map(
    urls
      .filter((url) => URL.canParse(url))
      .map((url) => new URL(url))
      .filter(({ protocol }) => protocol === "https:" || protocol === "smtps:")
      .map(({ hostname, port, protocol }) => {
        const at = port === "" ? (protocol === "https:" ? 443 : 465) : Number(port);
        return [`${hostname}:${at}`, { host: hostname.replace(/^\[|\]$/g, ""), port: at }] as const;
      }),
  );
  const seen = await Promise.all(
    [...places].map(async ([name, place]) => endingSentences(name, await endOf(place, signal), now)),
  );
  return seen.flat();
}

/**
 * The same for one certificate of that name; none where it holds for long yet.
 * @param end in milliseconds since 1970; null where nothing is known of it
 */
export function endingSentences(name: string, end: number | null, now: number): string[] {
  if (end === null || end - now > SOON_DAYS * DAY_MS) return [];
  const days = Math.floor((end - now) / DAY_MS);
  const day = new Date(end).toISOString().slice(0, 10);
  const when = days < 0 ? `ended on ${day}` : `ends on ${day}, in ${days} days`;
  return [`The certificate of ${name} ${when}; renew it, since calls fail after that.`];
}

/** When the certificate that is shown there ends, in milliseconds since 1970; null where nothing answers. */
function endOf({ host, port }: { host: string; port: number }, signal: AbortSignal): Promise<number | null> {
  return new Promise((resolve) => {
    const options = { host, port, servername: host, rejectUnauthorized: false };
    const socket = connect(options, () => {
      const end = Date.parse(socket.getPeerCertificate().valid_to);
      settle(Number.isNaN(end) ? null : end);
    });
    const settle = (end: number | null) => {
      signal.removeEventListener("abort", cut);
      socket.destroy();
      resolve(end);
    };
    const cut = () => settle(null);
    signal.addEventListener("abort", cut, { once: true });
    socket.once("error", () => settle(null));
  });
}
