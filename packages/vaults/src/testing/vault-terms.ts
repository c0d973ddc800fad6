import { demoToken } from '@bulkhead/contracts';
import type { Address } from '@bulkhead/domain';
import { encodeFunctionData } from 'viem';
import type { StructCodec } from '../codec.ts';
import {
  answerOf,
  callData,
  nativeToken,
  parseVaultEvent,
  policyHash,
  type QuestionForm,
  typedDigest,
  vaultAddress,
  type VaultConfig,
  vaultDomain,
  type VaultEvent,
  type VaultTerms,
} from '../index.ts';
import { addressOf, exampleTerms, wordOfByte } from './example.ts';
import {
  accountKey,
  type AccountKey,
  chain,
  hashes,
  passkey,
  type Sent,
  type SoftwareKey,
  type VaultChain,
} from './vault-chain.ts';

export const deadline: bigint = 2n ** 40n;
export const client: SoftwareKey = passkey();
export const exitKey: AccountKey = accountKey(0xe0);
export const destination: Address = addressOf(0xd1);

/** A vault in which seconds are days, with a client's passkey and an exit key of secp256k1. */
export function termsOf(
  world: VaultChain,
  kind: VaultConfig['kind'],
  number: number,
): VaultTerms & { readonly vault: Address } {
  const limits = [
    { token: nativeToken, cap: 1_000n },
    { token: world.token, cap: 1_000n },
  ].toSorted((a, b) => (a.token < b.token ? -1 : 1));
  const policy = {
    destinations: [destination],
    limits,
    unlisted: kind === 'omnibus' ? limits.map((each) => ({ ...each, cap: 100n })) : [],
  };
  const config: VaultConfig = {
    ...exampleTerms(hashes).config,
    kind,
    clientId: wordOfByte(number),
    signerSet: world.signerSet,
    clientKey: client.id,
    exitKey: exitKey.id,
    policyHash: policyHash(hashes, policy),
    windowSeconds: 100n,
    changeDelay: 10n,
    recoveryDelay: 20n,
    exitDelay: 30n,
    exitChangeDelay: 40n,
    heartbeatPeriod: 10_000n,
    pauseSeconds: 5n,
    feeBpsYear: 1_000n,
  };
  return { config, policy, vault: vaultAddress(hashes, world, config) };
}

export function digestOf<T>(vault: Address, form: StructCodec<T>, message: T): Uint8Array {
  return typedDigest(hashes, vaultDomain(chain, vault), { form, message });
}

export function vaultEventsOf({ logs }: Sent, vault: Address): readonly VaultEvent[] {
  return logs.filter(({ address }) => address === vault).flatMap((log) => parseVaultEvent(hashes, log) ?? []);
}

export async function asked<T, A>(
  world: VaultChain,
  to: Address,
  { question, values }: { readonly question: QuestionForm<T, A>; readonly values: T },
): Promise<A> {
  return answerOf(question, await world.ask(to, callData(hashes, question, values)));
}

export async function mint(world: VaultChain, to: Address, amount: bigint): Promise<void> {
  const data = encodeFunctionData({ abi: demoToken.abi, functionName: 'mint', args: [to, amount] });
  await world.send(world.token, data);
}
