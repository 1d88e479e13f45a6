/** OpenID Connect gives access while somebody is away to whoever consents to it at this sign-in, and to nobody else. */
export const consentFor = (scope: string): { prompt?: "consent" } =>
  scope.split(" ").includes("offline_access") ? { prompt: "consent" } : {};
