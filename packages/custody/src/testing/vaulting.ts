import assert from 'node:assert/strict';
import type { Address, AssetId, Compartment, Hex } from '@bulkhead/domain';
import { contractOf, invariant } from '@bulkhead/domain';
import {
  DelegateProgram,
  fakeDelegateCode,
  FakeQuorum,
  fakeKeccak,
  fakeVaultSystem,
  fakeVerifyForwarder,
  fakeVerifyVault,
  namedAddress,
  type SoftwareKey,
  softwareKey,
  VaultProgram,
} from '@bulkhead/fakes';
import {
  agreementDigest,
  callData,
  factoryCalls,
  type Limit,
  nativeToken,
  receiptDigest,
  vaultCalls,
} from '@bulkhead/vaults';
import { certifiedHolder } from '../vault-address.ts';
import { agreeVault, certifyVault, draftVault, receiptVault } from '../vault-issue.ts';
import { findVault, type Vault } from '../vault-row.ts';
import type { CertificateBackup, VaultSetup } from '../vault-setup.ts';
import type { VaultView } from '../vault-view.ts';
import { type Bench, type BenchOptions, type BenchWallet, pool, viewOf } from './bench.ts';
import { ether, openWithdrawing, pay } from './withdrawing.ts';

export const clientKey: SoftwareKey = softwareKey(1);
export const exitKey: SoftwareKey = softwareKey(2);
/** A destination that clients agree to from the start. */
export const listed: Address = namedAddress('listed destination');
export const exitTo: Address = namedAddress('exit destination');

/** A backup in memory that remembers what it was given. */
export type MemoryBackup = CertificateBackup & { readonly files: Map<string, string>; broken: boolean };

export type VaultBench = Bench & {
  readonly program: VaultProgram;
  readonly quorum: FakeQuorum;
  readonly backup: MemoryBackup;
};

/** A bench whose chain has vaults, with house wallets that relay and receive fees; on demand with delegates of addresses with keys. */
export async function openVaulting({
  delegates = false,
  ...options
}: BenchOptions & { readonly delegates?: boolean } = {}): Promise<VaultBench> {
  let made: { readonly program: VaultProgram; readonly quorum: FakeQuorum; readonly backup: MemoryBackup } | undefined;
  const bench = await openWithdrawing({
    ...options,
    vaults: ({ chain, signer }): VaultSetup => {
      const program = new VaultProgram(chain.id);
      chain.ground.programs.push(program, new DelegateProgram(chain.id));
      const files = new Map<string, string>();
      const backup: MemoryBackup = {
        files,
        broken: false,
        store: async (name, bytes) => {
          assert.ok(!backup.broken, 'the backup is broken');
          files.set(name, Buffer.from(bytes).toString('utf8'));
        },
      };
      made = { program, quorum: new FakeQuorum(signer), backup };
      return {
        systems: new Map([
          [chain.id, { ...fakeVaultSystem, ...(delegates ? { delegateCode: fakeDelegateCode } : {}) }],
        ]),
        quorum: made.quorum,
        verifyVault: fakeVerifyVault,
        verifyForwarder: fakeVerifyForwarder,
        backup,
        profile: 'contract',
        heartbeatEverySeconds: 86_400n,
        terms: {
          feeBpsYear: 50n,
          windowSeconds: 86_400n,
          changeDelay: 3_600n,
          recoveryDelay: 86_400n,
          exitDelay: 7_200n,
          exitChangeDelay: 10_000n,
          heartbeatPeriod: 864_000n,
          pauseSeconds: 3_600n,
        },
      };
    },
  });
  invariant(made !== undefined, 'The bench made no vaults.');
  const all = { ...bench, ...made, [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose]() };
  // A final block to look at contracts on.
  await bench.settle();
  await bench.ownWallet('fees');
  const gas = await bench.ownWallet('gas');
  bench.chain.outside.send({ to: gas.address, amount: 50n * ether });
  await bench.settle();
  return all;
}

export type VaultWish = {
  readonly destinations?: readonly Address[];
  readonly limits?: readonly Limit[];
  readonly unlisted?: readonly Limit[];
};

export const plenty: bigint = 1_000n * ether;

/** Drafts, agrees and certifies a vault, and has it acknowledged: every step a person or the client takes. */
export async function issuedVault(
  bench: VaultBench,
  holder: { readonly clientId: string } | { readonly compartment: Compartment },
  wish: VaultWish = {},
): Promise<VaultView> {
  const drafted = await draftedVault(bench, holder, wish);
  const agreed = await signedBy(bench, drafted.id, (vault) => agreementDigest(fakeKeccak, vault.address, vault.terms));
  viewOf(await agreeVault(bench.custody, bench.as('olga'), { vaultId: drafted.id, signature: agreed }));
  await list(bench, drafted.id);
  viewOf(await certifyVault(bench.custody, bench.as('olga'), drafted.id));
  return acknowledged(bench, drafted.id);
}

