import { execFileSync } from "node:child_process";
import { NODE_ADDRESS } from "../control_plane.ts";

const BRIDGE = "pods0";
const ip = (...args: string[]) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });

/** The network of all pods, in the namespace that this process runs in. */
export function makePodNetwork(): void {
  ip("link", "set", "lo", "up");
  ip("link", "add", BRIDGE, "type", "bridge");
  ip("addr", "add", `${NODE_ADDRESS}/16`, "dev", BRIDGE);
  ip("link", "set", BRIDGE, "up");
  ip("route", "add", "default", "via", NODE_ADDRESS, "dev", BRIDGE);
}

/** Connects a pod, whose namespace gets this name. */
export function connectPod(namespace: string, number: number): string {
  const address = `10.244.${1 + Math.floor(number / 250)}.${1 + (number % 250)}`;
  const outside = `pod${number}`;
  ip("netns", "add", namespace);
  ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", namespace);
  ip("link", "set", outside, "master", BRIDGE, "up");
  ip("-n", namespace, "addr", "add", `${address}/16`, "dev", "eth0");
  ip("-n", namespace, "link", "set", "eth0", "up");
  ip("-n", namespace, "link", "set", "lo", "up");
  ip("-n", namespace, "route", "add", "default", "via", NODE_ADDRESS);
  return address;
}

export function disconnectPod(namespace: string): void {
  ip("netns", "delete", namespace);
}

/** An address of a Service becomes one of this node. */
export function addAddress(address: string): void {
  ip("addr", "add", `${address}/32`, "dev", "lo");
}
