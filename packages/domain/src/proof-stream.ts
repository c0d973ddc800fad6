/**
 * What comes next in the proofs of one asset, by what the registry has at a final block. Two lines go on beside each other: a new epoch
 * is pinned, and the epoch that a full window drew is proven. Each step may be asked for again: it follows from what is there.
 */

/** An epoch that the registry has: its number from 1, and the hash of its header, 64 lower-case hex digits. */
export type PinnedEpoch = { readonly epoch: bigint; readonly context: string };

/** What a registry has under a number. */
export type RegistryEpoch = PinnedEpoch & {
  /** Signed, and not committed in time: it keeps its number, and counts for nothing. */
  readonly lapsed: boolean;
};

/** What a registry has of one asset, at one final block of its chain. Times in Unix seconds. */
export type ProofStream = {
  /** Undefined before the first epoch. */
  readonly newest: RegistryEpoch | undefined;
  /** When the newest one was committed that did not lapse; undefined before the first. */
  readonly committedAt: bigint | undefined;
  /** The oldest window that is not proven, where it has ended. */
  readonly window: EndedWindow | undefined;
};

export type EndedWindow = {
  /** From 0. */
  readonly number: bigint;
  readonly endedAt: bigint;
  /** The block whose hash draws. */
  readonly challengeBlock: bigint;
  /** What it drew; undefined before that. */
  readonly drawn: PinnedEpoch | undefined;
};

/** The newest epoch of our own that was not abandoned. */
export type OwnEpoch = PinnedEpoch & {
  /**
   * `begun`: its header is fixed; `made`: so is what is to be pinned; `asked`: a signer may have signed that, and signs nothing else under
   * this number for ever; `pinned`: it was seen in the registry, be it as lapsed.
   */
  readonly state: 'begun' | 'made' | 'asked' | 'pinned';
};

/** Why an epoch that was begun can never be committed any more. */
export type Lapse = 'too-late' | 'block-forgotten';

export type ProofEpochStep =
  | { readonly step: 'wait' }
  /** The next one, or the one that was begun. */
  | { readonly step: 'make' }
  | { readonly step: 'commit' | 'pinned'; readonly epoch: bigint }
  /** The registry is told that it lapsed: only then can another number follow. */
  | { readonly step: 'lapse'; readonly epoch: bigint; readonly because: Lapse }
  | { readonly step: 'abandon'; readonly epoch: bigint; readonly because: Lapse | 'taken' }
  /** People must look: what the registry has and what is here contradict each other. */
  | { readonly step: 'stop'; readonly because: 'advanced-elsewhere' | 'registry-behind'; readonly epoch: bigint };

export type EpochQuestion = {
  readonly stream: ProofStream;
  /** What the registry has under the number of {@link own}, which need not be its newest. */
  readonly atOwn: PinnedEpoch | undefined;
  readonly own: OwnEpoch | undefined;
  readonly lapse: Lapse | undefined;
  /** Whether it is time, or somebody asks. */
  readonly due: boolean;
};

/** What becomes of the newest epoch, or whether the next one is begun. */
export function decideEpoch({ stream, atOwn, own, lapse, due }: EpochQuestion): ProofEpochStep {
  const newest = stream.newest?.epoch ?? 0n;
  if (own !== undefined && own.state !== 'pinned') {
    const { epoch } = own;
    if (atOwn !== undefined) {
      return atOwn.context === own.context ? { step: 'pinned', epoch } : { step: 'abandon', epoch, because: 'taken' };
    }
    // A gap never closes: the number before ours is gone.
    if (epoch > newest + 1n) return { step: 'stop', because: 'registry-behind', epoch: newest };
    if (lapse !== undefined) return { step: own.state === 'asked' ? 'lapse' : 'abandon', epoch, because: lapse };
    return own.state === 'begun' ? { step: 'make' } : { step: 'commit', epoch };
  }
  const ours = own?.epoch ?? 0n;
  if (newest > ours || (atOwn !== undefined && atOwn.context !== own?.context)) {
    return { step: 'stop', because: 'advanced-elsewhere', epoch: newest };
  }
  if (newest < ours) return { step: 'stop', because: 'registry-behind', epoch: newest };
  return due ? { step: 'make' } : { step: 'wait' };
}

export type ProofWindowStep =
  | { readonly step: 'wait' }
  | { readonly step: 'draw'; readonly number: bigint }
  | { readonly step: 'bundle' | 'prove'; readonly number: bigint; readonly drawn: PinnedEpoch }
  /** Only who made it can prove it. */
  | { readonly step: 'stop'; readonly because: 'drawn-elsewhere'; readonly epoch: bigint };

/** What becomes of the oldest window that is not proven. */
export function decideWindow(question: {
  readonly window: EndedWindow | undefined;
  /** Newest block of the registry's chain, whether it is final or not: the hash of a block is there for a while only. */
  readonly head: bigint;
  /** How the drawn epoch stands here. */
  readonly drawn: 'unknown' | 'made' | 'bundled';
}): ProofWindowStep {
  const { window, head } = question;
  if (window === undefined) return { step: 'wait' };
  const { number, challengeBlock, drawn } = window;
  if (drawn === undefined) return head > challengeBlock ? { step: 'draw', number } : { step: 'wait' };
  if (question.drawn === 'unknown') return { step: 'stop', because: 'drawn-elsewhere', epoch: drawn.epoch };
  return { step: question.drawn === 'bundled' ? 'prove' : 'bundle', number, drawn };
}

/** Blocks whose hash contracts can still be asked for, with some left for a transaction to be mined (EIP-2935 keeps 8,191). */
export const provenBlocksMax = 8_000n;

/** Whether a header can still be pinned: times in Unix seconds of the registry's chain. */
export function lapseOf(at: {
  readonly now: bigint;
  readonly takenAt: bigint;
  readonly commitWithin: bigint;
  readonly head: bigint;
  /** Where the asset is of the registry's chain, so that the registry compares its hash. */
  readonly pinnedBlock: bigint | undefined;
}): Lapse | undefined {
  if (at.now > at.takenAt + at.commitWithin) return 'too-late';
  if (at.pinnedBlock !== undefined && at.head > at.pinnedBlock + provenBlocksMax) return 'block-forgotten';
  return undefined;
}
