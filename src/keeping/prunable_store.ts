/** The kinds of things on disk that can be removed; all but logs are made anew when somebody needs them again. */
export const PRUNABLE_KINDS = ["bentos", "artifacts", "environments", "wheels", "images", "logs"] as const;
export type PrunableKind = (typeof PRUNABLE_KINDS)[number];

export interface StoredItem {
  kind: PrunableKind;
  /** Unique in its store: a bento's tag, an artifact's digest, the name of an environment, a server's name. */
  name: string;
  /** On the disk; a file that several names share is counted for each of them. */
  bytes: number;
  /** ISO 8601; when it was made or used last. */
  used_at: string;
  /** Why it has to stay, as far as its store knows; null without a reason. */
  held: string | null;
  /** The items of other stores that it needs. */
  needs: readonly ItemName[];
}

export type ItemName = Pick<StoredItem, "kind" | "name">;

/** An item that was moved out of its place, where nobody finds it any more. */
export interface SetAside {
  /** Puts it back, unless something has taken its place meanwhile. */
  restore(): Promise<void>;
  discard(): Promise<void>;
}

/** The things of one kind on disk. Lists and moves only what this installation has made itself. */
export interface PrunableStore {
  readonly kind: PrunableKind;
  list(): Promise<StoredItem[]>;
  /** Why it has to stay now, asked anew after it was set aside; null without a reason. */
  heldNow(name: string): Promise<string | null>;
  /** Moves it away in one step, so that nobody ever sees half of it; null where it is gone. */
  setAside(name: string): Promise<SetAside | null>;
  /** Puts back what a killed prune has set aside; only while no other prunes. */
  tidy(): Promise<void>;
}

/** A version whose files are needed, and why. */
export interface NeededVersion {
  model_version_id: string;
  bento_tag: string;
  digests: readonly string[];
  /** Of this version, those whose logs are needed. */
  deployment_ids: readonly string[];
  why: string;
}

export interface OldRows {
  /** The table, or `threads` of checkpoints. */
  name: string;
  rows: number;
  /** Null where it is not known. */
  bytes: number | null;
}

/** Rows that nobody reads once they are old; history, operations and approvals are none of them. */
export interface PrunableRows {
  count(before: string): Promise<OldRows[]>;
  remove(before: string): Promise<OldRows[]>;
}

/** Tells which versions the database needs, whatever their age. */
export interface KeepingFacts {
  needed(): Promise<NeededVersion[]>;
  now(): Promise<string>;
}
