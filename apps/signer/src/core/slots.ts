import { randomBytes } from 'node:crypto';
import { CustodyError } from '@bulkhead/domain';
import type { HeadStore, RememberedHead } from '@bulkhead/keys';
import type { StateLog } from './log.ts';

/** The places that remember the head of the log, and what each of them is expected to hold. */
export type Slots = {
  /**
   * Compares what the slots hold with the log, at the start.
   *
   * @returns undefined where the log may go on, else why not
   * @throws CustodyError `hsm/unavailable` where too few slots answer
   */
  judge(forgiven: readonly RememberedHead[]): Promise<CustodyError | undefined>;
  /**
   * Says in every slot that this process works with the keys. Another one that does finds that out before its next answer; and the heads
   * that are read afterwards are all that it has answered.
   */
  claim(): Promise<void>;
  /** Everything that the slots hold now; every slot must answer. */
  remembered(): Promise<readonly RememberedHead[]>;
  /**
   * Begins to read the head in every slot, for the next {@link Slots.write}: what it takes passes while the log is written. A reading
   * and a write were never one step, so a longer time between them lets nobody in: the claim does not, which is read after the write.
   * Fails only where it is used.
   */
  look(): Look;
  /**
   * Compares the head in every slot, writes it, and makes sure that the slot is still this process's own.
   *
   * @param look what was found since the write before; absent, the slots are read now
   * @throws CustodyError `signer/other-signer-active`, `hsm/unavailable`
   */
  write(head: RememberedHead, look?: Look): Promise<void>;
  /** Writes without comparing: only after the root quorum has said that an older state goes on. */
  overwrite(head: RememberedHead): Promise<void>;
};

/** What each slot holds, in the order of the slots. */
export type Look = readonly Promise<RememberedHead | undefined>[];

type Slot = {
  readonly store: HeadStore;
  expected: RememberedHead | undefined;
  lost: boolean;
  /** Whether this process has written its claim there. */
  claimed: boolean;
};

/** `required` of the stores must take part in everything. */
export function slotsOf(
  log: StateLog,
  { stores, required }: { stores: readonly HeadStore[]; required: number },
): Slots {
  const slots = stores.map((store): Slot => ({ store, expected: undefined, lost: true, claimed: false }));
  const claim = randomBytes(16).toString('hex');
  const claimSlot = async (slot: Slot): Promise<void> => {
    await slot.store.writeClaim(claim);
    slot.claimed = true;
  };
  const found = async (slot: Slot): Promise<RememberedHead | undefined> => {
    // One that was away when the others were claimed.
    if (!slot.claimed) await claimSlot(slot);
    return slot.store.read();
  };
  /**
   * A comparison and a write are not one step, so another signer may have read the head before this one wrote it. It wrote its claim
   * before it read: so it is seen here, and nothing leaves.
   */
  const assertClaimed = async (slot: Slot): Promise<void> => {
    if ((await slot.store.readClaim()) !== claim) throw otherClaim(slot);
  };
  const look = (): Look => slots.map(found);
  const gather = async (work: (slot: Slot, at: number) => Promise<void>): Promise<void> => {
    const failures = await failuresOf(slots, work);
    const foreign = failures.find((failure) => failure.code === 'signer/other-signer-active');
    if (foreign !== undefined) throw foreign;
    const [first] = failures;
    if (first !== undefined && slots.length - failures.length < required) throw unavailable(first, { slots, required });
  };
  return {
    judge: async (forgiven) => judge(log, { slots, required, forgiven }),
    claim: async () => gather(claimSlot),
    async remembered() {
      const heads = await Promise.all(slots.map(async ({ store }) => store.read()));
      return heads.filter((head) => head !== undefined);
    },
    look: () => {
      const all = look();
      for (const each of all) each.catch(() => undefined);
      return all;
    },
    write: async (head, ahead = look()) =>
      gather(async (slot, at) => {
        const held = await ahead[at];
        if (!(await fits(log, { slot, found: held }))) throw otherSigner(slot, held);
        await writeTo(slot, head);
        await assertClaimed(slot);
      }),
    overwrite: async (head) =>
      gather(async (slot) => {
        if (!slot.claimed) await claimSlot(slot);
        await writeTo(slot, head);
        await assertClaimed(slot);
      }),
  };
}

/**
 * A slot that always answered must hold what was written last. One that failed in between may hold any older head of this very
 * log, because a write that failed may or may not have happened, and it missed those that came after.
 */
async function fits(
  log: StateLog,
  { slot, found }: { slot: Slot; found: RememberedHead | undefined },
): Promise<boolean> {
  if (!slot.lost) return found?.sequence === slot.expected?.sequence && found?.hash === slot.expected?.hash;
  return isAncestor(log, found);
}

async function writeTo(slot: Slot, head: RememberedHead): Promise<void> {
  slot.lost = true;
  await slot.store.write(head);
  slot.expected = head;
  slot.lost = false;
}

async function isAncestor(log: StateLog, head: RememberedHead | undefined): Promise<boolean> {
  return head === undefined || (await log.hashAt(head.sequence)) === head.hash;
}