export async function draftedVault(
  bench: VaultBench,
  holder: { readonly clientId: string } | { readonly compartment: Compartment },
  wish: VaultWish = {},
): Promise<VaultView> {
  return viewOf(
    await draftVault(bench.custody, bench.as('olga'), {
      ...holder,
      chain: bench.id,
      clientKey: clientKey.key,
      exitKey: exitKey.key,
      exitDestination: exitTo,
      destinations: wish.destinations ?? [listed],
      limits: wish.limits ?? [{ token: nativeToken, cap: plenty }],
      unlisted: wish.unlisted ?? [],
    }),
  );
}

/** The registry of the signers lists a vault. */
export async function list(bench: VaultBench, id: string): Promise<void> {
  const vault = await vaultRow(bench, id);
  bench.quorum.listed.set(vault.address, { client: certifiedHolder(vault), terms: vault.terms });
}

export async function acknowledged(bench: VaultBench, id: string): Promise<VaultView> {
  const receipt = await signedBy(bench, id, ({ address, certificateDigest }) => {
    invariant(certificateDigest !== undefined, 'The vault has no certificate.', { id });
    return receiptDigest(fakeKeccak, address, certificateDigest);
  });
  return viewOf(await receiptVault(bench.custody, bench.as('olga'), { vaultId: id, signature: receipt }));
}

export async function signedBy(
  bench: VaultBench,
  id: string,
  digestOf: (vault: Vault) => Uint8Array,
  by: SoftwareKey = clientKey,
): Promise<Hex> {
  return by.sign(digestOf(await vaultRow(bench, id)));
}

export async function vaultRow(bench: VaultBench, id: string): Promise<Vault> {
  const vault = await findVault(bench.database.owner, id);
  invariant(vault !== undefined, 'The vault is not there.', { id });
  return vault;
}

export type VaultAccount = { readonly client: string; readonly wallet: BenchWallet; readonly vault: Vault };

/** A client with a vault of its own that holds coins, not deployed yet. */
export async function fundedVault(
  bench: VaultBench,
  amount: bigint,
  wish: VaultWish & { readonly asset?: AssetId } = {},
): Promise<VaultAccount> {
  const client = await bench.client('individual');
  const token = wish.asset === undefined ? undefined : contractOf(wish.asset);
  const limits = token === undefined ? {} : { limits: [{ token, cap: plenty }] };
  const view = await issuedVault(bench, { clientId: client }, { ...limits, ...wish });
  const wallet = await bench.wallet(client);
  await pay(bench, wallet, amount, wish.asset ?? bench.native);
  return { client, wallet, vault: await vaultRow(bench, view.id) };
}

/** A pool with a vault, and a client of it with a forwarder. */
export async function fundedForwarder(bench: VaultBench, amount: bigint): Promise<VaultAccount> {
  const unlisted = [{ token: nativeToken, cap: plenty }];
  const view = await issuedVault(bench, { compartment: pool }, { unlisted });
  const client = await bench.client('omnibus');
  const wallet = await bench.wallet(client);
  await pay(bench, wallet, amount);
  return { client, wallet, vault: await vaultRow(bench, view.id) };
}

/** Sends a call of a vault from outside, as anybody can; mined with the next block. */
export function callFromOutside(bench: VaultBench, to: Address, data: Hex): void {
  bench.chain.outside.call({ to, data });
}

/** Asks for the exit of a vault and lets anybody carry it out when its delay is over. */
export async function exits(
  bench: VaultBench,
  vault: Vault,
  tokens: readonly Address[] = [nativeToken],
): Promise<void> {
  const { config } = vault.terms;
  const create = callData(fakeKeccak, factoryCalls.create, { config });
  callFromOutside(bench, fakeVaultSystem.factory, create);
  const message = { nonce: 0n, deadline: 2n ** 40n };
  callFromOutside(
    bench,
    vault.address,
    callData(fakeKeccak, vaultCalls.requestExit, { config, message, signature: '0x' }),
  );
  bench.chain.mine();
  bench.chain.ground.skipTime(config.exitDelay + 1n);
  bench.chain.mine();
  for (const token of tokens) {
    callFromOutside(bench, vault.address, callData(fakeKeccak, vaultCalls.exit, { config, token }));
  }
  await bench.settle();
}
