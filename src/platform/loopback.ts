/** Reachable from this machine only. */
export const LOOPBACK = "127.0.0.1";

/** As an address's host names this machine; nothing sent there is seen on a network. */
export const isLoopback = (hostname: string): boolean =>
  hostname === LOOPBACK || hostname === "localhost" || hostname === "[::1]";