/**
 * The log goes on when no slot remembers anything that is not in it, and enough slots remember its end or, after a crash between
 * the log and the slots, the end before its newest group. A slot that is further behind is caught up: it was away, and the
 * others prove that the log is the newest.
 */
async function judge(
  log: StateLog,
  at: { slots: readonly Slot[]; required: number; forgiven: readonly RememberedHead[] },
): Promise<CustodyError | undefined> {
  const { slots, required, forgiven } = at;
  let current = 0;
  let foreign: CustodyError | undefined;
  let behind: CustodyError | undefined;
  const failures = await failuresOf(slots, async (slot) => {
    const found = await slot.store.read();
    const pardoned = found !== undefined && forgiven.some((head) => same(head, found));
    if (!pardoned && !(await isAncestor(log, found))) {
      foreign ??= log.tornBytes > 0 ? damaged(log, { slot, found }) : rewound(log, { slot, found });
      return;
    }
    slot.expected = found;
    slot.lost = false;
    if (pardoned || (found?.sequence ?? 0n) >= log.floor()) current += 1;
    else behind = tokenRewound(log, { slot, found });
  });
  if (foreign !== undefined) return foreign;
  const [first] = failures;
  if (first !== undefined && slots.length - failures.length < required) throw unavailable(first, { slots, required });
  return current < required ? behind : undefined;
}

function same(a: RememberedHead, b: RememberedHead): boolean {
  return a.sequence === b.sequence && a.hash === b.hash;
}

async function failuresOf(
  slots: readonly Slot[],
  work: (slot: Slot, at: number) => Promise<void>,
): Promise<readonly CustodyError[]> {
  const results = await Promise.allSettled(slots.map(work));
  return results.flatMap((result, index) => {
    if (result.status === 'fulfilled') return [];
    const slot = slots[index];
    if (slot !== undefined) slot.lost = true;
    const reason: unknown = result.reason;
    if (reason instanceof CustodyError) return [reason];
    return [new CustodyError('hsm/unavailable', `Slot ${slot?.store.name ?? ''} failed.`, { cause: reason })];
  });
}

function unavailable(
  cause: CustodyError,
  { slots, required }: { slots: readonly Slot[]; required: number },
): CustodyError {
  const lost = slots.filter((slot) => slot.lost).map((slot) => slot.store.name);
  return new CustodyError(
    'hsm/unavailable',
    `The head of the signer's log cannot be kept: ${lost.join(', ')} did not answer, and ${required} of ${slots.length} slots are required. Nothing leaves until they do; the first reason given was: ${cause.message}`,
    { cause, details: { slots: lost.join(', '), required } },
  );
}

type Found = { readonly slot: Slot; readonly found: RememberedHead | undefined };

function otherSigner({ store, expected }: Slot, found: RememberedHead | undefined): CustodyError {
  return new CustodyError(
    'signer/other-signer-active',
    `Slot ${store.name} holds ${named(found)}, and this process wrote ${named(expected)} last. Another signer uses these keys: this one has stopped. Find it, and start one of them only.`,
    { details: { slot: store.name } },
  );
}

function otherClaim({ store }: Slot): CustodyError {
  return new CustodyError(
    'signer/other-signer-active',
    `Slot ${store.name} was claimed by another signer since this one began, or its token was put back to an earlier state: this one has stopped, and nothing that it had not answered leaves. Find the other, and start one of them only.`,
    { details: { slot: store.name } },
  );
}

function rewound(log: StateLog, { slot, found }: Found): CustodyError {
  return new CustodyError(
    'signer/state-rewound',
    `Slot ${slot.store.name} remembers ${named(found)}, which is not in this log: its end is ${named(log.end())}. An older copy was restored, or the folder belongs to another signer. Put the newest copy back; if there is none, docs/signer.md has the recovery by the root quorum.`,
    { details: { slot: slot.store.name } },
  );
}

function damaged(log: StateLog, { slot, found }: Found): CustodyError {
  return new CustodyError(
    'signer/state-damaged',
    `${log.tornBytes} bytes after ${named(log.end())} of the signer's log cannot be read, and slot ${slot.store.name} remembers ${named(found)}: records that counted are lost. Put a sound copy of the folder back; if there is none, docs/signer.md has the recovery by the root quorum.`,
    { details: { slot: slot.store.name } },
  );
}

function tokenRewound(log: StateLog, { slot, found }: Found): CustodyError {
  return new CustodyError(
    'signer/state-rewound',
    `Slot ${slot.store.name} remembers ${named(found)}, and the log goes on to ${named(log.end())}, further than a crash explains. The token was replaced or restored from an older copy. If another slot proves the log, start once with fewer heads required; else docs/signer.md has the recovery by the root quorum.`,
    { details: { slot: slot.store.name } },
  );
}

function named(head: RememberedHead | undefined): string {
  return head === undefined ? 'no record' : `record ${head.sequence} (${head.hash.slice(0, 16)}…)`;
}
