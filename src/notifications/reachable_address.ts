import { lookup, type LookupAddress, type LookupAllOptions } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import ipaddr from "ipaddr.js";
import { ServiceRefusedError } from "../agents/model_deployer/errors.ts";

const SERVICE = "notifications";

/** Ranges of a private network, by ipaddr.js' names; a sink is there only where it was set so. */
const INSIDE = ["private", "loopback", "uniqueLocal", "carrierGradeNat"];

/** Where clouds answer with credentials, outside of the link-local ranges, which are never asked either. */
const METADATA = ["168.63.129.16", "100.100.100.200", "fd00:ec2::254"];

/** Whether a sink may be at this IP address. */
export function isReachable(address: string, mayBeInside: boolean): boolean {
  const parsed = ipaddr.process(address);
  if (METADATA.some((one) => ipaddr.process(one).toString() === parsed.toString())) return false;
  const range = parsed.range();
  return range === "unicast" || (mayBeInside && INSIDE.includes(range));
}

/** @throws ServiceRefusedError for an address that no sink may have */
export function requireReachable(url: URL, mayBeInside: boolean): void {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (url.protocol !== "https:" && !mayBeInside) {
    throw refused(url, "is asked without TLS; give an https:// address, or set it with --inside");
  }
  if (isIP(host) !== 0 && !isReachable(host, mayBeInside)) throw refused(url, inside(host, mayBeInside));
}

type ResolveName = (
  name: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void,
) => void;

/**
 * Resolves a name for one connection, which goes to the address that was looked at and to no other.
 * Fails with a ServiceRefusedError where any of the name's addresses is one that no sink may have.
 */
export function reachableLookup(
  url: URL,
  mayBeInside: boolean,
  resolveName: ResolveName = lookup,
): LookupFunction {
  return (name, options, done) => {
    resolveName(name, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, "");
      const bad = found.find(({ address }) => !isReachable(address, mayBeInside));
      if (bad !== undefined) return done(refused(url, inside(bad.address, mayBeInside)), "");
      const [first] = found;
      return options.all === true ? done(null, found) : done(null, first?.address ?? "", first?.family);
    });
  };
}

const inside = (address: string, mayBeInside: boolean): string =>
  mayBeInside || !isReachable(address, true)
    ? `is at ${address}, which no sink may have`
    : `is at ${address}, inside this network; set it with --inside where that is meant`;

const refused = (url: URL, why: string): ServiceRefusedError =>
  new ServiceRefusedError(SERVICE, `${url.host} ${why}.`, { details: { host: url.host } });
