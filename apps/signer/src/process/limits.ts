/** What clients may take up together. All of it can be lowered in the configuration, and none of it raised. */
export type ListenLimits = {
  readonly connectionsMax: number;
  /** Requests that are worked on, of all connections. */
  readonly outstandingMax: number;
  /** Memory for frames that are not complete, of all connections. */
  readonly heldBytesMax: number;
  /** Answers that one client has not taken yet. Beyond, nothing more is read from it. */
  readonly untakenBytesMax: number;
  /** From the first byte of a frame to its last; and from the connection to the first frame. */
  readonly frameMsMax: number;
  /** A connection without any request. */
  readonly idleMsMax: number;
  /** Until the client is told that the outcome is unknown. */
  readonly requestMsMax: number;
};

export const listenLimits: ListenLimits = {
  connectionsMax: 64,
  outstandingMax: 1_024,
  heldBytesMax: 67_108_864,
  untakenBytesMax: 1_048_576,
  frameMsMax: 10_000,
  idleMsMax: 300_000,
  requestMsMax: 30_000,
};

/** How long work at hand may take when the signer is told to end. */
export const stopMsMax = 10_000;

/**
 * How the process ends when a token refused its PIN (EX_NOPERM of sysexits.h). Whoever starts it again by itself must not do so then:
 * each start would be one more try, and a token locks itself after a few.
 */
export const pinRefusedExitCode = 77;
