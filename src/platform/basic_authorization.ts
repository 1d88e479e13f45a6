/** The `authorization` that a client sends to a service that asks for a user and a password over HTTP. */
export function basicAuthorization({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
