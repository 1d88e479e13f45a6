/** The Python that a model was logged under, and the one that serves it, where their minor versions differ. */
export interface OtherPython {
  /** Such as `3.12.1`. */
  logged_under: string;
  served_with: string;
}
