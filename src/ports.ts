/** What a part of one's own has to be: a registry, packager, server, router, memory, or a store of the truth. */
export type * from "./agents/model_deployer/ports.ts";
export type * from "./agents/model_deployer/store_ports.ts";
export type { Database, Parts, Settings } from "./agents/model_deployer/parts.ts";
