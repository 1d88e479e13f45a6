import { createServer, connect, type Server, type Socket } from "node:net";

export interface InterruptibleRedis {
  url: string;
  /** From now on connections are cut and refused. */
  down(): Promise<void>;
  /** From now on connections are taken and never answered. */
  hang(): void;
  up(): Promise<void>;
  close(): Promise<void>;
}

/** A port of its own in front of a real Redis, which can go away without harm to whoever else uses that Redis. */
export async function openInterruptibleRedis(redisUrl: string): Promise<InterruptibleRedis> {
  const target = new URL(redisUrl);
  const sockets = new Set<Socket>();
  let isHanging = false;
  let server: Server | undefined;
  const track = (socket: Socket) => {
    sockets.add(socket);
    // A cut connection is what these tests are about; its other end is destroyed with it.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    return socket;
  };
  const listen = async (port: number) => {
    server = createServer((socket) => {
      track(socket);
      if (isHanging) return;
      const upstream = track(connect(Number(target.port || 6379), target.hostname));
      socket.pipe(upstream).pipe(socket);
      socket.on("close", () => upstream.destroy());
      upstream.on("close", () => socket.destroy());
    });
    await new Promise<void>((resolve) => server?.listen(port, "127.0.0.1", resolve));
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  };
  const cut = () => sockets.forEach((socket) => socket.destroy());
  const down = async () => {
    const closing = server;
    server = undefined;
    if (closing === undefined) return;
    const closed = new Promise((resolve) => closing.close(resolve));
    cut();
    await closed;
  };
  const port = await listen(0);
  const url = new URL(redisUrl);
  url.host = `127.0.0.1:${port}`;
  return {
    url: url.href,
    down,
    hang: () => {
      isHanging = true;
      cut();
    },
    up: async () => {
      isHanging = false;
      cut();
      if (server === undefined) await listen(port);
    },
    close: down,
  };
}
