import { concatHex, createTestClient, createWalletClient, hashTypedData, http, publicActions } from 'viem';
import type { Hex, TypedDataDefinition } from 'viem';
import { mnemonicToAccount, privateKeyToAccount } from 'viem/accounts';
import { foundry } from 'viem/chains';

/** What one operation cost, now and at the prices of EIP-8037. */
export type Operation = { readonly name: string; readonly gas: number; readonly gasLater: number };

export type GasChain = {
  /** Three addresses, ascending. */
  readonly signers: readonly Hex[];
  /** Signatures of the first two of them, one after the other. */
  sign(typed: TypedDataDefinition): Promise<Hex>;
  send(to: Hex | undefined, data: Hex, value?: bigint): Promise<Sent>;
  ask(to: Hex, data: Hex): Promise<Hex>;
  /** Gives an address coin, so that paying it makes no account. */
  endow(address: Hex, wei: bigint): Promise<void>;
  now(): Promise<bigint>;
};

export type Sent = { readonly gas: number; readonly gasLater: number; readonly created: Hex };

/** Gas for state, now and then (EIP-8037 at 1,530 gas for a byte): a slot, an account made by CREATE2, a byte of code. */
const slot = { now: 20_000, later: 97_920 };
const account = { now: 32_000, later: 183_600 };
const codeByte = { now: 200, later: 1_530 };

/** The words that anvil makes its accounts from; everybody knows them. */
const developmentWords = 'test test test test test test test test test test test junk';

export async function openGasChain(url: string): Promise<GasChain> {
  const transport = http(url);
  const relayer = mnemonicToAccount(developmentWords);
  const wallet = createWalletClient({ account: relayer, chain: foundry, transport });
  const node = createTestClient({ chain: foundry, mode: 'anvil', transport }).extend(publicActions);
  const signers = [1n, 2n, 3n]
    .map((key) => privateKeyToAccount(`0x${(key << 200n).toString(16).padStart(64, '0')}`))
    .toSorted((a, b) => (a.address.toLowerCase() < b.address.toLowerCase() ? -1 : 1));
  return {
    signers: signers.map((signer) => signer.address),
    async sign(typed) {
      const hash = hashTypedData(typed);
      return concatHex(await Promise.all(signers.slice(0, 2).map(async (signer) => await signer.sign({ hash }))));
    },
    async send(to, data, value = 0n) {
      const hash = await wallet.sendTransaction({ to: to ?? null, data, value, gas: 12_000_000n });
      const receipt = await node.waitForTransactionReceipt({ hash });
      if (receipt.status !== 'success') throw new Error(`A transaction of the bench was reverted: ${hash}.`);
      const gas = Number(receipt.gasUsed);
      const gasLater = gas + dearer(await trace(url, hash));
      return { gas, gasLater, created: receipt.contractAddress ?? '0x' };
    },
    async ask(to, data) {
      return (await node.call({ to, data })).data ?? '0x';
    },
    async endow(address, wei) {
      await node.setBalance({ address, value: wei });
    },
    async now() {
      return (await node.getBlock()).timestamp;
    },
  };
}

/** What a transaction found and left. Asked for by hand: viem has no type for it. */
async function trace(url: string, hash: Hex): Promise<unknown> {
  const body = { jsonrpc: '2.0', id: 1, method: 'debug_traceTransaction', params: [hash, tracer] };
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const result = fieldIn(await answer.json(), 'result');
  if (result === undefined) throw new Error(`The node has no trace of ${hash}.`);
  return result;
}

const tracer = { tracer: 'prestateTracer', tracerConfig: { diffMode: true } };

/** What the new slots, accounts and bytes of code of a transaction will cost more than they do. */
function dearer(found: unknown): number {
  const before = new Map(entriesOf(fieldIn(found, 'pre')));
  let more = 0;
  for (const [address, after] of entriesOf(fieldIn(found, 'post'))) {
    const old = before.get(address);
    const code = textOf(fieldIn(after, 'code'));
    if (code !== '0x' && textOf(fieldIn(old, 'code')) === '0x') {
      more += account.later - account.now + ((code.length - 2) / 2) * (codeByte.later - codeByte.now);
    }
    const oldSlots = new Map(entriesOf(fieldIn(old, 'storage')));
    for (const [key, value] of entriesOf(fieldIn(after, 'storage'))) {
      const was = numberOf(oldSlots.get(key));
      if (was === 0n && numberOf(value) !== 0n) more += slot.later - slot.now;
    }
  }
  return more;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '0x';
}

function numberOf(value: unknown): bigint {
  return typeof value === 'string' ? BigInt(value) : 0n;
}

function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function fieldIn(value: unknown, name: string): unknown {
  return entriesOf(value).find(([key]) => key === name)?.[1];
}
