export * from "../../src/testing/poll.ts";
