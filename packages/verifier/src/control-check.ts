import { type Address, parseAddress } from '@bulkhead/domain';
import type { CompartmentWallets, Wallet } from '@bulkhead/proofs';
import { bytesOf, cloneCode, forwarderAddress, hexOf, vaultAddress, vaultConfigCodec } from '@bulkhead/vaults';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { equalBytes } from './bytes.ts';
import { type ChainView, readProven, type Unread } from './chain-view.ts';
import type { VaultBuild } from './order.ts';
import { recoverSigner } from './recovered-signer.ts';
import type { PinnedEpoch } from './registry-check.ts';
import { assetChainOf } from './registry-check.ts';
import { fails, few, holds, type Step, unknown } from './report.ts';
import { readSignerSet } from './signer-set.ts';
import { controlDigest } from './typed-digest.ts';

export type ControlQuestion = {
  readonly pinned: PinnedEpoch;
  /** The pinned block of the asset's chain, and its newest final one. */
  readonly at: ChainView;
  readonly head: ChainView;
  readonly compartments: readonly CompartmentWallets[];
  readonly build: VaultBuild;
  /** Who signs for the registry; undefined where that is not known. */
  readonly signers: Address | undefined;
};

type Sorted<S extends Wallet['sort']> = readonly Extract<Wallet, { readonly sort: S }>[];

const hashes = { keccak256: keccak_256 };
const emptyCodeHash = keccak_256(new Uint8Array());

/** Who controls the wallets: keys by their signatures, vaults by the heartbeat of their signers, forwarders by where they pay. */
export async function controlSteps(question: ControlQuestion): Promise<readonly Step[]> {
  const all = question.compartments.flatMap(({ wallets }) => wallets);
  const vaults = all.filter((wallet) => wallet.sort === 'vault');
  const clones = all.filter((wallet) => wallet.sort !== 'key');
  return [
    ...keySteps(
      all.filter((wallet) => wallet.sort === 'key'),
      question.pinned,
    ),
    ...(clones.length === 0 ? [] : [derivedStep(question), await codeStep(clones, question)]),
    ...(vaults.length === 0 ? [] : [await heartbeatStep(vaults, question)]),
  ];
}

function keySteps(keys: Sorted<'key'>, { header, epoch }: PinnedEpoch): readonly Step[] {
  if (keys.length === 0) return [];
  const silent = keys.filter(({ signature }) => signature === undefined);
  const chain = assetChainOf(header) ?? 0n;
  const wrong = keys.filter(({ address, signature }) => {
    const wallet = bytesOf(address);
    const digest = controlDigest({ chain, custodian: header.custodian, context: epoch.context, wallet });
    return signature !== undefined && recoverSigner(digest, signature) !== address;
  });
  if (wrong.length > 0) {
    return [
      fails(
        'control',
        `These keys did not sign for this custodian and epoch: ${few(wrong.map(({ address }) => address))}.`,
      ),
    ];
  }
  const signed = keys.length - silent.length;
  const steps =
    signed === 0 ? [] : [holds('control', `The keys of ${signed} wallets signed for this custodian, epoch and block.`)];
  if (silent.length === 0) return steps;
  const reason = `${silent.length} of ${keys.length} keys did not sign: whether the custodian controls ${few(silent.map(({ address }) => address))} is not known.`;
  return [...steps, unknown('control', reason)];
}

/** Addresses of contracts follow from what they are: nobody needs to be believed about them. */
function derivedStep({ compartments, build }: ControlQuestion): Step {
  const wrong: Address[] = [];
  let count = 0;
  for (const { wallets } of compartments) {
    const vaults = new Set(wallets.filter(({ sort }) => sort === 'vault').map(({ address }) => address));
    for (const wallet of wallets) {
      if (wallet.sort === 'key') continue;
      count += 1;
      const known = wallet.sort === 'vault' || vaults.has(wallet.vault);
      if (!known || derivedAddress(wallet, build) !== wallet.address) wrong.push(wallet.address);
    }
  }
  return wrong.length === 0
    ? holds(
        'derived',
        `The addresses of ${count} vaults and forwarders follow from their terms, and forwarders pay vaults of the same compartment.`,
      )
    : fails(
        'derived',
        `These addresses do not follow from the terms that are given for them, or pay no vault of the compartment: ${few(wrong)}.`,
      );
}

function derivedAddress(wallet: Exclude<Wallet, { readonly sort: 'key' }>, build: VaultBuild): Address | undefined {
  if (wallet.sort === 'forwarder') {
    return forwarderAddress(hashes, build, { vault: wallet.vault, salt: hexOf(wallet.salt) });
  }
  try {
    return vaultAddress(hashes, build, vaultConfigCodec.decode(wallet.config, 0).value);
  } catch {
    // Words that no configuration has.
    return undefined;
  }
}

async function codeStep(clones: Sorted<'vault' | 'forwarder'>, { at, build }: ControlQuestion): Promise<Step> {
  const expected = {
    vault: keccak_256(cloneCode(build.vaultImplementation)),
    forwarder: keccak_256(cloneCode(build.forwarderImplementation)),
  };
  const wrong: Address[] = [];
  let empty = 0;
  for (const { address, sort } of clones) {
    const account = await readProven(at, { address: bytesOf(address), slots: [] });
    if ('unread' in account) return unread('vault-code', account);
    if (equalBytes(account.codeHash, emptyCodeHash)) empty += 1;
    else if (!equalBytes(account.codeHash, expected[sort])) wrong.push(address);
  }
  if (wrong.length > 0) return fails('vault-code', `There is other code than that of the release at ${few(wrong)}.`);
  const rest = empty === 0 ? '' : ` At ${empty} nothing is deployed yet, and nothing else can be.`;
  return holds('vault-code', `${clones.length - empty} vaults and forwarders have the code of the release.${rest}`);
}

function unread(step: Step['step'], { unread: reason, answered }: Unread): Step {
  return answered ? fails(step, reason) : unknown(step, reason);
}

/** A quorum that signed the hash of the pinned block or of a later one was there then, and not only before. */
async function heartbeatStep(vaults: Sorted<'vault'>, question: ControlQuestion): Promise<Step> {
  const sets = new Set(vaults.map(({ config }) => parseAddress(hexOf(config.subarray(44, 64)))));
  const { header } = question.pinned;
  for (const address of sets) {
    if (question.signers === undefined) {
      return unknown('control', 'Who signs for the registry is not known, nor whether these vaults are theirs.');
    }
    if (address !== question.signers) {
      return fails('control', `Vaults answer to the signer set ${address}, which does not sign for this registry.`);
    }
    const set = await readSignerSet(question.head, { address: bytesOf(address), since: question.head.block.time });
    if ('unread' in set) return unread('control', set);
    if (set.heartbeatBlock < header.blockNumber) {
      return unknown(
        'control',
        `The signers of ${vaults.length} vaults were last heard of before the pinned block: their newest heartbeat names block ${set.heartbeatBlock}.`,
      );
    }
  }
  return holds(
    'control',
    `A quorum of the signers of ${vaults.length} vaults signed the hash of a block at or after the pinned one.`,
  );
}
