import {
  decodeHeader,
  headerLength,
  type OwnClaim,
  type Refutation,
  type ReserveHeader,
  verifyPlainPackage,
} from '@bulkhead/proofs';
import { equalBytes } from './bytes.ts';
import type { ChainNode } from './chain-node.ts';
import { agreeOnBlock } from './pinned-block.ts';
import { isFresh, type PinnedRegistry, readRegistry, type RegistryEpoch } from './registry-state.ts';
import { type Report, reportOf, type Step } from './report.ts';

/** What a client brings to the check of its claim. */
export type ClaimQuestion = {
  /** The package, as it was handed over. */
  readonly package: Uint8Array;
  /** What the client knows of its own claim, from its own books. */
  readonly own: OwnClaim;
  readonly registry: PinnedRegistry;
  /** Nodes of the registry's chain; two of different people are better than one. */
  readonly nodes: readonly ChainNode[];
};

/**
 * Checks whether a claim is counted, whole, in a compartment that holds what it owes: spec/reserves.md, step by step. Nothing is taken
 * from the package that the registry, read out of the state of a final block, does not pin.
 */
export async function checkClaim(question: ClaimQuestion): Promise<Report> {
  const header = headerOf(question.package);
  if (header === undefined) {
    return reportOf([
      {
        step: 'package',
        result: 'fails',
        reason: 'The file is no package of a proof of reserves, or one of a form that came later.',
      },
    ]);
  }
  const { registry, nodes } = question;
  const block = await agreeOnBlock(nodes, registry.chain);
  const [node] = nodes;
  if (block.header === undefined || node === undefined) return reportOf(block.steps);
  const { asset, epoch } = header;
  const pinned = await readRegistry(node, block.header, { registry, asset, epoch });
  if (typeof pinned === 'string') {
    return reportOf([...block.steps, { step: 'pinned', result: 'fails', reason: pinned }]);
  }
  const fresh = await isFresh(nodes, block.header.height, { registry, asset });
  return reportOf([
    ...block.steps,
    codeStep(registry),
    {
      step: 'pinned',
      result: 'holds',
      reason: `The registry has epoch ${epoch} of ${asset}, proven out of the state of that block.`,
    },
    ...headerSteps(header, registry, pinned),
    ...packageSteps(question, pinned),
    freshStep(fresh, { epoch, newest: pinned.newest }),
    {
      step: 'reserves',
      result: 'unknown',
      reason:
        'That the coins lie at addresses of the compartment is shown by the proof of its reserves, which is not in this file.',
    },
  ]);
}

function headerOf(bytes: Uint8Array): ReserveHeader | undefined {
  const length = headerLength(bytes);
  return length === undefined ? undefined : decodeHeader(bytes.subarray(0, length));
}

function codeStep({ codeHash }: PinnedRegistry): Step {
  return codeHash === undefined
    ? {
        step: 'registry',
        result: 'unknown',
        reason: 'You gave no hash of the registry’s code, so that its rules are those of this release is not known.',
      }
    : { step: 'registry', result: 'holds', reason: 'The code of the registry is the one that you pinned.' };
}

function headerSteps(header: ReserveHeader, registry: PinnedRegistry, pinned: RegistryEpoch): readonly Step[] {
  const here = header.registryChain === registry.chain && equalBytes(header.registry, registry.address);
  const follows = equalBytes(header.previous, pinned.previous);
  return [
    here
      ? { step: 'header', result: 'holds', reason: 'The package is about this registry.' }
      : {
          step: 'header',
          result: 'fails',
          reason: 'The package is about another registry than the one that you pinned.',
        },
    follows
      ? { step: 'chained', result: 'holds', reason: 'The epoch follows the one before it in the registry.' }
      : { step: 'chained', result: 'fails', reason: 'The epoch follows another history than that of the registry.' },
  ];
}

/** What is said of each refutation, and at which step it stands. The order is the one in which the package is checked. */
const objections: Readonly<Record<Refutation, Omit<Step, 'result'>>> = {
  malformed: { step: 'package', reason: 'The file is cut off, too long, or not of its form.' },
  'other-context': { step: 'header', reason: 'The registry pins another proof under this epoch and asset.' },
  'other-compartment': { step: 'own-claim', reason: 'The package is about another compartment than yours.' },
  'house-compartment': { step: 'own-claim', reason: 'The package is about a compartment of the custodian itself.' },
  'shared-compartment': { step: 'own-claim', reason: 'The compartment is one that clients share.' },
  'other-holder': { step: 'own-claim', reason: 'The package is about another client, or another kind of claim.' },
  'other-count': { step: 'record', reason: 'The number of rows is not that of the record.' },
  'other-record': { step: 'record', reason: 'What the package shows does not lead to what the registry pins.' },
  'out-of-range': { step: 'record', reason: 'An amount is larger than the proof may count.' },
  'not-canonical': { step: 'record', reason: 'A commitment is not in its one form.' },
  'other-commitment': { step: 'record', reason: 'The opening does not fit the commitment.' },
  'range-unproven': { step: 'record', reason: 'A range proof does not hold: an amount may be negative.' },
  'other-balance': {
    step: 'balance',
    reason:
      'You are counted, with another amount than yours. With the statement of balance that the custodian signed this is ground for a dispute.',
  },
  insolvent: { step: 'solvent', reason: 'The compartment owes more than it holds.' },
};

const passed: readonly Omit<Step, 'result'>[] = [
  { step: 'package', reason: 'The file is a package of a proof of reserves.' },
  { step: 'own-claim', reason: 'It is about your claim: compartment, client and kind.' },
  {
    step: 'record',
    reason: 'Your leaf leads to what the registry pins: everybody who looks there sees the same proof.',
  },
  { step: 'balance', reason: 'You are counted with your whole amount.' },
];

function packageSteps({ package: bytes, own }: ClaimQuestion, pin: RegistryEpoch): readonly Step[] {
  const verdict = verifyPlainPackage(bytes, { pin, own });
  const objection = verdict.holds ? undefined : objections[verdict.refutation];
  const before = passed.findIndex(({ step }) => step === objection?.step);
  const held = (objection === undefined || before === -1 ? passed : passed.slice(0, before)).map((step): Step => ({
    ...step,
    result: 'holds',
  }));
  if (objection !== undefined) {
    const reached = objection.step === 'header' ? held.filter(({ step }) => step === 'package') : held;
    return [...reached, { ...objection, result: 'fails' }];
  }
  if (!verdict.holds) return held;
  const { liabilities, reserves } = verdict;
  const reason = `Your compartment owes ${liabilities} and says that it holds ${reserves}, in units of the header.`;
  return [...held, { step: 'solvent', result: 'holds', reason }];
}

function freshStep(fresh: boolean | undefined, { epoch, newest }: { epoch: bigint; newest: bigint }): Step {
  if (fresh === undefined) {
    return { step: 'fresh', result: 'unknown', reason: 'A node does not say whether the proofs are fresh.' };
  }
  if (!fresh) {
    return {
      step: 'fresh',
      result: 'fails',
      reason:
        'The registry calls the proofs of this asset stale: new epochs do not come, or the one that was drawn was not proven in time.',
    };
  }
  const reason = epoch === newest ? 'It is the newest epoch.' : `It is not the newest epoch, which is ${newest}.`;
  return { step: 'fresh', result: 'holds', reason: `Epochs go on coming and are proven in time. ${reason}` };
}
