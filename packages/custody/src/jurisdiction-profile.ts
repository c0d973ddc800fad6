/** What the law of a place forbids, beyond what the contracts of clients say. */
export type JurisdictionProfile = {
  /** Name of the profile, for messages. */
  readonly name: string;
  /** Assets of several clients never share a compartment. */
  readonly omnibusForbidden: boolean;
  /** What is cold is reached by a key and by nothing else. */
  readonly noContractInColdTier: boolean;
};
