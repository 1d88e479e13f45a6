/** Who somebody is, as their provider says it and as it was verified. */
export interface VerifiedIdentity {
  issuer: string;
  /** The identifier that stays the same when the name changes. */
  subject: string;
  kind: "person" | "machine";
  /** The person's or machine's name; null where the provider does not say. */
  name: string | null;
  groups: readonly string[];
}

/** The credential by which a provider is asked for a person's groups of now; nobody else's to read. */
export interface Renewal {
  /** The client that they signed in by. */
  client_id: string;
  refresh_token: string;
}

export interface SignedIn {
  identity: VerifiedIdentity;
  /** Null where the provider gave none: it is not asked again before the next sign-in. */
  renewal: Renewal | null;
}

/** The settings by which a command line has somebody sign in at the provider. */
export interface ProviderDescription {
  issuer: string;
  client_id: string;
  scope: string;
  /** The audience of a machine's access token. */
  audience: string;
}

/** A provider of identities, by OpenID Connect; whatever it is asked ends within seconds. */
export interface IdentityProvider {
  describe(): ProviderDescription;
  /** Where a browser goes to sign in, and what is kept until it is back, which is nobody else's to read. */
  begin(redirectUri: string): Promise<{ url: string; kept: string }>;
  /** @throws NotAuthenticatedError | ServiceUnavailableError | ServiceRefusedError */
  complete(callback: { url: string; kept: string }): Promise<SignedIn>;
  /** A person's ID token, or a machine's access token. @throws as `complete` */
  identify(token: string): Promise<VerifiedIdentity>;
  /**
   * Who somebody is now, and what is asked by the next time; the former may be of no use any more.
   * @throws as `complete`; NotAuthenticatedError where the provider vouches for them no longer
   */
  renew(renewal: Renewal): Promise<SignedIn>;
}
